#include "proxy/downstream/http1_session.h"

#include "conf/loader.h"
#include "proxy/downstream/connection.h"
#include "proxy/upstream/directory.h"
#include "tests/unit/proxy/net/socket_pair.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <sys/un.h>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;

/// A session on one end of a socket pair, and a loop whose every pass the test makes.
class Http1SessionTest : public ::testing::Test {
 protected:
  /// The session uses the table and the transactions to its end, as a worker's do.
  void TearDown() override {
    for (auto& service : worker_.services) service->close_idle();
    worker_.loop.abort_all();
    EXPECT_EQ(table_.size(), 0u);
  }
  void start(const std::string& configuration) {
    auto loaded = conf::load_text(configuration);
    ASSERT_NE(loaded.model, nullptr) << configuration;
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->model = loaded.model;
    for (const auto& conf : loaded.model->services) {
      snapshot->services.push_back(std::make_shared<Service>(conf, snapshot->services.size()));
    }
    snapshot->routes.push_back(std::make_unique<RouteTable>(loaded.model->listeners[0].routes));
    snapshot->infrastructure.resize(1);
    snapshot->hsts.resize(1);
    worker_.snapshot = snapshot;
    worker_.sources.resize(1);
    worker_.proxy_failure_rates.resize(1);
    worker_.metrics = std::make_unique<WorkerMetrics>(1, snapshot->services.size());
    start_services(*snapshot);
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    client_ = UniqueFd(fds[1]);
    ours_ = fds[0];
    ConnectionContext context;
    context.snapshot = snapshot;
    context.listener = &snapshot->model->listeners[0];
    context.metrics = worker_.metrics->listeners[0].get();
    context.listener_connections = &listener_connections_;
    auto connection = std::make_unique<Connection>(
        table_, std::move(context), Descriptor::open(worker_.loop, UniqueFd(fds[0]), Descriptor::Initially::ready));
    boost::asio::co_spawn(worker_.loop.get_executor(), serve(std::move(connection), transactions_),
                          boost::asio::detached);
    worker_.loop.run_once(0ms);
  }
  void start_services(const Snapshot& snapshot) {
    boost::asio::io_context control;
    Directory directory(control, snapshot.services, {}, 1, 0);
    for (const auto& service : snapshot.services) {
      directory.begin_with(service->index(), {service->conf().nodes, service->conf().endpoints});
    }
    auto updates = std::move(directory.first_updates()[0]);
    for (const auto& service : snapshot.services) {
      auto& metrics = *worker_.metrics->services[service->index()];
      worker_.services.push_back(std::make_unique<LocalService>(worker_.loop, service, metrics));
      worker_.services.back()->update(std::move(updates[service->index()]));
    }
  }
  /// To one backend, which has accepted the connection that a first request needs.
  void start_with_backend() {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    const std::string path = "/tmp/telltale-session-test-" + std::to_string(::getpid()) + ".sock";
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ::unlink(path.c_str());
    const UniqueFd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(listening.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listening.get(), 1), 0);
    start("{listeners: [{listen: \"127.0.0.1:0\", service: s}], services: [{name: s, endpoints: [\"unix:" + path +
          "\"]}]}");
    send(request);
    run_until(worker_.loop, [&] {
      if (!backend_) backend_ = UniqueFd(::accept(listening.get(), nullptr, nullptr));
      return static_cast<bool>(backend_);
    });
    ::unlink(path.c_str());
  }
  static Awaitable<> serve(std::unique_ptr<Connection> connection, Http1TransactionPool& transactions) {
    co_await serve_http1(*connection, transactions);
  }

  void send(const std::string& octets) const {
    ASSERT_EQ(::send(client_.get(), octets.data(), octets.size(), MSG_NOSIGNAL), static_cast<ssize_t>(octets.size()));
  }
  std::string receive() const {
    std::string all(8 << 20, '\0');
    std::size_t size = 0;
    for (ssize_t got; (got = ::recv(client_.get(), all.data() + size, all.size() - size, 0)) > 0;) {
      size += static_cast<std::size_t>(got);
    }
    all.resize(size);
    return all;
  }
  static std::size_t count(const std::string& text, const std::string& what) {
    std::size_t n = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
    return n;
  }

  WorkerContext worker_;
  std::atomic<std::size_t> total_{0}, listener_connections_{0};
  ConnectionTable table_{worker_, total_, 100};
  Http1TransactionPool transactions_{worker_};
  static constexpr const char* request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  UniqueFd client_, backend_;
  int ours_ = -1;
};

TEST_F(Http1SessionTest, PipelinedRequestsThatAreAnsweredAtOnceTakeTurnsWithTheRest) {
  start(R"({listeners: [{listen: "127.0.0.1:0", routes: [{respond: {status: 200, body: x}}]}]})");
  constexpr std::size_t requests = 500;
  std::string octets;
  for (std::size_t i = 0; i < requests; ++i) octets += request;
  send(octets);
  std::size_t answers = 0, most = 0;
  run_until(worker_.loop, [&] {
    const std::size_t in_this_pass = count(receive(), "HTTP/1.1 200");
    answers += in_this_pass;
    most = std::max(most, in_this_pass);
    return answers == requests;
  });
  EXPECT_LE(most, 64u) << "answers in one pass: what else is ready has to wait for them";
}

TEST_F(Http1SessionTest, OctetsBehindAHeadAreReadBeforeOthersHaveATurn) {
  start_with_backend();
  for (int heads = 0; heads <= 32; ++heads) {
    SCOPED_TRACE(std::to_string(heads) + " interim heads");
    if (heads > 0) send(request);
    std::string asked;
    run_until(worker_.loop, [&] {
      char octets[4096];
      const ssize_t size = ::recv(backend_.get(), octets, sizeof octets, MSG_DONTWAIT);
      if (size > 0) asked.append(octets, static_cast<std::size_t>(size));
      return asked.ends_with("\r\n\r\n");
    });
    std::string response;
    for (int i = 0; i < heads; ++i) response += "HTTP/1.1 103 Early Hints\r\n\r\n";
    response += "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine";
    ASSERT_EQ(::send(backend_.get(), response.data(), response.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(response.size()));
    std::string got;
    run_until(worker_.loop, [&] {
      // As other connections do whose turn it is.
      worker_.loop.post([this] { std::ranges::fill(worker_.loop.scratch(), 'x'); });
      got += receive();
      return got.find("\r\n\r\nmine") != std::string::npos || got.find('x') != std::string::npos;
    });
    EXPECT_TRUE(got.ends_with("\r\n\r\nmine")) << got;
  }
}

TEST_F(Http1SessionTest, AResponseThatNobodyBlocksTakesTurnsWithTheRest) {
  start_with_backend();
  constexpr int size = 6 << 20;
  // As much as both ways hold at once: then nothing but the budget can end a pass.
  const int room = 4 * size;
  if (::setsockopt(backend_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0 ||
      ::setsockopt(ours_, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0) {
    GTEST_SKIP() << "no right to make socket buffers as large as this needs (CAP_NET_ADMIN)";
  }
  std::string response = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
  response.append(size, 'x');
  ASSERT_EQ(::send(backend_.get(), response.data(), response.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(response.size()));
  std::size_t octets = 0, most = 0;
  run_until(worker_.loop, [&] {
    const std::size_t in_this_pass = receive().size();
    octets += in_this_pass;
    most = std::max(most, in_this_pass);
    return octets >= size;
  });
  EXPECT_LE(most, std::size_t{3} << 20) << "octets in one pass: what else is ready has to wait for them";
}

}  // namespace
}  // namespace telltale::proxy
