#include "proxy/observe/admin_server.h"

#include "tests/unit/proxy/observe/local_peer.h"
#include "tests/unit/proxy/observe/temporary_directory.h"

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <sys/stat.h>
#include <vector>

namespace telltale::proxy {
namespace {

using namespace std::string_literals;
using test::any_port;
using test::body_of;
using test::Client;
using test::get;
using test::status_line;

class AdminServerTest : public ::testing::Test {
 protected:
  ~AdminServerTest() override {
    context.run([this] { server.reset(); });
  }

  const conf::Address& start(const conf::Address& address = any_port()) {
    context.run([&] {
      server = std::make_unique<AdminServer>(context.io(), address,
                                             AdminSource{.ready =
                                                             [this] {
                                                               return std::vector<ReadyCheck>{
                                                                   {"drain", ready ? "" : "draining"},
                                                                   {"workers", ""},
                                                                   {"endpoints", ready ? "" : "there are none"}};
                                                             },
                                                         .metrics = [] { return "metric 1\n"s; },
                                                         .services = [] { return "[]\n"s; },
                                                         .explain = explain,
                                                         .workers_timeout = workers_timeout});
      bound = server->local_address();
    });
    return bound;
  }

  test::RunningContext context;
  std::unique_ptr<AdminServer> server;
  conf::Address bound;
  std::atomic<bool> ready = true;
  std::function<void(const ExplainQuery&, std::function<void(std::string)>)> explain;
  std::chrono::milliseconds workers_timeout = std::chrono::seconds(10);
};

TEST_F(AdminServerTest, AnswersEachPage) {
  start();
  const struct {
    const char* target;
    const char* status;
    const char* type;
    const char* body;
  } rows[] = {
      {"/livez", "HTTP/1.1 200 OK", "text/plain; charset=utf-8", "live\n"},
      {"/healthz", "HTTP/1.1 200 OK", "text/plain; charset=utf-8", "live\n"},
      {"/readyz", "HTTP/1.1 200 OK", "text/plain; charset=utf-8", "ready\n"},
      {"/readyz?verbosely", "HTTP/1.1 200 OK", "text/plain; charset=utf-8", "ready\n"},
      {"/readyz?verbose", "HTTP/1.1 200 OK", "text/plain; charset=utf-8",
       "[+]drain ok\n[+]workers ok\n[+]endpoints ok\nreadyz check passed\n"},
      {"/readyz?a=b&verbose=1", "HTTP/1.1 200 OK", "text/plain; charset=utf-8",
       "[+]drain ok\n[+]workers ok\n[+]endpoints ok\nreadyz check passed\n"},
      {"/metrics", "HTTP/1.1 200 OK", "text/plain; version=0.0.4; charset=utf-8", "metric 1\n"},
      {"/services", "HTTP/1.1 200 OK", "application/json", "[]\n"},
      {"/nothing", "HTTP/1.1 404 Not Found", "text/plain; charset=utf-8", "no such page\n"},
      {"/metrics/", "HTTP/1.1 404 Not Found", "text/plain; charset=utf-8", "no such page\n"},
  };
  Client client(bound);  // one connection for all: keep-alive
  for (const auto& row : rows) {
    const std::string response = client.send(get(row.target)).receive();
    EXPECT_EQ(status_line(response), row.status) << row.target;
    EXPECT_EQ(body_of(response), row.body) << row.target;
    EXPECT_NE(response.find("Content-Type: "s + row.type + "\r\n"), std::string::npos) << response;
  }
}

TEST_F(AdminServerTest, ExplainsWhatIsAskedFor) {
  explain = [&](const ExplainQuery& query, const std::function<void(std::string)>& done) {
    if (query.id) return done({});  // at once: no such request
    const std::string page = (query.as_text ? "text " : "json ") + std::to_string(query.last) + "\n";
    boost::asio::post(context.io(), [done, page] { done(page); });
  };
  start();
  const struct {
    const char* target;
    const char* status;
    const char* type;
    const char* body;
  } rows[] = {
      {"/explain?last=3", "HTTP/1.1 200 OK", "application/json", "json 3\n"},
      {"/explain?format=text", "HTTP/1.1 200 OK", "text/plain; charset=utf-8", "text 10\n"},
      {"/explain/0123456789abcdef0123456789abcdef", "HTTP/1.1 404 Not Found", "text/plain; charset=utf-8",
       "no such request among the last that were kept; see admin.explain_requests\n"},
      {"/explain?last=x", "HTTP/1.1 400 Bad Request", "text/plain; charset=utf-8", "last is a number from 1 to 1000\n"},
  };
  Client client(bound);
  for (const auto& row : rows) {
    const std::string response = client.send(get(row.target)).receive();
    EXPECT_EQ(status_line(response), row.status) << row.target;
    EXPECT_EQ(body_of(response), row.body) << row.target;
    EXPECT_NE(response.find("Content-Type: "s + row.type + "\r\n"), std::string::npos) << response;
  }
}

TEST_F(AdminServerTest, WithoutARecordThereIsNothingToExplain) {
  start();
  const std::string response = Client(bound).send(get("/explain")).receive();
  EXPECT_EQ(status_line(response), "HTTP/1.1 404 Not Found");
  EXPECT_EQ(body_of(response), "nothing is recorded: admin.explain_requests is 0\n");
}

TEST_F(AdminServerTest, WorkersThatDoNotAnswerAreNotWaitedForForever) {
  explain = [](const ExplainQuery&, const std::function<void(std::string)>&) {};
  workers_timeout = std::chrono::milliseconds(1);
  start();
  EXPECT_EQ(status_line(Client(bound).send(get("/explain")).receive()), "HTTP/1.1 503 Service Unavailable");
}

TEST_F(AdminServerTest, IndexNamesThePages) {
  start();
  const std::string response = Client(bound).send(get("/")).receive();
  for (const char* page : {"/livez", "/readyz", "/metrics", "/services", "/explain"}) {
    EXPECT_NE(response.find("href=\""s + page + '"'), std::string::npos) << page;
  }
}

TEST_F(AdminServerTest, NotReadyIs503WithTheReason) {
  start();
  ready = false;
  std::string response = Client(bound).send(get("/readyz")).receive();
  EXPECT_EQ(status_line(response), "HTTP/1.1 503 Service Unavailable");
  EXPECT_EQ(body_of(response), "not ready: draining; there are none\n");
  response = Client(bound).send(get("/readyz?verbose")).receive();
  EXPECT_EQ(status_line(response), "HTTP/1.1 503 Service Unavailable");
  EXPECT_EQ(body_of(response),
            "[-]drain failed: draining\n[+]workers ok\n[-]endpoints failed: there are none\nreadyz check failed\n");
}

TEST_F(AdminServerTest, EveryAnswerForbidsCachingAndSniffingAndAllowsNoOtherOrigin) {
  start();
  for (const char* target : {"/metrics", "/services", "/", "/nothing"}) {
    const std::string response = Client(bound).send(get(target, "Origin: http://evil.example\r\n")).receive();
    EXPECT_NE(response.find("\r\nCache-Control: no-store\r\n"), std::string::npos) << target;
    EXPECT_NE(response.find("\r\nX-Content-Type-Options: nosniff\r\n"), std::string::npos) << target;
    EXPECT_EQ(response.find("Access-Control"), std::string::npos) << target;
  }
}

TEST_F(AdminServerTest, HeadHasTheLengthAndNoBody) {
  start();
  Client client(bound);
  const std::string response = client.send("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").receive(true);
  EXPECT_EQ(status_line(response), "HTTP/1.1 200 OK");
  EXPECT_NE(response.find("Content-Length: 9\r\n"), std::string::npos);
  EXPECT_EQ(body_of(client.send(get("/livez")).receive()), "live\n") << "no octet of a body was left in between";
}

TEST_F(AdminServerTest, RefusesWhatItShould) {
  start();
  const struct {
    const char* description;
    std::string request;
    const char* status;
  } rows[] = {
      {"a changing method", "POST /readyz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi",
       "HTTP/1.1 405 Method Not Allowed"},
      {"an unknown method", "BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"},
      {"a name that DNS may have rebound", "GET /services HTTP/1.1\r\nHost: evil.example\r\n\r\n",
       "HTTP/1.1 421 Misdirected Request"},
      {"no Host in 1.1", "GET /livez HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request"},
      {"two Hosts", "GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 400 Bad Request"},
      {"not HTTP", "\x16\x03\x01 hello\r\n\r\n", "HTTP/1.1 400 Bad Request"},
      {"a head too large", get("/livez", "X: " + std::string(20'000, 'x') + "\r\n"),
       "HTTP/1.1 431 Request Header Fields Too Large"},
      {"a body too large", get("/livez", "Content-Length: 1000000\r\n") + std::string(1000, 'x'),
       "HTTP/1.1 413 Payload Too Large"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(status_line(Client(bound).send(row.request).receive()), row.status) << row.description;
  }
}

TEST_F(AdminServerTest, Http10WithoutHostIsAnswered) {
  start();
  const std::string response = Client(bound).send("GET /livez HTTP/1.0\r\n\r\n").receive_all();
  EXPECT_EQ(status_line(response), "HTTP/1.0 200 OK") << "load balancers probe so";
  EXPECT_EQ(body_of(response), "live\n");
}

TEST_F(AdminServerTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  Client client(bound);
  client.send(get("/livez") + get("/metrics") + get("/readyz"));
  EXPECT_EQ(body_of(client.receive()), "live\n");
  EXPECT_EQ(body_of(client.receive()), "metric 1\n");
  EXPECT_EQ(body_of(client.receive()), "ready\n");
}

TEST_F(AdminServerTest, SourceThatThrowsIs500AndTheServerGoesOn) {
  context.run([&] {
    server = std::make_unique<AdminServer>(
        context.io(), any_port(),
        AdminSource{.ready = [] { return std::vector<ReadyCheck>(); },
                    .metrics = []() -> std::string { throw std::runtime_error("no metrics"); },
                    .services = [] { return "[]\n"s; }});
    bound = server->local_address();
  });
  Client client(bound);
  const std::string response = client.send(get("/metrics")).receive();
  EXPECT_EQ(status_line(response), "HTTP/1.1 500 Internal Server Error");
  EXPECT_EQ(body_of(response), "no metrics\n");
  EXPECT_EQ(body_of(client.send(get("/services")).receive()), "[]\n");
}

TEST_F(AdminServerTest, ConnectionsBeyondTheLimitAreClosedAndOthersStay) {
  start();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 64; ++i) {
    clients.push_back(std::make_unique<Client>(bound));
    ASSERT_EQ(body_of(clients.back()->send(get("/livez")).receive()), "live\n");
  }
  EXPECT_EQ(Client(bound).receive_all(), "");
  EXPECT_EQ(body_of(clients.front()->send(get("/livez")).receive()), "live\n");
}

TEST_F(AdminServerTest, UnixSocketServesAnyHostAndTheFileGoesAtTheEnd) {
  const test::TemporaryDirectory directory;
  const std::string path = directory / "admin.sock";
  start({std::nullopt, path});
  EXPECT_EQ(bound.unix_path, path);
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0660u);
  EXPECT_EQ(body_of(Client(bound).send("GET /livez HTTP/1.1\r\nHost: telltale\r\n\r\n").receive()), "live\n");
  context.run([this] { server.reset(); });
  EXPECT_NE(::stat(path.c_str(), &status), 0);
}

TEST_F(AdminServerTest, StaleUnixSocketIsReplacedAndALiveOneIsNot) {
  const test::TemporaryDirectory directory;
  const conf::Address address{std::nullopt, directory / "admin.sock"};
  {
    boost::asio::io_context io;  // a process that dies leaves its socket's file behind
    boost::asio::local::stream_protocol::acceptor dead(io, {address.unix_path});
  }
  start(address);
  EXPECT_EQ(body_of(Client(bound).send(get("/livez")).receive()), "live\n");
  boost::asio::io_context io;
  EXPECT_THROW(AdminServer(io, address, {}), std::system_error);
  EXPECT_EQ(body_of(Client(bound).send(get("/livez")).receive()), "live\n");
}

TEST_F(AdminServerTest, TakenPortThrows) {
  start();
  boost::asio::io_context io;
  EXPECT_THROW(AdminServer(io, bound, {}), std::system_error);
}

TEST_F(AdminServerTest, StopClosesConnectionsAndThePort) {
  start();
  Client idle(bound), half(bound);
  EXPECT_EQ(body_of(idle.send(get("/livez")).receive()), "live\n");
  half.send("GET /livez HTTP/1.1\r\n");
  context.run([this] {
    server->stop();
    server->stop();
  });
  EXPECT_EQ(idle.receive_all(), "");
  EXPECT_EQ(half.receive_all(), "");
  EXPECT_THROW(Client{bound}, boost::system::system_error);
}

}  // namespace
}  // namespace telltale::proxy
