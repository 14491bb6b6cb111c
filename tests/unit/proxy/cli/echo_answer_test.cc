#include "proxy/cli/echo_answer.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

using namespace std::string_literals;

EchoRequest example() {
  EchoRequest request;
  request.peer = net::IpPort{net::IpAddress::v4(10, 244, 3, 8), 40000};
  request.local = net::IpPort{net::IpAddress::v4(10, 0, 170, 92), 8080};
  request.method = "GET";
  request.target = "/";
  request.headers = {{"accept", "*/*"}, {"host", "10.0.170.92"}};
  return request;
}

proxy_protocol::Header proxy_header() {
  proxy_protocol::Header header;
  header.command = proxy_protocol::Command::proxy;
  header.family = proxy_protocol::Family::inet;
  header.transport = proxy_protocol::Transport::stream;
  header.source = net::IpPort{net::IpAddress::v4(198, 51, 100, 79), 52110};
  header.destination = net::IpPort{net::IpAddress::v4(203, 0, 113, 140), 80};
  header.tlvs =
      "\x02\x00\x04shop"
      "\x03\x00\x04\x01\x02\xab\xff"
      "\xea\x00\x02\x01v"s;
  return header;
}

TEST(EchoText, HasTheLayoutOfTheTutorial) {
  EchoRequest request = example();
  request.proxy = proxy_header();
  EXPECT_EQ(echo_as_text(request),
            "CLIENT VALUES:\n"
            "client_address=10.244.3.8\n"
            "command=GET\n"
            "real path=/\n"
            "query=nil\n"
            "request_version=1.1\n"
            "request_uri=http://10.0.170.92:8080/\n"
            "\n"
            "SERVER VALUES:\n"
            "server_version=telltale " TELLTALE_VERSION
            "\n"
            "\n"
            "HEADERS RECEIVED:\n"
            "accept=*/*\n"
            "host=10.0.170.92\n"
            "\n"
            "PROXY PROTOCOL:\n"
            "version=2 command=PROXY source=198.51.100.79:52110 destination=203.0.113.140:80 "
            "tlvs=authority,crc32c,aws_vpce_id\n"
            "\n"
            "BODY:\n"
            "-no body in request-\n");
}

TEST(EchoText, HasNoProxySectionWithoutAHeader) { EXPECT_EQ(echo_as_text(example()).find("PROXY"), std::string::npos); }

TEST(EchoText, LocalHeaderNamesNobody) {
  EchoRequest request = example();
  request.proxy.emplace();
  EXPECT_NE(echo_as_text(request).find("version=2 command=LOCAL source=- destination=- tlvs=-\n"), std::string::npos);
}

TEST(EchoText, TargetHostAndQueryAreTakenApart) {
  const struct {
    const char* description;
    const char* target;
    const char* host;
    const char* expected;
  } rows[] = {
      {"query", "/a?b=c?d", "h",
       "real path=/a?b=c?d\nquery=b=c?d\nrequest_version=1.1\nrequest_uri=http://h:8080/a?b=c?d\n"},
      {"empty query", "/a?", "h", "real path=/a?\nquery=\nrequest_version=1.1\nrequest_uri=http://h:8080/a?\n"},
      {"port in Host", "/", "h:30080", "real path=/\nquery=nil\nrequest_version=1.1\nrequest_uri=http://h:8080/\n"},
      {"IPv6 Host", "/", "[::1]:8080", "real path=/\nquery=nil\nrequest_version=1.1\nrequest_uri=http://[::1]:8080/\n"},
      {"absolute form", "http://h/x?y", "h",
       "real path=/x?y\nquery=y\nrequest_version=1.1\nrequest_uri=http://h:8080/x?y\n"},
      {"absolute form without a path", "http://h", "h",
       "real path=/\nquery=nil\nrequest_version=1.1\nrequest_uri=http://h:8080/\n"},
      {"asterisk form", "*", "h", "real path=*\nquery=nil\nrequest_version=1.1\nrequest_uri=http://h:8080*\n"},
      {"a URL in the query", "/r?u=http://x/", "h",
       "real path=/r?u=http://x/\nquery=u=http://x/\nrequest_version=1.1\nrequest_uri=http://h:8080/r?u=http://x/\n"},
  };
  for (const auto& row : rows) {
    EchoRequest request = example();
    request.target = row.target;
    request.headers[1].second = row.host;
    EXPECT_NE(echo_as_text(request).find(row.expected), std::string::npos) << row.description << '\n'
                                                                           << echo_as_text(request);
  }
}

TEST(EchoText, BodyIsShownUpToItsLimit) {
  EchoRequest request = example();
  request.body = "hello", request.body_size = 5;
  EXPECT_TRUE(echo_as_text(request).ends_with("\nBODY:\nhello\n"));
  request.body = std::string(EchoRequest::max_shown_body, 'x');
  request.body_size = EchoRequest::max_shown_body;
  EXPECT_TRUE(echo_as_text(request).ends_with("\nBODY:\n" + request.body + "\n"));
  request.body_size = 10'000'000'000;
  EXPECT_TRUE(echo_as_text(request).ends_with("\nBODY:\n-body of 10000000000 octets, not shown-\n"));
}

TEST(EchoJson, HasEverything) {
  EchoRequest request = example();
  request.method = "POST", request.target = "/a?b", request.http_minor = 0;
  request.headers.push_back({"x-forwarded-for", "192.0.2.1"});
  request.headers.push_back({"x-forwarded-for", "192.0.2.2"});
  request.proxy = proxy_header();
  request.body = "\xffz", request.body_size = 2;
  const auto value = boost::json::parse(echo_as_json(request));
  EXPECT_EQ(value, boost::json::parse(R"({
    "client_address": "10.244.3.8", "client_port": 40000, "method": "POST", "path": "/a", "query": "b", "version": "1.0",
    "headers": {"accept": ["*/*"], "host": ["10.0.170.92"], "x-forwarded-for": ["192.0.2.1", "192.0.2.2"]},
    "proxy_protocol": {"version": 2, "command": "PROXY", "source": "198.51.100.79:52110",
                       "destination": "203.0.113.140:80",
                       "tlvs": {"authority": "shop", "crc32c": "0102abff", "aws_vpce_id": "v"}},
    "body": "\ufffdz", "body_size": 2})"));
}

TEST(EchoJson, AbsentThingsAreNull) {
  EchoRequest request = example();
  request.peer.reset();
  request.proxy.emplace();
  request.body_size = EchoRequest::max_shown_body + 1;
  auto value = boost::json::parse(echo_as_json(request));
  EXPECT_EQ(value.at("client_address").as_string(), "unix");
  EXPECT_TRUE(value.at("query").is_null());
  EXPECT_TRUE(value.at("body").is_null());
  EXPECT_EQ(value.at("body_size").to_number<std::uint64_t>(), request.body_size);
  EXPECT_EQ(value.at("proxy_protocol").at("command").as_string(), "LOCAL");
  EXPECT_TRUE(value.at("proxy_protocol").at("source").is_null());
  request.proxy.reset();
  value = boost::json::parse(echo_as_json(request));
  EXPECT_TRUE(value.at("proxy_protocol").is_null());
}

TEST(EchoJson, IsForThoseWhoNameIt) {
  EXPECT_TRUE(accepts_json("application/json"));
  EXPECT_TRUE(accepts_json("text/html, Application/JSON;q=0.9"));
  EXPECT_FALSE(accepts_json("*/*"));
  EXPECT_FALSE(accepts_json(""));
}

}  // namespace
}  // namespace telltale::proxy
