#include "proxy/upstream/connection_pool.h"

#include "proxy/tls/client_context.h"
#include "tests/unit/proxy/net/socket_pair.h"
#include "tests/unit/proxy/tls/tls_backend.h"

#include <boost/asio/error.hpp>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;

class ConnectionPoolTest : public ::testing::Test {
 protected:
  struct Made {
    std::unique_ptr<UpstreamConnection> connection;
    UniqueFd other;
  };
  Made make(std::string identity = {}) {
    SocketPair pair(loop_);
    Made made{std::make_unique<UpstreamConnection>(), std::move(pair.other)};
    made.connection->stream = std::move(pair.stream);
    made.connection->identity = std::move(identity);
    return made;
  }
  /// Gives one to the pool and keeps its other end.
  void add(ConnectionPool& pool, std::string identity = {}) {
    Made made = make(std::move(identity));
    pool.release(std::move(made.connection));
    others_.push_back(std::move(made.other));
  }
  /// By the pool: an EOF, or a reset where octets were left unread.
  static bool closed(const UniqueFd& other) {
    char octet;
    const ssize_t size = ::recv(other.get(), &octet, 1, MSG_DONTWAIT);
    return size == 0 || (size < 0 && errno == ECONNRESET);
  }

  EventLoop loop_;
  ServiceMetrics metrics_;
  conf::Pool limits_;
  std::vector<UniqueFd> others_;
};

TEST_F(ConnectionPoolTest, GivesTheLatestFirst) {
  ConnectionPool pool(limits_, metrics_);
  Made first = make(), second = make();
  const Descriptor* latest = &second.connection->stream.descriptor();
  pool.release(std::move(first.connection));
  pool.release(std::move(second.connection));
  EXPECT_EQ(metrics_.connections_idle.value(), 2u);
  const auto got = pool.acquire({});
  ASSERT_NE(got, nullptr);
  EXPECT_EQ(&got->stream.descriptor(), latest);
  EXPECT_TRUE(got->reused);
  EXPECT_EQ(pool.idle(), 1u);
}

// envoy#13659, caddy#6342.
TEST_F(ConnectionPoolTest, NeverGivesAConnectionToAnotherIdentity) {
  ConnectionPool pool(limits_, metrics_);
  add(pool, "client-a");
  add(pool);
  EXPECT_EQ(pool.acquire("client-b"), nullptr);
  EXPECT_EQ(pool.acquire({})->identity, "");
  EXPECT_EQ(pool.acquire({}), nullptr) << "client-a's is not for a service without identities";
  EXPECT_EQ(pool.acquire("client-a")->identity, "client-a");
  EXPECT_EQ(pool.acquire("client-a"), nullptr);
}

TEST_F(ConnectionPoolTest, LeastRecentlyUsedIdentityGoesFirst) {
  limits_.max_idle_identities = 2;
  ConnectionPool pool(limits_, metrics_);
  add(pool, "a");
  add(pool, "b");
  pool.release(pool.acquire("a"));  // now b is the oldest
  add(pool, "c");
  EXPECT_EQ(pool.idle(), 2u);
  EXPECT_TRUE(closed(others_[1]));
  EXPECT_EQ(pool.acquire("b"), nullptr);
  EXPECT_NE(pool.acquire("a"), nullptr);
  EXPECT_NE(pool.acquire("c"), nullptr);
}

TEST_F(ConnectionPoolTest, KeepsNoMoreThanTheLimitAndNoneAtZero) {
  limits_.max_idle = 2;
  limits_.max_idle_identities = 0;
  ConnectionPool pool(limits_, metrics_);
  for (int i = 0; i < 3; ++i) add(pool);
  EXPECT_EQ(pool.idle(), 2u);
  EXPECT_TRUE(closed(others_[0]));
  add(pool, "a");
  EXPECT_TRUE(closed(others_[3]));
}

TEST_F(ConnectionPoolTest, DropsAnIdleConnectionThatGetsAnOctetOrAnEnd) {
  ConnectionPool pool(limits_, metrics_);
  add(pool);
  add(pool);
  ASSERT_EQ(::send(others_[0].get(), "x", 1, MSG_NOSIGNAL), 1);
  others_[1].reset();
  run_until(loop_, [&] { return pool.idle() == 0; });
  EXPECT_TRUE(closed(others_[0]));
  EXPECT_EQ(metrics_.connections_idle.value(), 0u);
}

TEST_F(ConnectionPoolTest, DoesNotTakeBackAConnectionWithOctetsLeft) {
  ConnectionPool pool(limits_, metrics_);
  Made kept = make(), unread = make();
  ASSERT_EQ(::send(unread.other.get(), "left", 4, MSG_NOSIGNAL), 4);
  run_until(loop_, [&] { return unread.connection->stream.descriptor().readable(); });
  pool.release(std::move(unread.connection));  // still in the kernel
  EXPECT_EQ(pool.idle(), 0u);
  ASSERT_EQ(::send(kept.other.get(), "left", 4, MSG_NOSIGNAL), 4);
  run_until(loop_, [&] { return kept.connection->stream.descriptor().readable(); });
  kept.connection->stream.unread(kept.connection->stream.read().octets.substr(1));
  pool.release(std::move(kept.connection));
  EXPECT_EQ(pool.idle(), 0u);
}

TEST_F(ConnectionPoolTest, ClosesWhatWasIdleForTooLong) {
  limits_.idle_timeout = 30ms;
  ConnectionPool pool(limits_, metrics_);
  add(pool);
  run_until(loop_, [&] { return pool.idle() == 0; });
  EXPECT_TRUE(closed(others_[0]));
}

class TlsPoolTest : public ConnectionPoolTest {
 protected:
  TlsPoolTest()
      : backend_(test::Certificate({})),
        context_({.verify = conf::TlsVerify::none}, {}),
        connection_(loop_, backend_, context_.connect({.name = "a", .address = {}}, ClientContext::Speaks::http1)),
        pool_(limits_, metrics_) {
    auto made = std::make_unique<UpstreamConnection>();
    made->stream = std::move(connection_.client);
    pool_.release(std::move(made));
    EXPECT_EQ(pool_.idle(), 1u);
  }
  void send_ticket() {
    SSL_new_session_ticket(connection_.server_ssl);
    EXPECT_FALSE(connection_.server.tls()->handshake());
    connection_.server.read();  // that lets it go
  }
  void run() {
    for (int i = 0; i < 3; ++i) loop_.run_once(0ms);
  }

  test::TlsBackend backend_;
  ClientContext context_;
  test::TlsConnection connection_;
  ConnectionPool pool_;
};

TEST_F(TlsPoolTest, SessionTicketsAreNoAnswer) {
  for (int i = 0; i < 3; ++i) {
    send_ticket();
    run();
    EXPECT_EQ(pool_.idle(), 1u);
  }
  const auto connection = pool_.acquire({});
  ASSERT_NE(connection, nullptr);
  EXPECT_EQ(connection_.server.write("hello").size, 5u);
  std::string got;
  run_until(loop_, [&] {
    got += connection->stream.read().octets;
    return got == "hello";
  });
}

TEST_F(TlsPoolTest, WhatNobodyAskedForClosesIt) {
  connection_.server.write("hello");
  run_until(loop_, [&] { return pool_.idle() == 0; });
}

TEST_F(TlsPoolTest, ATicketBeforeWhatNobodyAskedForHidesNothing) {
  send_ticket();
  connection_.server.write("hello");
  run_until(loop_, [&] { return pool_.idle() == 0; });
}

TEST_F(TlsPoolTest, TheEndClosesIt) {
  connection_.server.shutdown_write();
  run_until(loop_, [&] { return pool_.idle() == 0; });
}

TEST_F(TlsPoolTest, WhatCameInThisVeryPassIsSeen) {
  connection_.server.write("hello");
  bool seen = false;
  loop_.post([&] { seen = true; });
  run_until(loop_, [&] { return seen; });
  EXPECT_EQ(pool_.acquire({}), nullptr);
}

}  // namespace
}  // namespace telltale::proxy
