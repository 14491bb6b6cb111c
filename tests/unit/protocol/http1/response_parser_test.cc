#include "protocol/http1/parser.h"
#include "tests/unit/protocol/http1/vectors.h"

#include <gtest/gtest.h>

#include <string>

namespace telltale::http1 {
namespace {

using test::Pieces;
using test::Result;
using test::Vector;
using test::yes_no;

Result describe(const ResponseHead& head, std::size_t rest) {
  Result result;
  result.outcome = "complete";
  result.values = {
      {"status", std::to_string(head.status)},
      {"reason", head.reason},
      {"version", "1." + std::to_string(head.minor_version)},
      {"body", std::string(test::framing_name(head.body.kind))},
      {"length", std::to_string(head.body.length)},
      {"declared", head.declared_length ? std::to_string(*head.declared_length) : "-"},
      {"keep_alive", yes_no(head.keep_alive)},
      {"interim", yes_no(head.interim())},
      {"rest", std::to_string(rest)},
  };
  test::add_fields(result, head.fields);
  return result;
}

Result run(ResponseParser& parser, const Vector& vector, const Pieces& pieces) {
  ResponseHead head;
  parser.start(head, vector.limits, vector.context);
  return test::run_parser(parser, pieces, "HTTP/1.1 200 OK\r\n",
                          [&](std::size_t rest) { return describe(head, rest); });
}

TEST(ResponseParser, ComesToTheSameForAnyCutOfEveryVector) {
  ResponseParser parser;
  for (const Vector& vector : test::read_vectors("responses.txt")) {
    test::check_vector(vector, [&](const Pieces& pieces) { return run(parser, vector, pieces); });
  }
}

TEST(ResponseParser, TakesInterimHeadsOneByOne) {
  const std::string_view octets =
      "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
      "1\r\n\r\nx";
  ResponseParser parser;
  ResponseHead head;
  std::size_t at = 0;
  for (const unsigned status : {103u, 100u, 200u}) {
    parser.start(head, {}, {});
    EXPECT_FALSE(parser.started());
    const Outcome outcome = parser.feed(octets.substr(at));
    ASSERT_EQ(outcome.status, Status::complete);
    EXPECT_TRUE(parser.started());
    at += outcome.consumed;
    EXPECT_EQ(head.status, status);
    EXPECT_EQ(head.interim(), status != 200);
  }
  EXPECT_EQ(head.fields.size(), 1u);
  EXPECT_EQ(octets.substr(at), "x");
}

TEST(ResponseParser, StaysIdleOnNothing) {
  ResponseParser parser;
  ResponseHead head;
  parser.start(head, {}, {});
  EXPECT_EQ(parser.feed("").status, Status::need_more);
  EXPECT_FALSE(parser.started());
  parser.feed("H");
  EXPECT_TRUE(parser.started());
}

}  // namespace
}  // namespace telltale::http1
