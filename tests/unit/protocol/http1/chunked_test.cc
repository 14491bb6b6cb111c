#include "protocol/http1/chunked.h"

#include "tests/unit/protocol/http1/vectors.h"

#include <gtest/gtest.h>

#include <string>

namespace telltale::http1 {
namespace {

using test::Pieces;
using test::Result;
using test::Vector;

Result run(ChunkedDecoder& decoder, const Vector& vector, const Pieces& pieces) {
  decoder.reset();
  Status status = Status::need_more;
  std::string payload;
  std::size_t verbatim = 0;
  bool past_chunks = false;
  const std::size_t rest = pieces.feed_all([&](std::string_view piece) {
    const ChunkedDecoder::Outcome outcome = decoder.feed(piece, &payload);
    status = outcome.status;
    EXPECT_LE(outcome.verbatim, outcome.consumed);
    EXPECT_FALSE(past_chunks && outcome.verbatim > 0) << "chunks after the trailer section began";
    past_chunks |= outcome.verbatim < outcome.consumed;
    verbatim += outcome.verbatim;
    return std::pair(outcome.consumed, status == Status::need_more);
  });
  if (status == Status::need_more) return {"need_more", {{"payload", payload}}};
  EXPECT_EQ(decoder.feed("0\r\n\r\n").consumed, 0u) << "the decoder goes on after its end";
  if (status == Status::failed) return {std::string(test::error_name(decoder.error())), {{"payload", payload}}};
  EXPECT_EQ(payload.size(), decoder.payload_octets());
  EXPECT_EQ(vector.octets.substr(0, verbatim).find_last_of('\n'), verbatim - 1) << "verbatim ends with a line";
  Result result{"complete",
                {{"payload", payload},
                 {"size", std::to_string(decoder.payload_octets())},
                 {"verbatim", std::to_string(verbatim)},
                 {"rest", std::to_string(rest)}}};
  test::add_fields(result, decoder.trailers());
  result.values["trailers"] = result.values["fields"];
  return result;
}

TEST(ChunkedDecoder, ComesToTheSameForAnyCutOfEveryVector) {
  ChunkedDecoder decoder;
  for (const Vector& vector : test::read_vectors("chunked.txt")) {
    test::check_vector(vector, [&](const Pieces& pieces) { return run(decoder, vector, pieces); });
  }
}

TEST(ChunkedDecoder, NeedsNoPayloadToValidate) {
  ChunkedDecoder decoder;
  decoder.reset();
  const ChunkedDecoder::Outcome outcome = decoder.feed("3\r\nabc\r\n0\r\nA: b\r\n\r\nnext");
  EXPECT_EQ(outcome.status, Status::complete);
  EXPECT_EQ(outcome.verbatim, 11u);
  EXPECT_EQ(outcome.consumed, 19u);
  EXPECT_EQ(decoder.payload_octets(), 3u);
}

TEST(ChunkedDecoder, WorksBeforeTheFirstReset) {
  ChunkedDecoder decoder;
  EXPECT_EQ(decoder.feed("1\r\na\r\n0\r\n\r\n").status, Status::complete);
}

TEST(TrailerAllowed, RefusesWhatFramesRoutesAuthenticatesOrIdentifies) {
  struct Case {
    const char* name;
    bool allowed;
  };
  for (const Case& c : std::initializer_list<Case>{{"grpc-status", true},       {"X-Checksum", true},
                                                   {"Server-Timing", true},     {"ETag", true},
                                                   {"Content-Length", false},   {"Transfer-Encoding", false},
                                                   {"content_length", false},   {"Trailer", false},
                                                   {"Connection", false},       {"Host", false},
                                                   {"Expect", false},           {"X-Forwarded-For", false},
                                                   {"x_forwarded_for", false},  {"Forwarded", false},
                                                   {"CF-Connecting-IP", false}, {"X-Real-IP", false},
                                                   {"Authorization", false},    {"Proxy-Authorization", false},
                                                   {"WWW-Authenticate", false}, {"Set-Cookie", false},
                                                   {"Cookie", false},           {"Content-Type", false},
                                                   {"Content_Encoding", false}, {"Cache-Control", false},
                                                   {"Max-Forwards", false}}) {
    EXPECT_EQ(trailer_allowed(http::field_id(c.name), c.name), c.allowed) << c.name;
  }
}

}  // namespace
}  // namespace telltale::http1
