#include "proxy/health/probes/grpc.h"

#include "proxy/health/grpc_client.h"
#include "tests/unit/proxy/health/checked.h"
#include "tests/unit/proxy/health/grpc_node.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

using namespace test;
using namespace std::string_literals;

H2Server::Script always_grpc(H2Answer answer) {
  return [answer = std::move(answer)](const H2Request&) { return answer; };
}
const std::string serving = "\x08\x01", not_serving = "\x08\x02";

TEST(GrpcProbe, JudgesAnswers) {
  using enum ProbeOutcome;
  const auto answered = [](std::string octets) {
    return GrpcAnswer{.http_status = 200, .content_type = "application/grpc", .grpc_status = 0, .octets = octets};
  };
  const auto refused = [](unsigned status, std::string message = "") {
    return GrpcAnswer{
        .http_status = 200, .content_type = "application/grpc", .grpc_status = status, .grpc_message = message};
  };
  const auto frame = [](std::string_view message) {
    return "\0\0\0\0"s + static_cast<char>(message.size()) + std::string(message);
  };
  GrpcAnswer with_subtype = answered(frame(serving)), html = answered("<html>"), unfinished = answered(frame(serving)),
             long_one = answered(frame(serving)), reset = refused(0);
  with_subtype.content_type = "application/grpc+proto";
  html.content_type = "text/html";
  unfinished.grpc_status.reset();
  long_one.too_long = true;
  reset.h2_error = 0xb;
  struct Case {
    const char* description;
    GrpcAnswer answer;
    ProbeOutcome outcome;
    std::string reason;
  };
  const Case cases[] = {
      {"SERVING", answered(frame(serving)), healthy, "answered SERVING"},
      {"application/grpc+proto", with_subtype, healthy, "answered SERVING"},
      {"NOT_SERVING is explicit", answered(frame(not_serving)), draining, "answered NOT_SERVING"},
      {"SERVICE_UNKNOWN", answered(frame("\x08\x03")), unhealthy, "answered SERVICE_UNKNOWN"},
      {"UNKNOWN", answered(frame("")), unhealthy, "answered UNKNOWN"},
      {"no such status", answered(frame("\x08\x09")), unhealthy, "answered with no HealthCheckResponse"},
      {"no message", answered(""), unhealthy, "answered with no HealthCheckResponse"},
      {"too long", long_one, unhealthy, "answered with no HealthCheckResponse"},
      {"UNIMPLEMENTED", refused(12, "unknown service grpc.health.v1.Health"), unhealthy,
       "answered UNIMPLEMENTED: there is no grpc.health.v1.Health service"},
      {"NOT_FOUND", refused(5), unhealthy,
       "answered NOT_FOUND: the health service does not know the service asked for"},
      {"UNAVAILABLE", refused(14, "upstream connect error"), unhealthy, "answered UNAVAILABLE: upstream connect error"},
      {"UNAUTHENTICATED", refused(16), unhealthy, "answered UNAUTHENTICATED"},
      {"a status that has no name", refused(99), unhealthy, "answered grpc-status 99"},
      {"words that are no line", refused(13, "a\r\nb\x1b[2J" + std::string(500, 'x')), unhealthy,
       "answered INTERNAL: a??b?[2J" + std::string(112, 'x')},
      {"no grpc-status", unfinished, unhealthy, "answered 200 without a grpc-status"},
      {"a web page", html, unhealthy, "answered 200, but not as application/grpc"},
      {"404", {.http_status = 404}, unhealthy, "answered 404, which is not gRPC"},
      {"503", {.http_status = 503}, draining, "answered 503"},
      {"reset", reset, unhealthy, "reset the stream: ENHANCE_YOUR_CALM"},
      {"reset before an answer", {.h2_error = 2}, unhealthy, "reset the stream: INTERNAL_ERROR"},
  };
  for (const Case& c : cases) {
    const ProbeResult result = judge_grpc(c.answer);
    EXPECT_EQ(result.outcome, c.outcome) << c.description;
    EXPECT_EQ(result.reason, c.reason) << c.description;
    EXPECT_FALSE(result.answered) << "there is no weight in it";
  }
}

TEST(GrpcProbe, AsksForTheServiceOverOneConnection) {
  boost::asio::io_context io;
  GrpcNode node(io, always_grpc(grpc_answer(serving)));
  conf::Health health = quick(conf::ProbeKind::grpc);
  health.grpc_service = "shop.v1.Cart";
  Checked checked(io, node.address(), health);
  ASSERT_TRUE(checked.until_probes(4));
  EXPECT_EQ(count(checked.results, ProbeOutcome::healthy), checked.results.size());
  EXPECT_EQ(checked.verdict().reason(), "answered SERVING");
  EXPECT_EQ(node.connections(), 1u);
  EXPECT_EQ(node.last_request().fields.at(":path"), "/grpc.health.v1.Health/Check");
  EXPECT_EQ(node.last_request().fields.at(":authority"), node.address().to_string());
  EXPECT_EQ(node.last_request().fields.at("grpc-timeout"), "5000m");
  EXPECT_EQ(node.last_request().body, "\0\0\0\0\x0e\x0a\x0cshop.v1.Cart"s);

  node.set_script(always_grpc(grpc_answer(not_serving)));
  ASSERT_TRUE(checked.until_state(HealthState::draining));
  node.set_script(always_grpc(grpc_refusal("12")));
  ASSERT_TRUE(checked.until_state(HealthState::unhealthy));
  node.set_script(always_grpc(grpc_answer(serving)));
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
  EXPECT_EQ(node.connections(), 1u) << "whatever was answered";
}

TEST(GrpcProbe, ReplacesAStaleConnectionSilently) {
  H2Answer refusal, last = grpc_answer(serving), reset;
  refusal.refuse = true;
  last.go_away = true;
  reset.reset = NGHTTP2_REFUSED_STREAM;
  const auto once = [](const H2Answer& answer) {
    return [answer, first = true](const H2Request&) mutable {
      return std::exchange(first, false) ? answer : grpc_answer(serving);
    };
  };
  struct Case {
    const char* description;
    std::function<void(GrpcNode&)> spoil;
  };
  const Case cases[] = {
      {"closed between probes", [](GrpcNode& node) { node.drop_connections(); }},
      {"going away between probes", [](GrpcNode& node) { node.go_away(); }},
      {"going away without having looked at the call", [&](GrpcNode& node) { node.set_script(once(refusal)); }},
      {"going away after the answer", [&](GrpcNode& node) { node.set_script(once(last)); }},
      {"closed at the next call",
       [](GrpcNode& node) {
         node.set_script([&node, first = true](const H2Request&) mutable {
           if (!std::exchange(first, false)) return grpc_answer(serving);
           node.drop_connections();
           return H2Answer();
         });
       }},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.description);
    boost::asio::io_context io;
    GrpcNode node(io, always_grpc(grpc_answer(serving)));
    conf::Health health = quick(conf::ProbeKind::grpc);
    health.fall = 1;
    Checked checked(io, node.address(), health);
    ASSERT_TRUE(checked.until_probes(2));
    ASSERT_EQ(node.connections(), 1u);
    c.spoil(node);
    ASSERT_TRUE(checked.until([&] { return node.connections() == 2; }));
    ASSERT_TRUE(checked.until_probes(checked.results.size() + 2));
    EXPECT_EQ(checked.changes, std::vector<std::string>{"unknown > healthy"}) << checked.verdict().reason();
    EXPECT_EQ(count(checked.results, ProbeOutcome::healthy), checked.results.size());
    EXPECT_EQ(node.connections(), 2u);
  }
}

TEST(GrpcProbe, RepeatsARefusedCallOnceOnly) {
  boost::asio::io_context io;
  GrpcNode node(io, always_grpc(grpc_answer(serving)));
  conf::Health health = quick(conf::ProbeKind::grpc);
  health.fall = 1;
  Checked checked(io, node.address(), health);
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
  H2Answer reset;
  reset.reset = NGHTTP2_REFUSED_STREAM;
  node.set_script(always_grpc(reset));
  ASSERT_TRUE(checked.until_state(HealthState::unhealthy));
  EXPECT_EQ(checked.verdict().reason(), "reset the stream: REFUSED_STREAM");
  EXPECT_EQ(node.connections(), 2u);
}

TEST(GrpcProbe, AnswersAPingAtTheNextProbe) {
  boost::asio::io_context io;
  GrpcNode node(io, always_grpc(grpc_answer(serving)));
  Checked checked(io, node.address(), quick(conf::ProbeKind::grpc));
  ASSERT_TRUE(checked.until_probes(2));
  node.ping();
  EXPECT_TRUE(checked.until([&] { return node.pongs() == 1; }));
  EXPECT_EQ(node.connections(), 1u);
}

TEST(GrpcProbe, SpeaksForItselfInAProxyHeaderIfAsked) {
  const std::string v2 = "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x20\x00\x00\x00"s;
  boost::asio::io_context io;
  GrpcNode node(io, always_grpc(grpc_answer(serving)), v2.size());
  conf::Health health = quick(conf::ProbeKind::grpc);
  health.send_proxy = conf::ProxyOnProbe::v2;
  Checked checked(io, node.address(), health);
  ASSERT_TRUE(checked.until_probes(3));
  EXPECT_EQ(checked.state(), HealthState::healthy);
  EXPECT_EQ(node.preamble(), v2);
  EXPECT_EQ(node.connections(), 1u);
}

TEST(GrpcProbe, NamesWhatIsWrongWithThePeer) {
  const auto first_reason = [](FakeNode& node, boost::asio::io_context& io, auto spoil) {
    conf::Health health = quick(conf::ProbeKind::grpc);
    health.timeout = 100ms;
    Checked checked(io, node.address(), health);
    EXPECT_TRUE(checked.until([&] { return node.connections() > 0 && !node.received(0).empty(); }));
    spoil();
    EXPECT_TRUE(checked.until_probes(1));
    EXPECT_EQ(checked.state(), HealthState::unhealthy);
    return checked.results.at(0).reason;
  };
  boost::asio::io_context io;
  FakeNode http(io, always("")), silent(io, always("")), closing(io, always(""));
  EXPECT_EQ(first_reason(http, io, [&] { http.blurt("HTTP/1.1 400 Bad Request\r\n\r\n"); }), "not an answer in HTTP/2");
  EXPECT_EQ(first_reason(silent, io, [] {}), "timed out waiting for the answer");
  EXPECT_EQ(first_reason(closing, io, [&] { closing.drop_connections(); }), "closed without an answer");
}

TEST(GrpcProbe, TimesOutWhenACallIsNotAnswered) {
  boost::asio::io_context io;
  GrpcNode node(io, always_grpc(grpc_answer(serving)));
  conf::Health health = quick(conf::ProbeKind::grpc);
  health.timeout = 60ms;
  health.fall = 1;
  Checked checked(io, node.address(), health);
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
  node.set_script(always_grpc({}));
  ASSERT_TRUE(checked.until_state(HealthState::unhealthy));
  EXPECT_EQ(checked.verdict().reason(), "timed out waiting for the answer");
  EXPECT_EQ(node.connections(), 1u) << "without a second try";
  node.set_script(always_grpc(grpc_answer(serving)));
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
  EXPECT_EQ(node.connections(), 2u);
}

}  // namespace
}  // namespace telltale::proxy
