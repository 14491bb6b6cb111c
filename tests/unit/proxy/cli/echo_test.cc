#include "proxy/cli/echo.h"

#include "protocol/proxy_protocol/serializer.h"
#include "tests/unit/proxy/observe/local_peer.h"
#include "tests/unit/proxy/observe/temporary_directory.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace telltale::proxy {
namespace {

using namespace std::string_literals;
using test::any_port;
using test::body_of;
using test::Client;
using test::get;
using test::status_line;

class EchoServerTest : public ::testing::Test {
 protected:
  ~EchoServerTest() override {
    context.run([this] { server.reset(); });
  }

  void start(EchoOptions options = {}) {
    if (options.listen.ip) options.listen = any_port();
    context.run([&] {
      server = std::make_unique<EchoServer>(context.io(), std::move(options));
      address = server->local_address();
      health = server->health_address().value_or(conf::Address{});
    });
  }
  void start(EchoProxyProtocol proxy_protocol) {
    EchoOptions options;
    options.proxy_protocol = proxy_protocol;
    start(std::move(options));
  }
  boost::json::value ask(const std::string& request) {
    return boost::json::parse(body_of(Client(address).send(request).receive()));
  }

  static constexpr const char* want_json = "Accept: application/json\r\n";

  test::RunningContext context;
  std::unique_ptr<EchoServer> server;
  conf::Address address, health;
};

std::string proxy_v2(proxy_protocol::Command command) {
  proxy_protocol::Header header;
  header.command = command;
  if (command == proxy_protocol::Command::proxy) {
    header.family = proxy_protocol::Family::inet;
    header.transport = proxy_protocol::Transport::stream;
    header.source = net::IpPort{net::IpAddress::v4(198, 51, 100, 79), 52110};
    header.destination = net::IpPort{net::IpAddress::v4(203, 0, 113, 140), 80};
    proxy_protocol::append_tlv(header.tlvs, proxy_protocol::TlvType::authority, "shop.example.com");
  }
  std::string out;
  proxy_protocol::serialize(header, out, true);
  return out;
}

TEST_F(EchoServerTest, AnswersInTheLayoutOfTheTutorial) {
  start();
  Client client(address);
  const std::string response = client.send(get("/a?b=c", "X-Two: 2\r\nAccept: */*\r\nx-two: 1\r\n")).receive();
  EXPECT_EQ(status_line(response), "HTTP/1.1 200 OK");
  EXPECT_EQ(body_of(response),
            "CLIENT VALUES:\nclient_address=127.0.0.1\ncommand=GET\nreal path=/a?b=c\nquery=b=c\nrequest_version=1.1\n"
            "request_uri=http://localhost:" +
                std::to_string(address.ip->port) +
                "/a?b=c\n\nSERVER VALUES:\nserver_version=telltale " TELLTALE_VERSION
                "\n\nHEADERS RECEIVED:\naccept=*/*\nhost=localhost\nx-two=2\nx-two=1\n\nBODY:\n-no body in request-\n");
}

TEST_F(EchoServerTest, AnswersJsonWhenAsked) {
  start();
  const auto value = ask(get("/", want_json));
  EXPECT_EQ(value.at("client_address").as_string(), "127.0.0.1");
  EXPECT_NE(value.at("client_port").to_number<int>(), 0);
  EXPECT_TRUE(value.at("proxy_protocol").is_null());
}

TEST_F(EchoServerTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  std::string requests;
  for (int i = 0; i < 50; ++i) {
    requests +=
        "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nb" + std::to_string(10 + i);
  }
  Client client(address);
  client.send(requests);
  for (int i = 0; i < 50; ++i) {
    const std::string body = body_of(client.receive());
    EXPECT_NE(body.find("real path=/" + std::to_string(i) + "\n"), std::string::npos);
    EXPECT_TRUE(body.ends_with("BODY:\nb" + std::to_string(10 + i) + "\n"));
  }
}

TEST_F(EchoServerTest, ClosesWhenTheClientAsks) {
  start();
  EXPECT_EQ(status_line(Client(address).send("GET / HTTP/1.0\r\n\r\n").receive_all()), "HTTP/1.0 200 OK");
  EXPECT_EQ(status_line(Client(address).send(get("/", "Connection: close\r\n")).receive_all()), "HTTP/1.1 200 OK");
  EXPECT_EQ(status_line(Client(address).send(get("/")).finish().receive_all()), "HTTP/1.1 200 OK") << "half-closed";
}

TEST_F(EchoServerTest, HeadHasTheLengthAndNoBody) {
  start();
  Client client(address);
  const std::string response = client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n").receive(true);
  EXPECT_EQ(status_line(response), "HTTP/1.1 200 OK");
  EXPECT_NE(response.find("Content-Length: "), std::string::npos);
  EXPECT_NE(body_of(client.send(get("/")).receive()).find("command=GET"), std::string::npos);
}

TEST_F(EchoServerTest, ChunkedBodyIsPutTogether) {
  start();
  const auto value =
      ask("POST / HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
          "5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nTrailer: t\r\n\r\n");
  EXPECT_EQ(value.at("body").as_string(), "hello!");
  EXPECT_EQ(value.at("body_size").to_number<int>(), 6);
}

TEST_F(EchoServerTest, LargeBodyIsCountedNotShown) {
  start();
  constexpr std::size_t size = 3'000'000;
  Client client(address);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
  client.send(std::string(size, 'x'));
  EXPECT_TRUE(body_of(client.receive()).ends_with("BODY:\n-body of 3000000 octets, not shown-\n"));
}

TEST_F(EchoServerTest, ContinuesWhenExpected) {
  start();
  Client client(address);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.receive(true), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_TRUE(body_of(client.send("ok").receive()).ends_with("BODY:\nok\n"));
}

TEST_F(EchoServerTest, ProxyHeaderIsShownAndTheSocketPeerStaysTheClient) {
  start(EchoProxyProtocol::accept);
  const auto value = ask(proxy_v2(proxy_protocol::Command::proxy) + get("/", want_json));
  EXPECT_EQ(value.at("client_address").as_string(), "127.0.0.1");
  const auto& proxy = value.at("proxy_protocol");
  EXPECT_EQ(proxy.at("version").to_number<int>(), 2);
  EXPECT_EQ(proxy.at("command").as_string(), "PROXY");
  EXPECT_EQ(proxy.at("source").as_string(), "198.51.100.79:52110");
  EXPECT_EQ(proxy.at("destination").as_string(), "203.0.113.140:80");
  EXPECT_EQ(proxy.at("tlvs").at("authority").as_string(), "shop.example.com");
  EXPECT_TRUE(proxy.at("tlvs").as_object().contains("crc32c"));
}

TEST_F(EchoServerTest, ProxyHeaderStandsForEveryRequestOfTheConnection) {
  start(EchoProxyProtocol::require);
  Client client(address);
  client.send("PROXY TCP4 192.0.2.7 203.0.113.1 1234 80\r\n" + get("/1") + get("/2"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_NE(body_of(client.receive())
                  .find("version=1 command=PROXY source=192.0.2.7:1234 destination=203.0.113.1:80 tlvs=-\n"),
              std::string::npos);
  }
}

TEST_F(EchoServerTest, ProxyHeaderMayComeInAnyCut) {
  start(EchoProxyProtocol::require);
  const std::string header = proxy_v2(proxy_protocol::Command::proxy);
  for (std::size_t cut = 1; cut < header.size(); ++cut) {
    Client client(address);
    client.socket().set_option(boost::asio::ip::tcp::no_delay(true));
    client.send(header.substr(0, cut));
    client.send(header.substr(cut) + get("/"));
    EXPECT_NE(client.receive().find("source=198.51.100.79:52110"), std::string::npos) << cut;
  }
}

TEST_F(EchoServerTest, PolicyDecidesWhatMayBeginAConnection) {
  const std::string v1 = "PROXY TCP4 192.0.2.7 203.0.113.1 1234 80\r\n";
  const struct {
    const char* description;
    EchoProxyProtocol policy;
    std::string request;
    const char* status;
  } rows[] = {
      {"off: a header is not expected", EchoProxyProtocol::off, v1 + get("/"), "HTTP/1.1 400 Bad Request"},
      {"off: plain", EchoProxyProtocol::off, get("/"), "HTTP/1.1 200 OK"},
      {"accept: plain", EchoProxyProtocol::accept, get("/"), "HTTP/1.1 200 OK"},
      {"accept: a method that begins like a header", EchoProxyProtocol::accept, "PUT / HTTP/1.1\r\nHost: h\r\n\r\n",
       "HTTP/1.1 200 OK"},
      {"accept: LOCAL", EchoProxyProtocol::accept, proxy_v2(proxy_protocol::Command::local) + get("/"),
       "HTTP/1.1 200 OK"},
      {"accept: malformed", EchoProxyProtocol::accept, "PROXY TCP4 nonsense\r\n" + get("/"),
       "HTTP/1.1 400 Bad Request"},
      {"require: plain", EchoProxyProtocol::require, get("/"), "HTTP/1.1 400 Bad Request"},
      {"require: a header", EchoProxyProtocol::require, v1 + get("/"), "HTTP/1.1 200 OK"},
  };
  for (const auto& row : rows) {
    start(row.policy);
    EXPECT_EQ(status_line(Client(address).send(row.request).receive()), row.status) << row.description;
  }
}

TEST_F(EchoServerTest, BadRequestIs400AndClosed) {
  start();
  const std::string response = Client(address).send("GET / HTTP/9.9\r\n\r\n" + get("/")).receive_all();
  EXPECT_EQ(status_line(response), "HTTP/1.1 400 Bad Request");
  EXPECT_TRUE(body_of(response).starts_with("bad request: "));
}

TEST_F(EchoServerTest, HealthzOnTheServingPortAnswersAsANode) {
  start();
  Client client(address);
  std::string response = client.send(get("/healthz")).receive();
  EXPECT_EQ(status_line(response), "HTTP/1.1 200 OK");
  EXPECT_NE(response.find("Content-Type: application/json\r\n"), std::string::npos);
  context.run([this] { server->set_healthy(false); });
  response = client.send(get("/healthz")).receive();
  EXPECT_EQ(status_line(response), "HTTP/1.1 503 Service Unavailable");
  EXPECT_EQ(status_line(client.send(get("/")).receive()), "HTTP/1.1 200 OK") << "it still serves";
}

TEST_F(EchoServerTest, HealthPortAnswersOnAnyPathAndCanBeFlipped) {
  EchoOptions options;
  options.health_listen = any_port();
  start(std::move(options));
  const auto post = [](const char* target) {
    return "POST "s + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
  };
  Client client(health);
  for (const char* path : {"/healthz", "/", "/any/path?x"}) {
    const std::string response = client.send(get(path)).receive();
    EXPECT_EQ(status_line(response), "HTTP/1.1 200 OK") << path;
    EXPECT_NE(response.find("X-Load-Balancing-Endpoint-Weight: 1\r\n"), std::string::npos);
    const auto body = boost::json::parse(body_of(response));
    EXPECT_EQ(body.at("localEndpoints").to_number<int>(), 1);
    EXPECT_EQ(body.at("service").at("name").as_string(), "demo");
    EXPECT_TRUE(body.at("serviceProxyHealthy").as_bool());
  }
  EXPECT_EQ(body_of(client.send(post("/fail")).receive()), "unhealthy\n");
  const std::string failed = client.send(get("/healthz")).receive();
  EXPECT_EQ(status_line(failed), "HTTP/1.1 503 Service Unavailable");
  EXPECT_NE(failed.find("X-Load-Balancing-Endpoint-Weight: 0\r\n"), std::string::npos);
  EXPECT_EQ(body_of(client.send(post("/ok")).receive()), "healthy\n");
  EXPECT_EQ(status_line(client.send(get("/healthz")).receive()), "HTTP/1.1 200 OK");
  EXPECT_EQ(status_line(client.send(post("/other")).receive()), "HTTP/1.1 404 Not Found");
  EXPECT_EQ(status_line(Client(health).send(proxy_v2(proxy_protocol::Command::local) + get("/healthz")).receive()),
            "HTTP/1.1 200 OK")
      << "clouds put a PROXY header before a probe";
}

TEST_F(EchoServerTest, FlippingIsNotPossibleOnTheServingPort) {
  start();
  const std::string response =
      Client(address).send("POST /fail HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").receive();
  EXPECT_NE(body_of(response).find("command=POST"), std::string::npos);
  EXPECT_EQ(status_line(Client(address).send(get("/healthz")).receive()), "HTTP/1.1 200 OK");
}

TEST_F(EchoServerTest, TellsWhoeverListensOfEachRequest) {
  std::vector<std::string> seen;
  EchoOptions options;
  options.on_request = [&](const EchoRequest& request) { seen.push_back(request.method + ' ' + request.target); };
  start(std::move(options));
  Client client(address);
  client.send(get("/a")).receive();
  client.send(get("/b")).receive();
  context.run([&] { EXPECT_EQ(seen, (std::vector<std::string>{"GET /a", "GET /b"})); });
}

TEST_F(EchoServerTest, ServesOnAUnixSocket) {
  const test::TemporaryDirectory directory;
  EchoOptions options;
  options.listen = {std::nullopt, directory / "echo.sock"};
  start(std::move(options));
  EXPECT_EQ(ask(get("/", want_json)).at("client_address").as_string(), "unix");
}

TEST_F(EchoServerTest, ManyConnectionsAtOnce) {
  start();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(std::make_unique<Client>(address));
  for (auto& client : clients) client->send(get("/"));
  for (auto& client : clients) EXPECT_EQ(status_line(client->receive()), "HTTP/1.1 200 OK");
}

TEST_F(EchoServerTest, TakenHealthPortThrowsAndFreesTheServingPort) {
  start();
  boost::asio::io_context io;
  EchoOptions options;
  options.listen = any_port();
  options.health_listen = address;
  EXPECT_THROW(EchoServer(io, options), std::system_error);
  io.run();  // ends: nothing was left behind
}

/// `telltale echo` in a process of its own.
class EchoProcess {
 public:
  explicit EchoProcess(const EchoOptions& options) {
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    output_ = ends[0];
    std::fflush(nullptr);  // or the child would write it once more
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::_exit(run_echo(options));
    }
    ::close(ends[1]);
  }
  ~EchoProcess() {
    if (pid_ > 0) end(SIGKILL);
    ::close(output_);
  }
  EchoProcess(const EchoProcess&) = delete;
  EchoProcess& operator=(const EchoProcess&) = delete;

  std::string read_line() const {
    std::string line;
    for (char c = 0; ::read(output_, &c, 1) == 1 && c != '\n';) line += c;
    return line;
  }
  /// The wait status.
  int end(int signal) {
    int status = -1;
    ::kill(pid_, signal);
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }

 private:
  pid_t pid_ = -1;
  int output_ = -1;
};

TEST(RunEcho, PrintsItsAddressesAndEndsOnSignals) {
  for (const int signal : {SIGTERM, SIGINT}) {
    EchoOptions options;
    options.listen = any_port();
    options.health_listen = any_port();
    EchoProcess process(options);
    for (const std::string prefix : {"listening on ", "health on "}) {
      const std::string line = process.read_line();
      ASSERT_TRUE(line.starts_with(prefix)) << line;
      const conf::Address address{net::parse_ip_port(line.substr(prefix.size())), {}};
      ASSERT_TRUE(address.ip);
      EXPECT_EQ(status_line(Client(address).send(get("/healthz")).receive()), "HTTP/1.1 200 OK");
    }
    const int status = process.end(signal);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
}

TEST_F(EchoServerTest, TakenPortEndsTheCommandWith71) {
  start();
  EchoOptions options;
  options.listen = address;
  EXPECT_EQ(run_echo(options), 71);
}

TEST_F(EchoServerTest, StopClosesEverything) {
  start();
  Client client(address);
  client.send(get("/")).receive();
  context.run([this] { server->stop(); });
  EXPECT_EQ(client.receive_all(), "");
  EXPECT_THROW(Client{address}, boost::system::system_error);
}

}  // namespace
}  // namespace telltale::proxy
