#include "protocol/http1/serializer.h"

#include "protocol/http1/parser.h"

#include <gtest/gtest.h>

#include <string>

namespace telltale::http1 {
namespace {

TEST(Serializer, WritesTheRequestLineFromTheParse) {
  RequestParser parser;
  RequestHead head;
  parser.start(head, {});
  ASSERT_EQ(parser.feed("GET http://Example.com?q HTTP/1.0\r\n\r\n").status, Status::complete);
  std::string out;
  append_request_line(out, head);
  EXPECT_EQ(out, "GET /?q HTTP/1.1\r\nHost: example.com\r\n");
}

TEST(Serializer, WritesAnEmptyHostWhenThereIsNone) {
  RequestHead head;
  head.method_text = "GET";
  head.target = "/";
  std::string out;
  append_request_line(out, head);
  EXPECT_EQ(out, "GET / HTTP/1.1\r\nHost: \r\n");
  out.clear();
  append_request_line(out, head, "192.0.2.1:80");
  EXPECT_EQ(out, "GET / HTTP/1.1\r\nHost: 192.0.2.1:80\r\n");
}

TEST(Serializer, WritesStatusLinesAndFields) {
  std::string out;
  append_status_line(out, 404, reason_phrase(404));
  append_status_line(out, 599, reason_phrase(599));
  append_field(out, "A", "b");
  EXPECT_EQ(out, "HTTP/1.1 404 Not Found\r\nHTTP/1.1 599 \r\nA: b\r\n");
}

TEST(Serializer, WritesFraming) {
  struct Case {
    const char* what;
    BodyFraming body;
    bool write_zero_length;
    const char* expected;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"a length", {Framing::content_length, 12}, false, "Content-Length: 12\r\n"},
           {"an explicit zero", {Framing::content_length, 0}, false, "Content-Length: 0\r\n"},
           {"the largest", {Framing::content_length, UINT64_MAX}, false, "Content-Length: 18446744073709551615\r\n"},
           {"chunked", {Framing::chunked, 0}, true, "Transfer-Encoding: chunked\r\n"},
           {"nothing", {Framing::none, 0}, false, ""},
           {"nothing, said", {Framing::none, 0}, true, "Content-Length: 0\r\n"},
           {"until close", {Framing::until_close, 0}, true, ""}}) {
    std::string out;
    append_framing(out, c.body, c.write_zero_length);
    EXPECT_EQ(out, c.expected) << c.what;
  }
}

TEST(Serializer, KeepsTheDeclaredLengthOfAnAnswerToHead) {
  ResponseParser parser;
  ResponseHead head;
  parser.start(head, {}, {.method = Method::head});
  ASSERT_EQ(parser.feed("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n").status, Status::complete);
  std::string out;
  append_framing(out, head);
  EXPECT_EQ(out, "Content-Length: 7\r\n");
  parser.start(head, {}, {});
  ASSERT_EQ(parser.feed("HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n").status, Status::complete);
  out.clear();
  append_framing(out, head);
  EXPECT_EQ(out, "");
}

TEST(HopByHop, CoversTheConnectionsOwnFieldsAndWhatConnectionNominates) {
  RequestParser parser;
  RequestHead head;
  parser.start(head, {});
  ASSERT_EQ(parser
                .feed("GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Own\r\nConnection: via\r\nConnection: x-e\r\n"
                      "TE: trailers\r\nX-Own: 1\r\nVia: 1.1 x\r\n\r\n")
                .status,
            Status::complete);
  struct Case {
    const char* name;
    bool hop_by_hop;
  };
  for (const Case& c : std::initializer_list<Case>{{"Connection", true},
                                                   {"Keep-Alive", true},
                                                   {"Proxy-Connection", true},
                                                   {"TE", true},
                                                   {"Transfer-Encoding", true},
                                                   {"Upgrade", true},
                                                   {"HTTP2-Settings", true},
                                                   {"x-own", true},
                                                   {"Via", true},
                                                   {"X-E", true},
                                                   {"X", false},
                                                   {"X-Other", false},
                                                   {"X-Forwarded-For", false},
                                                   {"Host", false},
                                                   {"Trailer", false},
                                                   {"Proxy-Authorization", false},
                                                   {"Proxy-Authenticate", false},
                                                   {"Content-Type", false}}) {
    EXPECT_EQ(is_hop_by_hop(head.fields, http::field_id(c.name), c.name), c.hop_by_hop) << c.name;
  }
}

TEST(ReasonPhrase, KnowsTheCommonOnes) {
  EXPECT_EQ(reason_phrase(100), "Continue");
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(503), "Service Unavailable");
  EXPECT_EQ(reason_phrase(511), "Network Authentication Required");
  EXPECT_EQ(reason_phrase(99), "");
  EXPECT_EQ(reason_phrase(306), "");
  EXPECT_EQ(reason_phrase(999), "");
}

}  // namespace
}  // namespace telltale::http1
