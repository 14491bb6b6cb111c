#include "proxy/health/grpc_client.h"

#include "tests/unit/proxy/health/h2_server.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

using namespace test;
using namespace std::chrono_literals;

constexpr GrpcClient::Call check{"app.internal:9000", "/grpc.health.v1.Health/Check", {"\0\0\0\0\0", 5}, 1500ms};

/// Until neither has anything to say. `cut`: what the server says is fed in pieces of so many octets; 0: whole.
bool converse(GrpcClient& client, H2Server& server, std::size_t cut = 0) {
  for (;;) {
    const std::string up(client.output());
    if (!up.empty()) server.feed(up);
    const std::string down = server.output();
    if (up.empty() && down.empty()) return true;
    const std::size_t piece = cut == 0 ? std::max<std::size_t>(down.size(), 1) : cut;
    for (std::size_t at = 0; at < down.size(); at += piece) {
      if (!client.feed(std::string_view(down).substr(at, piece))) return false;
    }
  }
}

TEST(GrpcClient, CallsAsGrpcHasIt) {
  H2Server server([](const H2Request&) { return grpc_answer("\x08\x01"); });
  GrpcClient client;
  ASSERT_TRUE(client.call(check));
  EXPECT_FALSE(client.may_call()) << "one at a time";
  ASSERT_TRUE(converse(client, server));
  ASSERT_EQ(server.requests().size(), 1u);
  const H2Request& request = server.requests().begin()->second;
  const std::map<std::string, std::string> fields = {{":method", "POST"},
                                                     {":scheme", "http"},
                                                     {":path", "/grpc.health.v1.Health/Check"},
                                                     {":authority", "app.internal:9000"},
                                                     {"te", "trailers"},
                                                     {"content-type", "application/grpc"},
                                                     {"grpc-timeout", "1500m"},
                                                     {"user-agent", "telltale-probe/" TELLTALE_VERSION}};
  EXPECT_EQ(request.fields, fields);
  EXPECT_EQ(request.body, std::string("\0\0\0\0\0", 5));
}

TEST(GrpcClient, TakesAnswersHoweverTheyAreCut) {
  for (std::size_t cut = 0; cut < 40; ++cut) {
    H2Server server([](const H2Request&) { return grpc_answer("\x08\x01"); });
    GrpcClient client;
    for (int calls = 0; calls < 3; ++calls) {
      ASSERT_TRUE(client.call(check));
      ASSERT_TRUE(converse(client, server, cut));
      ASSERT_TRUE(client.done());
      const GrpcAnswer& answer = client.answer();
      EXPECT_EQ(answer.http_status, 200u);
      EXPECT_EQ(answer.content_type, "application/grpc");
      EXPECT_EQ(answer.grpc_status, 0u);
      EXPECT_EQ(answer.octets, std::string("\0\0\0\0\x02\x08\x01", 7));
      EXPECT_EQ(answer.h2_error, 0u);
    }
    EXPECT_EQ(server.requests().size(), 3u);
  }
}

TEST(GrpcClient, TellsHowACallEnded) {
  struct Case {
    const char* description;
    H2Answer answer;
    bool done;
    unsigned http_status;
    std::optional<unsigned> grpc_status;
    std::uint32_t h2_error;
    bool may_call;
  };
  const H2Answer plain{{{":status", "404"}}, "no", {}};
  H2Answer last = grpc_answer("\x08\x01");
  last.go_away = true;
  H2Answer refused, reset, silent, odd = grpc_answer("", "x");
  refused.refuse = true;
  reset.reset = NGHTTP2_ENHANCE_YOUR_CALM;
  const Case cases[] = {
      {"a refusal without a body", grpc_refusal("12", "no such service"), true, 200, 12, 0, true},
      {"no gRPC", plain, true, 404, {}, 0, true},
      {"a status that is no number", odd, true, 200, {}, 0, true},
      {"the last answer on this connection", last, true, 200, 0, 0, false},
      {"not looked at", refused, true, 0, {}, NGHTTP2_REFUSED_STREAM, false},
      {"reset", reset, true, 0, {}, NGHTTP2_ENHANCE_YOUR_CALM, true},
      {"no answer", silent, false, 0, {}, 0, false},
  };
  for (const Case& c : cases) {
    H2Server server([&c](const H2Request&) { return c.answer; });
    GrpcClient client;
    ASSERT_TRUE(client.call(check));
    converse(client, server);
    EXPECT_EQ(client.done(), c.done) << c.description;
    EXPECT_EQ(client.answer().http_status, c.http_status) << c.description;
    EXPECT_EQ(client.any_answer(), c.http_status != 0) << c.description;
    EXPECT_EQ(client.answer().grpc_status, c.grpc_status) << c.description;
    EXPECT_EQ(client.answer().h2_error, c.h2_error) << c.description;
    EXPECT_EQ(client.may_call(), c.may_call) << c.description;
    EXPECT_EQ(client.call(check), c.may_call) << c.description;
  }
}

TEST(GrpcClient, BoundsWhatItKeepsOfAnAnswer) {
  H2Answer big = grpc_answer("");
  big.body = std::string(100'000, 'x');
  H2Server server([&](const H2Request&) { return big; });
  GrpcClient client;
  ASSERT_TRUE(client.call(check));
  ASSERT_TRUE(converse(client, server));
  EXPECT_TRUE(client.done());
  EXPECT_TRUE(client.answer().too_long);
  EXPECT_EQ(client.answer().octets.size(), GrpcClient::max_answer_bytes);
}

TEST(GrpcClient, AnswersPingsAndHearsOfTheEndBetweenCalls) {
  H2Server server([](const H2Request&) { return grpc_answer("\x08\x01"); });
  GrpcClient client;
  ASSERT_TRUE(client.call(check));
  ASSERT_TRUE(converse(client, server));
  server.ping();
  ASSERT_TRUE(converse(client, server));
  EXPECT_EQ(server.pongs(), 1u);
  ASSERT_TRUE(client.may_call());
  server.go_away();
  converse(client, server);
  EXPECT_FALSE(client.may_call());
}

TEST(GrpcClient, RefusesWhatIsNotHttp2) {
  for (const std::string_view octets : {"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
                                        "SSH-2.0-OpenSSH_9.2\r\n", "\x15\x03\x01\x00\x02\x02\x46\x00\x00"}) {
    GrpcClient client;
    ASSERT_TRUE(client.call(check));
    EXPECT_FALSE(client.output().empty());
    EXPECT_FALSE(client.feed(octets) && client.feed(std::string(40'000, 'x'))) << octets;
    EXPECT_FALSE(client.done());
  }
}

TEST(GrpcClient, BoundsTheTimeoutItTells) {
  H2Server server([](const H2Request&) { return grpc_answer("\x08\x01"); });
  GrpcClient client;
  GrpcClient::Call call = check;
  call.timeout = 1000h;
  ASSERT_TRUE(client.call(call));
  ASSERT_TRUE(converse(client, server));
  EXPECT_EQ(server.requests().begin()->second.fields.at("grpc-timeout"), "99999999m") << "eight digits at most";
}

}  // namespace
}  // namespace telltale::proxy
