#include "proxy/observe/access_log.h"

#include "protocol/proxy_protocol/serializer.h"
#include "proxy/observe/access_log_format.h"
#include "tests/unit/proxy/observe/temporary_directory.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

/// A request that went well, with everything told.
struct Example {
  forwarding::ClientAddress client;
  forwarding::PeerInfo peer;
  AccessRecord record;

  Example() {
    client.address = net::IpAddress::v4(198, 51, 100, 79);
    client.port = 52110;
    client.provenance = forwarding::Provenance::proxy_protocol;
    peer.socket_peer = net::IpPort{*net::IpAddress::parse("2001:db8::7"), 4711};
    record.time = std::chrono::system_clock::time_point(1767225599007ms);
    record.request_id_high = 0x0123456789abcdef, record.request_id_low = 0xfedcba9876543210;
    record.client = &client, record.peer = &peer;
    record.listener = "web", record.route = "shop.example.com /", record.service = "shop";
    record.node = "node-a", record.endpoint = "10.0.0.11:30080";
    record.method = "GET", record.host = "shop.example.com", record.target = "/a?b=c", record.protocol = "HTTP/1.1";
    record.user_agent = "curl/8", record.status = 200;
    record.bytes_received = 5, record.bytes_sent = 18446744073709551615u;
    record.duration = 12'345'678ns, record.connect_duration = 1us, record.response_duration = 11ms;
    record.tries = 1;
  }
};

std::string json_line(const AccessRecord& record) {
  LineBuilder out;
  Timestamp timestamp;
  append_json_line(out, record, timestamp);
  return std::string(out.view());
}
std::string text_line(std::string_view text, const AccessRecord& record) {
  LineBuilder out;
  Timestamp timestamp;
  AccessTemplate(text).append_line(out, record, timestamp);
  return std::string(out.view());
}

TEST(AccessLogJson, TellsEverythingInOrder) {
  EXPECT_EQ(
      json_line(Example().record),
      R"({"time":"2025-12-31T23:59:59.007Z","request_id":"0123456789abcdeffedcba9876543210",)"
      R"("client":"198.51.100.79","client_port":52110,"provenance":")" +
          std::string(to_string(forwarding::Provenance::proxy_protocol)) +
          R"(","peer":"[2001:db8::7]:4711","listener":"web","route":"shop.example.com /","service":"shop",)"
          R"("node":"node-a","endpoint":"10.0.0.11:30080","method":"GET","host":"shop.example.com",)"
          R"("target":"/a?b=c","protocol":"HTTP/1.1","status":200,"bytes_received":5,)"
          R"("bytes_sent":18446744073709551615,"duration_ms":12.345,"connect_ms":0.001,"response_ms":11.000,)"
          R"("tries":1,"reused":false,"user_agent":"curl/8","failure_side":null,"failure_phase":null,"failure":null,)"
          R"("client_refused":null,"reason":null,"ended_by":null})"
          "\n");
}

TEST(AccessLogJson, TellsWhyAHeaderOrAnAssertionWasRefused) {
  using enum forwarding::RejectReason;
  const struct {
    const char* description;
    std::vector<forwarding::Rejected> rejected;
    json::value told;
  } rows[] = {
      {"nothing", {}, nullptr},
      {"leftovers are no news", {{"6.6.6.6", beyond_client}}, nullptr},
      {"a header", {{"6.6.6.6", peer_not_trusted}}, "peer_not_trusted: 6.6.6.6"},
      {"a header too long", {{"", list_too_long}}, "list_too_long"},
      {"an assertion, of which nothing is told", {{"v1;kid=a;t=1", assertion_expired}}, "assertion_expired"},
      {"both: what a peer wrote is last, so it cannot pass for the other",
       {{"x; assertion_expired", not_an_address}, {"v1", assertion_malformed}},
       "assertion_malformed; not_an_address: x; assertion_expired"},
  };
  for (const auto& row : rows) {
    Example example;
    example.client.rejected = row.rejected;
    EXPECT_EQ(json::parse(json_line(example.record)).at("client_refused"), row.told) << row.description;
  }
}

constexpr std::size_t fields_of_every_record = 30;

TEST(AccessLogJson, WhatTheClientAgreedOnIsAnObject) {
  const forwarding::TlsFacts tls{.sni = "a.example", .version = "TLSv1.3", .cipher = "TLS_X", .alpn = ""};
  Example example;
  EXPECT_FALSE(json::parse(json_line(example.record)).as_object().contains("tls"));
  example.record.tls = &tls;
  const auto value = json::parse(json_line(example.record));
  EXPECT_EQ(value.at("tls"), json::parse(R"({"version":"TLSv1.3","cipher":"TLS_X","sni":"a.example","alpn":null,
                                              "client_verified":false})"));
  EXPECT_EQ(value.as_object().size(), fields_of_every_record + 1);
  EXPECT_EQ(text_line("${tls.version} ${tls.sni} ${tls.alpn}", example.record), "TLSv1.3 a.example -\n");
  EXPECT_EQ(text_line("${tls.version} ${tls.client_verified}", {}), "- -\n");
  EXPECT_EQ(text_line("${tls.client_verified} ${tls.client_subject} ${tls.client_sans}", example.record),
            "false - -\n");
}

TEST(AccessLogJson, TheCertificateOfTheClientIsInIt) {
  const forwarding::ClientCertificate certificate{
      .subject = R"(CN=a\"b\,c)", .fingerprint = "ab", .sans = {"DNS:a", "URI:b,c"}};
  const forwarding::TlsFacts tls{.version = "TLSv1.3", .client_cert = &certificate};
  Example example;
  example.record.tls = &tls;
  EXPECT_EQ(json::parse(json_line(example.record)).at("tls"),
            json::parse(R"({"version":"TLSv1.3","cipher":null,"sni":null,"alpn":null,"client_verified":true,
                            "client_subject":"CN=a\\\"b\\,c","client_sans":["DNS:a","URI:b,c"],
                            "client_fingerprint":"ab"})"));
  EXPECT_EQ(text_line("${tls.client_verified} \"${tls.client_subject}\" ${tls.client_sans} ${tls.client_fingerprint}",
                      example.record),
            "true \"CN=a\\x5c\\x22b\\x5c,c\" DNS:a, URI:b,c ab\n");
  const forwarding::ClientCertificate bare{.fingerprint = "ab"};
  const forwarding::TlsFacts of_bare{.client_cert = &bare};
  example.record.tls = &of_bare;
  const auto value = json::parse(json_line(example.record)).at("tls");
  EXPECT_TRUE(value.at("client_subject").is_null());
  EXPECT_EQ(value.at("client_sans"), json::parse("[]"));
  EXPECT_EQ(text_line("${tls.client_sans}", example.record), "-\n");
}

TEST(AccessLogJson, NothingKnownIsNull) {
  const auto value = json::parse(json_line({}));
  for (const char* name : {"request_id", "client", "client_port", "provenance", "peer", "service", "target",
                           "connect_ms", "response_ms", "failure_side"}) {
    EXPECT_TRUE(value.at(name).is_null()) << name;
  }
  EXPECT_EQ(value.at("status").to_number<int>(), 0);
  EXPECT_EQ(value.at("time").as_string(), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(value.as_object().size(), fields_of_every_record);
}

TEST(AccessLogJson, UnixSocketPeerIsSaid) {
  Example example;
  example.client.address.reset();
  example.client.port = 0;
  example.peer.socket_peer.reset();
  const auto value = json::parse(json_line(example.record));
  EXPECT_EQ(value.at("client").as_string(), "unix");
  EXPECT_TRUE(value.at("client_port").is_null());
  EXPECT_EQ(value.at("peer").as_string(), "unix");
}

TEST(AccessLogJson, FailureHasSidePhaseAndReason) {
  Example example;
  example.record.failure = {make_error_code(boost::system::errc::connection_refused), Side::upstream, Phase::connect};
  auto value = json::parse(json_line(example.record));
  EXPECT_EQ(value.at("failure_side").as_string(), "upstream");
  EXPECT_EQ(value.at("failure_phase").as_string(), "connect");
  EXPECT_EQ(value.at("failure").as_string(), "Connection refused");
  EXPECT_EQ(value.at("reason").as_string(), "connect_refused");
  example.record.failure_detail = "10.0.0.11:30080: refused";
  value = json::parse(json_line(example.record));
  EXPECT_EQ(value.at("failure").as_string(), "10.0.0.11:30080: refused");
}

/// Everything that a peer chooses, and the line break, quote and escape with which it would forge a line or a field.
TEST(AccessLog, HostileValuesForgeNeitherLineNorField) {
  const std::string hostile = "x\",\"status\":200}\r\n{\"forged\":\"\x1b[31m\\\xff\xc2\x85\xe2\x80\xa8\" 200 ";
  std::string_view AccessRecord::* const fields[] = {
      &AccessRecord::method,         &AccessRecord::host,     &AccessRecord::target,  &AccessRecord::user_agent,
      &AccessRecord::failure_detail, &AccessRecord::protocol, &AccessRecord::endpoint};
  for (const auto field : fields) {
    Example example;
    example.record.*field = hostile;
    example.record.failure = {{}, Side::downstream, Phase::request_head};
    const std::string line = json_line(example.record);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    for (const char c : line.substr(0, line.size() - 1)) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
    const auto value = json::parse(line);
    EXPECT_EQ(value.as_object().size(), fields_of_every_record);
    EXPECT_FALSE(value.as_object().contains("forged"));

    const std::string text = text_line(
        "${method} \"${host}\" \"${target}\" \"${user_agent}\" \"${failure}\" "
        "\"${protocol}\" \"${endpoint}\"",
        example.record);
    EXPECT_EQ(text.find('\n'), text.size() - 1);
    EXPECT_EQ(std::count(text.begin(), text.end(), '"'), 12) << text;
    for (const char c : text.substr(0, text.size() - 1)) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
  }
}

std::string tlv(int type, std::string_view value) {
  std::string out;
  EXPECT_TRUE(proxy_protocol::append_tlv(out, proxy_protocol::TlvType{static_cast<std::uint8_t>(type)}, value));
  return out;
}

TEST(AccessLogJson, HasTheNamedTlvsThatCame) {
  const struct {
    const char* description;
    std::string tlvs;
    const char* json;  ///< empty: no field
  } rows[] = {
      {"none", "", ""},
      {"padding and a checksum say nothing of the client", tlv(4, "\1\2") + tlv(3, "abcd"), ""},
      {"one without a name", tlv(0xe3, "x"), ""},
      {"one", tlv(4, "") + tlv(2, "shop.example.com"), R"({"authority":"shop.example.com"})"},
      {"several, in the registry's order",
       tlv(0xea, "\1vpce-1") + tlv(0x20, std::string("\1\0\0\0\0", 5) + tlv(0x22, "c\"n")) + tlv(1, ""),
       R"({"alpn":"","ssl_client":"1","ssl_verify":"0","ssl_cn":"c\"n","aws_vpce_id":"vpce-1"})"},
      {"one that would forge a line", tlv(2, "\"}\r\n{\"\x1b[31m\xff"), R"({"authority":"\"}%0D%0A{\"%1B[31m%FF"})"},
  };
  for (const auto& row : rows) {
    Example example;
    example.peer.tlvs = row.tlvs;
    const std::string line = json_line(example.record);
    const auto value = json::parse(line);
    const auto* tlvs = value.as_object().if_contains("tlvs");
    EXPECT_EQ(tlvs != nullptr ? json::serialize(*tlvs) : "", row.json) << row.description;
    EXPECT_EQ(line.find('\n'), line.size() - 1) << row.description;
  }
}

TEST(AccessLogText, HasAnyTlvByName) {
  Example example;
  example.peer.tlvs = tlv(2, "a\"b\n") + tlv(0xe3, "x y") + tlv(4, std::string(2, '\0'));
  EXPECT_EQ(text_line("${tlv.authority} ${tlv.0xE3} ${tlv.noop} ${tlv.ssl_cn}", example.record),
            "a\\x22b%0A x y 0000 -\n");
  EXPECT_EQ(text_line("${tlv.authority}", {}), "-\n");
}

TEST(AccessLogText, FillsTheTemplate) {
  const Example example;
  AccessRecord nothing;
  const struct {
    const char* description;
    const char* text;
    const AccessRecord& record;
    const char* line;
  } rows[] = {
      {"variables among text", "${client}:${client_port} [${time}] \"${method} ${target}\" ${status}", example.record,
       "198.51.100.79:52110 [2025-12-31T23:59:59.007Z] \"GET /a?b=c\" 200\n"},
      {"numbers", "${bytes_sent} ${duration_ms} ${tries} ${reused}", example.record,
       "18446744073709551615 12.345 1 false\n"},
      {"nothing known is a dash", "${client} ${service} ${failure} ${connect_ms}", nothing, "- - - -\n"},
      {"a doubled dollar is one", "$${client}$$", example.record, "${client}$\n"},
      {"a dollar alone stays", "5$ $x", example.record, "5$ $x\n"},
      {"a dollar at the end", "a$", example.record, "a$\n"},
      {"adjacent variables", "${method}${status}", example.record, "GET200\n"},
      {"no variable", "hello", example.record, "hello\n"},
      {"an empty template", "", example.record, "\n"},
      {"the line feed of a YAML block", "${status}\n", example.record, "200\n"},
  };
  for (const auto& row : rows) EXPECT_EQ(text_line(row.text, row.record), row.line) << row.description;
}

TEST(AccessLogText, EveryVariableIsKnown) {
  for (const std::string_view name : access_log_variables()) {
    EXPECT_EQ(check_access_log_template("${" + std::string(name) + "}"), "") << name;
  }
  EXPECT_EQ(access_log_variables().size(), fields_of_every_record + 8);
}

TEST(AccessLogText, RefusesWhatItDoesNotKnow) {
  for (const char* text : {"${cleint}", "${}", "${client", "${tlv}", "${tlv.}", "${tlv.ssl}", "${TLV.alpn}",
                           "${client }", "a ${b} c", "${"}) {
    EXPECT_NE(check_access_log_template(text), "") << text;
    EXPECT_THROW(make_access_log({conf::AccessLogFormat::text, "/dev/null", text}), std::invalid_argument) << text;
  }
  EXPECT_NE(check_access_log_template("${cleint}").find("cleint"), std::string::npos);
}

TEST(AccessLog, OffIsNoLog) { EXPECT_EQ(make_access_log({conf::AccessLogFormat::off, "", ""}), nullptr); }

TEST(AccessLog, FileThatCannotBeOpenedThrows) {
  const test::TemporaryDirectory directory;
  EXPECT_THROW(make_access_log({conf::AccessLogFormat::json, directory / "no/such", ""}), std::system_error);
}

TEST(AccessLog, LeavesOutQueriesWhenAsked) {
  const test::TemporaryDirectory directory;
  const std::string path = directory / "access";
  for (const bool queries : {true, false}) {
    const auto log = make_access_log({conf::AccessLogFormat::text, path, "${target}", queries});
    Example example;
    for (const char* target : {"/a?b=c?d", "/a?", "/a", "*"}) {
      example.record.target = target;
      log->write(example.record);
    }
  }
  EXPECT_EQ(test::read_file(path), "/a?b=c?d\n/a?\n/a\n*\n/a\n/a\n/a\n*\n");
}

TEST(AccessLog, WritesOnFlushAndFollowsRotation) {
  const test::TemporaryDirectory directory;
  const std::string path = directory / "access";
  const auto log = make_access_log({conf::AccessLogFormat::text, path, "${status}"});
  Example example;
  EXPECT_FALSE(log->pending());
  log->write(example.record);
  EXPECT_TRUE(log->pending());
  EXPECT_EQ(test::read_file(path), "");
  log->flush();
  EXPECT_FALSE(log->pending());
  EXPECT_EQ(test::read_file(path), "200\n");
  std::filesystem::rename(path, path + ".1");
  example.record.status = 404;
  log->write(example.record);
  log->reopen();
  example.record.status = 503;
  log->write(example.record);
  log->flush();
  EXPECT_EQ(test::read_file(path + ".1"), "200\n404\n");
  EXPECT_EQ(test::read_file(path), "503\n");
  EXPECT_EQ(log->dropped(), 0u);
}

TEST(Timestamp, FollowsTheClockInBothDirections) {
  Timestamp timestamp;
  const struct {
    const char* description;
    std::chrono::milliseconds since_epoch;
    const char* text;
  } rows[] = {
      {"a leap day", 1709164800000ms, "2024-02-29T00:00:00.000Z"},
      {"the same second", 1709164800999ms, "2024-02-29T00:00:00.999Z"},
      {"the next second", 1709164801000ms, "2024-02-29T00:00:01.000Z"},
      {"set back", 1709164799001ms, "2024-02-28T23:59:59.001Z"},
      {"before the epoch", -1ms, "1969-12-31T23:59:59.999Z"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(timestamp.format(std::chrono::system_clock::time_point(row.since_epoch)), row.text) << row.description;
  }
}

}  // namespace
}  // namespace telltale::proxy
