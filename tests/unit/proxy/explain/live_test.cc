#include "proxy/explain/live.h"

#include "conf/loader.h"
#include "protocol/forwarding/asserted_client.h"
#include "protocol/forwarding/errors.h"
#include "protocol/proxy_protocol/serializer.h"
#include "tests/unit/protocol/forwarding/support.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

std::shared_ptr<const Snapshot> snapshot() {
  const auto loaded = conf::load_text(R"(
listeners:
  - { name: web, listen: "203.0.113.140:80", client_ip: { trusted: [10.0.0.0/8] }, service: app }
services:
  - { name: app, endpoints: [10.0.6.1:8080] }
)");
  EXPECT_NE(loaded.model, nullptr) << conf::render(loaded, "test");
  auto out = std::make_shared<Snapshot>();
  out->model = loaded.model;
  out->routes.push_back(std::make_unique<RouteTable>(loaded.model->listeners[0].routes));
  return out;
}

RecordedRequest record(const std::shared_ptr<const Snapshot>& of, std::uint64_t id, int second) {
  RecordedRequest out;
  out.snapshot = of;
  out.time = std::chrono::system_clock::time_point(std::chrono::seconds(second));
  out.id_high = 1;
  out.id_low = id;
  out.status = 200;
  static const forwarding::ObfuscationKey key;
  out.obfuscation_key = &key;
  out.take_peer(forwarding::test::tcp("10.0.0.7:5"));
  http1::RequestHead head;
  head.method_text = "GET";
  head.authority = "a.example";
  head.target = "/x?q";
  head.fields = forwarding::test::fields("X-Forwarded-For: 198.51.100.1\nAccept: */*");
  out.take_head(head, of->model->listeners[0].client_ip.header);
  return out;
}

TEST(ExplainRecorded, SaysTheSameAsWasDecided) {
  const auto of = snapshot();
  const Explanation e = explain_recorded(record(of, 2, 5));
  EXPECT_EQ(e.client, "198.51.100.1");
  EXPECT_EQ(e.provenance, "header");
  EXPECT_EQ(e.request, "GET /x");
  EXPECT_EQ(e.service, "app");
  EXPECT_EQ(e.status, 200u);
  EXPECT_EQ(e.request_id, "00000000000000010000000000000002");
  EXPECT_EQ(e.told_lines, (std::vector<std::string>{"GET /x HTTP/1.1", "Host: a.example",
                                                    "X-Forwarded-For: 198.51.100.1, 10.0.0.7", "Via: 1.1 telltale"}));
}

TEST(ExplainRecorded, WhatTheClientProvedByTlsIsSaid) {
  const auto of = snapshot();
  RecordedRequest recorded = record(of, 2, 5);
  EXPECT_FALSE(explain_recorded(recorded).tls);
  EXPECT_TRUE(boost::json::parse(render_json(explain_recorded(recorded))).at("tls").is_null());
  forwarding::TlsFacts plain{.sni = "a.example", .version = "TLSv1.3", .cipher = "TLS_X"};
  recorded.tls = std::make_shared<forwarding::TlsFacts>(plain);
  EXPECT_EQ(boost::json::parse(render_json(explain_recorded(recorded))).at("tls"),
            boost::json::parse(R"({"version":"TLSv1.3","cipher":"TLS_X","sni":"a.example","alpn":null,"resumed":false,
                                   "client_verified":false})"));
  const forwarding::ClientCertificate certificate{.subject = "CN=\x1bshop", .fingerprint = "ab", .sans = {"DNS:a"}};
  plain.client_cert = &certificate;
  plain.resumed = true;
  recorded.tls = std::make_shared<forwarding::TlsFacts>(plain);
  const Explanation e = explain_recorded(recorded);
  EXPECT_EQ(boost::json::parse(render_json(e)).at("tls").at("client_sans"), boost::json::parse(R"(["DNS:a"])"));
  EXPECT_NE(render_text(e).find("TLS: TLSv1.3 TLS_X, sni a.example, resumed\n"
                                "client certificate: CN=\\u001bshop, DNS:a\n"
                                "      SHA-256 ab\n"),
            std::string::npos)
      << render_text(e);
}

TEST(ExplainRecorded, AClientThatWasAssertedIsTheClient) {
  const auto of = snapshot();
  RecordedRequest asserted = record(of, 2, 5);
  asserted.asserted = net::IpPort{net::IpAddress::v4(192, 0, 2, 77), 9};
  const Explanation e = explain_recorded(asserted);
  EXPECT_EQ(e.client, "192.0.2.77");
  EXPECT_EQ(e.provenance, "assertion");
  ASSERT_EQ(e.hops.size(), 2u);
  EXPECT_EQ(e.hops[0].verdict, "it brought a signed assertion");
  EXPECT_EQ(e.hops[1].said_by, "X-Telltale-Client");
}

TEST(ExplainRecorded, AnAssertionThatWasDroppedIsRefusedAsItWasThen) {
  const auto loaded = conf::load_text(R"(
listeners:
  - { listen: "203.0.113.140:80", client_ip: { assertion: { key_file: /run/edge.keys } }, service: app }
services:
  - { name: app, endpoints: [10.0.6.1:8080] }
)");
  ASSERT_NE(loaded.model, nullptr) << conf::render(loaded, "test");
  auto of = std::make_shared<Snapshot>();
  of->model = loaded.model;
  of->routes.push_back(std::make_unique<RouteTable>(loaded.model->listeners[0].routes));
  RecordedRequest dropped = record(of, 2, 5);
  http1::RequestHead head;
  head.method_text = "GET";
  head.authority = "a.example";
  head.target = "/";
  head.fields = forwarding::test::fields("X-Telltale-Client: v1;kid=a;t=1;c=192.0.2.1:1;a=a.example;s=secret");
  dropped.take_head(head, loaded.model->listeners[0].client_ip.header);
  dropped.assertion_refusals = {forwarding::RejectReason::assertion_expired};
  const Explanation e = explain_recorded(dropped);
  EXPECT_EQ(e.client, "10.0.0.7");
  EXPECT_EQ(e.provenance, "socket");
  ASSERT_EQ(e.refused.size(), 1u);
  EXPECT_EQ(e.refused[0].name + ": " + e.refused[0].value, "X-Telltale-Client: (not kept)");
  EXPECT_NE(e.refused[0].why.find("max_age (30s)"), std::string::npos) << e.refused[0].why;
  ASSERT_EQ(e.removed.size(), 1u);
  EXPECT_NE(e.removed[0].why.find("goes no further"), std::string::npos) << e.removed[0].why;
}

TEST(ExplainRecorded, AssertionsInTlvsAreSaidToBeThereAndNeverShown) {
  using enum forwarding::RejectReason;
  const auto loaded = conf::load_text(R"(
listeners:
  - listen: "203.0.113.140:80"
    client_ip:
      proxy_protocol: [{ from: [10.0.0.7], policy: require }]
      assertion: { key_file: /run/edge.keys, tlv: 0xE4 }
    service: app
services:
  - { name: app, endpoints: [10.0.6.1:8080], propagate: { proxy_protocol: v2, pass_tlvs: [0xE4] } }
)");
  ASSERT_NE(loaded.model, nullptr) << conf::render(loaded, "test");
  auto of = std::make_shared<Snapshot>();
  of->model = loaded.model;
  of->routes.push_back(std::make_unique<RouteTable>(loaded.model->listeners[0].routes));
  const struct {
    const char* description;
    const char* fields;
    std::vector<forwarding::RejectReason> refusals;
    bool is_valid;
    std::vector<std::string> refused;
    const char* said_by;
  } rows[] = {
      {"valid", "", {}, true, {}, "PROXY TLV 0xE4"},
      {"expired", "", {assertion_expired}, false, {"PROXY TLV 0xE4"}, "PROXY header"},
      {"valid, beside one in the head that is not",
       "X-Telltale-Client: x",
       {assertion_malformed},
       true,
       {"X-Telltale-Client"},
       "PROXY TLV 0xE4"},
      {"neither is",
       "X-Telltale-Client: x",
       {assertion_malformed, assertion_expired},
       false,
       {"X-Telltale-Client", "PROXY TLV 0xE4"},
       "PROXY header"},
      {"that in the head is", "X-Telltale-Client: x", {}, true, {}, "X-Telltale-Client"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.description);
    RecordedRequest recorded = record(of, 2, 5);
    forwarding::PeerInfo peer = forwarding::test::proxied("10.0.0.7:5", "192.0.2.77:9", "203.0.113.140:80");
    ASSERT_TRUE(proxy_protocol::append_tlv(peer.tlvs, proxy_protocol::TlvType{0xe4}, "v1;secret"));
    forwarding::date_assertion(peer, 0xe4, 5);
    recorded.take_peer(peer);
    http1::RequestHead head;
    head.method_text = "GET";
    head.authority = "a.example";
    head.target = "/";
    head.fields = forwarding::test::fields(row.fields);
    recorded.take_head(head, loaded.model->listeners[0].client_ip.header);
    recorded.assertion_refusals = row.refusals;
    if (row.is_valid) recorded.asserted = net::IpPort{net::IpAddress::v4(192, 0, 2, 77), 9};
    const Explanation e = explain_recorded(recorded);
    EXPECT_EQ(e.client, "192.0.2.77");
    EXPECT_EQ(e.provenance, row.is_valid ? "assertion" : "proxy_protocol");
    ASSERT_FALSE(e.hops.empty());
    EXPECT_EQ(e.hops.back().said_by, row.said_by);
    std::vector<std::string> refused;
    for (const auto& each : e.refused) refused.push_back(each.name);
    EXPECT_EQ(refused, row.refused);
    EXPECT_EQ(render_json(e).find("secret"), std::string::npos) << render_json(e);
    ASSERT_TRUE(e.told_proxy_header);
    EXPECT_EQ(e.told_proxy_header->tlvs, (std::vector<std::pair<std::string, std::string>>{{"0xE4", "*********"}}));
  }
}

TEST(ExplainRecorded, RefusedHeadsAndClosedConnections) {
  const auto of = snapshot();
  RecordedRequest refused = record(of, 2, 5);
  refused.kind = RecordedRequest::Kind::refused_head;
  refused.status = 431;
  refused.failure = {http1::Error::head_too_large, Side::downstream, Phase::request_head};
  const Explanation answered = explain_recorded(refused);
  EXPECT_EQ(answered.outcome, Explanation::Outcome::answered);
  EXPECT_TRUE(answered.why.starts_with("431 ")) << answered.why;
  EXPECT_TRUE(answered.told_lines.empty());

  RecordedRequest closed = record(of, 0, 5);
  closed.kind = RecordedRequest::Kind::closed;
  closed.cause = ProxyFailure::not_listed;
  const Explanation e = explain_recorded(closed);
  EXPECT_EQ(e.outcome, Explanation::Outcome::closed);
  EXPECT_EQ(e.cause, "not_listed");
  EXPECT_NE(e.why.find("10.0.0.7"), e.why.npos) << e.why;
  EXPECT_EQ(e.request_id, "");
}

TEST(ExplainRecorded, FailuresAndWhatWasCutAreNoted) {
  const auto of = snapshot();
  RecordedRequest failed = record(of, 2, 5);
  failed.is_cut = true;
  failed.failure = {make_error_code(boost::system::errc::connection_refused), Side::upstream, Phase::connect};
  std::string notes;
  for (const auto& note : explain_recorded(failed).notes) notes += note + "\n";
  EXPECT_NE(notes.find("side upstream in the phase connect"), notes.npos) << notes;
  EXPECT_NE(notes.find("too long"), notes.npos) << notes;
}

TEST(ExplainRecorded, ARequestThatWasRefusedForWhatIsNotKeptIsNotSaidToBeForwarded) {
  const auto of = snapshot();
  RecordedRequest refused = record(of, 2, 5);
  refused.is_cut = true;
  refused.status = 400;
  refused.failure = {forwarding::make_error_code(forwarding::Error::list_too_long), Side::downstream,
                     Phase::request_head};
  const Explanation e = explain_recorded(refused);
  EXPECT_EQ(e.outcome, Explanation::Outcome::answered);
  EXPECT_EQ(e.why, "400 Bad Request: the forwarding header of a trusted hop has too many entries");
  EXPECT_EQ(e.service, "");
  EXPECT_TRUE(e.told_lines.empty());
}

TEST(ExplainRecorded, PageHasTheNewestOfAllWorkersFirst) {
  const auto of = snapshot();
  const std::vector<RecordedRequest> all = {record(of, 2, 20), record(of, 1, 10), record(of, 4, 40), record(of, 3, 30)};
  const auto page = boost::json::parse(render_recorded(all, {.last = 3})).as_array();
  ASSERT_EQ(page.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(page[i].at("request_id").as_string(), format_request_id(1, 4 - i));
  }
  const auto one = boost::json::parse(render_recorded({all[0]}, {.id = ExplainQuery::Id{1, 2}})).as_object();
  EXPECT_EQ(one.at("status").as_int64(), 200);
  EXPECT_EQ(render_recorded({}, {.id = ExplainQuery::Id{1, 2}}), "");
  EXPECT_EQ(render_recorded({}, {}), "[]\n");
  const std::string text = render_recorded(all, {.last = 2, .as_text = true});
  EXPECT_NE(text.find("\n----\n"), text.npos);
}

TEST(ExplainRecorded, NothingAsTextIsSaidSo) { EXPECT_EQ(render_recorded({}, {.as_text = true}), "no request yet\n"); }

}  // namespace
}  // namespace telltale::proxy
