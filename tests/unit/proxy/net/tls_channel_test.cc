#include "proxy/net/tls_channel.h"

#include "proxy/net/tls_error.h"
#include "tests/unit/proxy/health/certificates.h"
#include "tests/unit/proxy/net/socket_pair.h"

#include <boost/asio/error.hpp>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <memory>
#include <random>

namespace telltale::proxy {
namespace {

struct ContextFreer {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Context = std::unique_ptr<SSL_CTX, ContextFreer>;

Context make_context(const SSL_METHOD* method, int version) {
  Context context(SSL_CTX_new(method));
  SSL_CTX_set_min_proto_version(context.get(), version);
  SSL_CTX_set_max_proto_version(context.get(), version);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_read_ahead(context.get(), 1);
  return context;
}

/// Two streams of one loop, TLS between them; buffers of a few kilobytes, so that every write is a short one.
struct TlsPair {
  explicit TlsPair(int version = TLS1_3_VERSION, int buffer = 4096) {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    for (const int fd : fds) EXPECT_EQ(::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer), 0);
    server = Stream(Descriptor::open(loop, UniqueFd(fds[0]), Descriptor::Initially::ready));
    client = Stream(Descriptor::open(loop, UniqueFd(fds[1]), Descriptor::Initially::ready));
    // Nobody waits here: the loop is to note what it finds out all the same.
    for (Stream* each : {&server, &client}) each->descriptor().input();
    const Context of_server = make_context(TLS_server_method(), version);
    const test::Certificate certificate({.common_name = "test"});
    certificate.use_in(of_server.get());
    const Context of_client = make_context(TLS_client_method(), version);
    SslHandle accepting(SSL_new(of_server.get())), connecting(SSL_new(of_client.get()));
    SSL_set_accept_state(accepting.get());
    SSL_set_connect_state(connecting.get());
    server.start_tls(std::move(accepting));
    client.start_tls(std::move(connecting));
    bool served = false, connected = false;
    run_until(loop, [&] {
      served = served || !server.tls()->handshake();
      connected = connected || !client.tls()->handshake();
      return served && connected;
    });
  }
  EventLoop loop;
  Stream server, client;
};

std::string noise(std::size_t size) {
  std::mt19937 random(1);
  std::string octets(size, '\0');
  for (char& octet : octets) octet = static_cast<char>(random());
  return octets;
}

class TlsVersions : public testing::TestWithParam<int> {};

TEST_P(TlsVersions, WhatIsWrittenInAnyPiecesComesOutWholeThroughSmallBuffers) {
  TlsPair pair(GetParam());
  const std::string octets = noise(300'000);
  std::string received;
  std::size_t sent = 0, pieces = 0;
  run_until(pair.loop, [&] {
    if (sent < octets.size()) {
      const std::size_t first = std::min<std::size_t>(pieces % 3 * 700 + 1, octets.size() - sent);
      const std::size_t second = pieces % 2 == 0 ? 0 : std::min<std::size_t>(40'000, octets.size() - sent - first);
      const std::string_view rest = std::string_view(octets).substr(sent);
      const IoResult put = pair.server.write(rest.substr(0, first), rest.substr(first, second));
      EXPECT_TRUE(!put.error || put.error == boost::asio::error::would_block) << put.error.message();
      EXPECT_EQ(put.size == 0, static_cast<bool>(put.error));
      sent += put.size;
      ++pieces;
    }
    const ReadResult got = pair.client.read(pieces % 5 == 0 ? 10 : EventLoop::scratch_size);
    EXPECT_TRUE(!got.error || got.error == boost::asio::error::would_block) << got.error.message();
    received += got.octets;
    return received.size() == octets.size();
  });
  EXPECT_EQ(received, octets);
  EXPECT_EQ(sent, octets.size());
}

TEST_P(TlsVersions, TheLastOctetIsToldAsWrittenOnlyWhenAllHasLeft) {
  TlsPair pair(GetParam());
  const std::string octets = noise(60'000);
  const IoResult put = pair.server.write(octets);
  EXPECT_EQ(put.size, octets.size() - 1) << "the kernel's buffer holds less";
  EXPECT_EQ(pair.server.write(octets.substr(put.size)).error, boost::asio::error::would_block);
  std::string received;
  std::size_t last = 0;
  run_until(pair.loop, [&] {
    received += pair.client.read().octets;
    if (last == 0) last = pair.server.write(octets.substr(put.size)).size;
    return last == 1 && received.size() == octets.size();
  });
  EXPECT_EQ(received, octets);
}

TEST_P(TlsVersions, AnEndIsToldFromACut) {
  for (const bool cut : {false, true}) {
    TlsPair pair(GetParam(), 64 * 1024);
    EXPECT_EQ(pair.server.write("bye").size, 3u);
    if (cut) {
      ::shutdown(pair.server.descriptor().fd(), SHUT_RDWR);
    } else {
      pair.server.close();
    }
    boost::system::error_code error;
    std::string received;
    run_until(pair.loop, [&] {
      const ReadResult got = pair.client.read();
      received += got.octets;
      if (got.error != boost::asio::error::would_block) error = got.error;
      return static_cast<bool>(error);
    });
    EXPECT_EQ(received, "bye");
    EXPECT_EQ(error, cut ? tls_truncated() : boost::system::error_code(boost::asio::error::eof)) << error.message();
  }
}

TEST_P(TlsVersions, AnEndThatCannotLeaveIsSaidToNobodyElse) {
  TlsPair pair(GetParam());
  const std::string octets = noise(60'000);
  EXPECT_LT(pair.server.write(octets).size, octets.size()) << "the kernel's buffer holds less";
  pair.server.close();
  EXPECT_EQ(pair.loop.tls_output(), "") << "the connections of a worker share it";
}

TEST(TlsTickets, LeaveWithTheFirstAnswerOrWhenAReadHasToWait) {
  for (const bool answers : {true, false}) {
    TlsPair pair(TLS1_3_VERSION, 64 * 1024);
    pair.client.descriptor().input();
    EXPECT_EQ(pair.client.read().error, boost::asio::error::would_block);
    EXPECT_FALSE(pair.client.descriptor().readable()) << "nothing has left";
    if (answers) {
      EXPECT_EQ(pair.server.write("answer").size, 6u);
    } else {
      EXPECT_EQ(pair.server.read().error, boost::asio::error::would_block);
    }
    run_until(pair.loop, [&] { return pair.client.descriptor().readable(); });
    EXPECT_EQ(pair.client.read().octets, answers ? "answer" : "");
  }
}

TEST_P(TlsVersions, TinyRecordsDoNotKeepTheLoop) {
  TlsPair pair(GetParam(), 64 * 1024);
  const std::string octets = noise(60);
  for (const char octet : octets) EXPECT_EQ(pair.client.write({&octet, 1}).size, 1u);
  std::string received;
  std::size_t most = 0;
  run_until(pair.loop, [&] {
    const std::string_view got = pair.server.read().octets;
    most = std::max(most, got.size());
    received += got;
    return received.size() == octets.size();
  });
  EXPECT_EQ(received, octets);
  EXPECT_LE(most, 16u);
}

TEST_P(TlsVersions, WhatWasPutBackIsReadAgainBeforeTheRest) {
  TlsPair pair(GetParam(), 64 * 1024);
  EXPECT_EQ(pair.client.write("head body").size, 9u);
  run_until(pair.loop, [&] { return pair.server.descriptor().readable(); });
  const ReadResult got = pair.server.read();
  ASSERT_EQ(got.octets, "head body");
  pair.server.unread(got.octets.substr(5));
  EXPECT_TRUE(pair.server.may_have_more());
  EXPECT_EQ(pair.server.read().octets, "body");
}

INSTANTIATE_TEST_SUITE_P(Tls, TlsVersions, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));

}  // namespace
}  // namespace telltale::proxy
