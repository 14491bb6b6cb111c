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

Result describe(const RequestHead& head, std::size_t rest) {
  Result result;
  result.outcome = "complete";
  result.values = {
      {"method", head.method_text},
      {"target", head.target},
      {"authority", head.authority},
      {"host", std::string(head.host())},
      {"version", "1." + std::to_string(head.minor_version)},
      {"body", std::string(test::framing_name(head.body.kind))},
      {"length", std::to_string(head.body.length)},
      {"keep_alive", yes_no(head.keep_alive)},
      {"continue", yes_no(head.expects_continue)},
      {"upgrade", yes_no(head.wants_upgrade)},
      {"absolute", yes_no(head.from_absolute_form)},
      {"rest", std::to_string(rest)},
  };
  test::add_fields(result, head.fields);
  return result;
}

Result run(RequestParser& parser, const Vector& vector, const Pieces& pieces) {
  RequestHead head;
  parser.start(head, vector.limits);
  return test::run_parser(parser, pieces, "GET / HTTP/1.1\r\n", [&](std::size_t rest) { return describe(head, rest); });
}

TEST(RequestParser, ComesToTheSameForAnyCutOfEveryVector) {
  RequestParser parser;  // one for all: nothing may be left over from the message before
  for (const Vector& vector : test::read_vectors("requests.txt")) {
    test::check_vector(vector, [&](const Pieces& pieces) { return run(parser, vector, pieces); });
  }
}

TEST(RequestParser, NamesTheStatusOfEveryError) {
  struct Case {
    Error error;
    unsigned status;
  };
  for (const Case& c : std::initializer_list<Case>{{Error::malformed, 400},
                                                   {Error::bad_version, 505},
                                                   {Error::target_too_long, 414},
                                                   {Error::head_too_large, 431},
                                                   {Error::too_many_fields, 431},
                                                   {Error::bad_target, 400},
                                                   {Error::bad_host, 400},
                                                   {Error::bad_framing, 400},
                                                   {Error::bad_connection, 400},
                                                   {Error::connect_refused, 405},
                                                   {Error::bad_expect, 417},
                                                   {Error::bad_chunk, 400},
                                                   {Error::unknown_coding, 501},
                                                   {Error::bad_field, 400},
                                                   {Error::unexpected_upgrade, 400}}) {
    const boost::system::error_code error = c.error;
    EXPECT_EQ(status_for(error), c.status) << error.message();
    EXPECT_NE(error.message(), "unknown HTTP/1 error");
  }
  EXPECT_EQ(status_for(boost::system::errc::make_error_code(boost::system::errc::timed_out)), 400u);
}

TEST(RequestParser, HasNotStartedBeforeTheMethod) {
  RequestParser parser;
  RequestHead head;
  parser.start(head, {});
  EXPECT_FALSE(parser.started());
  EXPECT_EQ(parser.feed("").status, Status::need_more);
  EXPECT_EQ(parser.feed("\r\n\r").consumed, 3u);
  EXPECT_FALSE(parser.started()) << "an idle close after an empty line is no error";
  EXPECT_EQ(parser.feed("\nG").consumed, 2u);
  EXPECT_TRUE(parser.started());
  parser.start(head, {});
  EXPECT_FALSE(parser.started());
}

TEST(RequestParser, ParsesPipelinedRequestsInOrder) {
  const std::string_view octets =
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
      "GET /2 HTTP/1.1\r\nHost: b\r\nX: y\r\n\r\n"
      "GET /3 HTTP/1.0\r\n\r\n";
  RequestParser parser;
  RequestHead head;
  std::size_t at = 0;
  const auto next = [&] {
    parser.start(head, {});
    const Outcome outcome = parser.feed(octets.substr(at));
    at += outcome.consumed;
    return outcome.status;
  };
  ASSERT_EQ(next(), Status::complete);
  EXPECT_EQ(head.target, "/1");
  ASSERT_EQ(head.body.length, 3u);
  at += 3;
  ASSERT_EQ(next(), Status::complete);
  EXPECT_EQ(head.target, "/2");
  EXPECT_EQ(head.authority, "b");
  EXPECT_EQ(head.body.kind, Framing::none);
  EXPECT_EQ(head.fields.size(), 2u);
  ASSERT_EQ(next(), Status::complete);
  EXPECT_EQ(head.target, "/3");
  EXPECT_EQ(head.authority, "");
  EXPECT_FALSE(head.keep_alive);
  EXPECT_EQ(head.fields.size(), 0u);
  EXPECT_EQ(at, octets.size());
}

TEST(RequestParser, StartsAgainAfterAFailure) {
  RequestParser parser;
  RequestHead head;
  parser.start(head, {});
  EXPECT_EQ(parser.feed("GET / HTTP/1.1\r\nContent-Le\x01").status, Status::failed);
  EXPECT_EQ(parser.error(), Error::malformed);
  parser.start(head, {});
  EXPECT_FALSE(parser.error());
  EXPECT_EQ(parser.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, Status::complete);
  EXPECT_EQ(head.fields.size(), 1u);
}

TEST(RequestParser, RefusesEveryControlOctetAnywhere) {
  const std::string good = "GET /path HTTP/1.1\r\nHost: a\r\nName: value, value, value\r\n\r\n";
  RequestParser parser;
  RequestHead head;
  for (unsigned octet = 0; octet < 0x80; ++octet) {
    if (octet >= 0x20 && octet != 0x7f) continue;
    for (std::size_t at = 0; at + 1 < good.size(); ++at) {
      const bool in_value = (at > 24 && at <= 27) || (at > 33 && at < good.size() - 3);
      if (octet == '\t' && in_value) continue;
      std::string bad = good;
      bad.insert(at, 1, static_cast<char>(octet));
      parser.start(head, {});
      EXPECT_NE(parser.feed(bad).status, Status::complete) << "octet " << octet << " at " << at;
    }
  }
}

TEST(RequestHead, SplitsTargetAndAuthority) {
  struct Case {
    const char* target;
    const char* path;
    const char* query;
  };
  RequestHead head;
  for (const Case& c :
       std::initializer_list<Case>{{"/a?b=c?d", "/a", "b=c?d"}, {"/a", "/a", ""}, {"/a?", "/a", ""}, {"*", "*", ""}}) {
    head.target = c.target;
    EXPECT_EQ(head.path(), c.path);
    EXPECT_EQ(head.query(), c.query);
  }
  head.authority = "[::1]:80";
  EXPECT_EQ(head.host(), "[::1]");
  head.authority = "a:80";
  EXPECT_EQ(head.host(), "a");
  head.authority = "";
  EXPECT_EQ(head.host(), "");
}

}  // namespace
}  // namespace telltale::http1
