#include "proxy/health/health_ports.h"

#include "tests/unit/proxy/observe/local_peer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace telltale::proxy {
namespace {

using namespace std::string_literals;
using test::any_port;
using test::body_of;
using test::Client;
using test::get;
using test::status_line;

conf::Service service(std::string name, bool has_port = true) {
  conf::Service conf;
  conf.name = std::move(name);
  if (has_port) conf.health_check_node_port = any_port();
  return conf;
}

/// The ports of `web/shop`, of which there are two endpoints, and of `api`, of which there are none.
class HealthPortsTest : public ::testing::Test {
 protected:
  HealthPortsTest() {
    const std::vector<conf::Service> confs = {service("web/shop"), service("no-port", false), service("api")};
    for (const auto& conf : confs) services.push_back(std::make_shared<Service>(conf, services.size()));
    context.run([this] {
      ports = std::make_unique<HealthPorts>(context.io(), services);
      ports->set_local_endpoints(0, 2);
      ports->set_local_endpoints(1, 1);
      ports->set_proxy_healthy(true);
      shop = *ports->address(0);
      api = *ports->address(2);
    });
  }
  ~HealthPortsTest() override {
    context.run([this] { ports.reset(); });
  }

  test::RunningContext context;
  std::vector<std::shared_ptr<Service>> services;
  std::unique_ptr<HealthPorts> ports;
  conf::Address shop, api;
};

constexpr const char* ok = "HTTP/1.1 200 OK";
constexpr const char* unavailable = "HTTP/1.1 503 Service Unavailable";
const std::string shop_body =
    "{\n\t\"service\": {\n\t\t\"namespace\": \"web\",\n\t\t\"name\": \"shop\"\n\t},\n\t\"localEndpoints\": 2,\n"
    "\t\"serviceProxyHealthy\": true\n}";

TEST_F(HealthPortsTest, AnswerForTheirService) {
  const std::string good = Client(shop).send(get("/healthz")).receive();
  EXPECT_EQ(status_line(good), ok);
  EXPECT_EQ(body_of(good), shop_body);
  EXPECT_NE(good.find("\r\nX-Load-Balancing-Endpoint-Weight: 2\r\n"), std::string::npos) << good;
  const std::string bad = Client(api).send(get("/healthz")).receive();
  EXPECT_EQ(status_line(bad), unavailable);
  EXPECT_NE(bad.find("\"namespace\": \"default\",\n\t\t\"name\": \"api\""), std::string::npos) << bad;
  EXPECT_EQ(ports->address(1), nullptr);
}

TEST_F(HealthPortsTest, AnswerWhateverIsAsked) {
  const struct {
    const char* what;
    std::string request;
    const char* status;
    bool head_only = false;
  } rows[] = {
      {"the path that everybody asks", get("/healthz"), ok},
      {"another path", get("/"), ok},
      {"a long path with a query", get("/a/b/../c%20d?e=f&g"), ok},
      {"the absolute form", get("http://elsewhere/healthz"), ok},
      {"every server", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", ok},
      {"HEAD", "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", ok, true},
      {"POST with a body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", ok},
      {"PUT with a chunked body", "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
       ok},
      {"DELETE", "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", ok},
      {"a method that nobody knows", "PROBE / HTTP/1.1\r\nHost: h\r\n\r\n", ok},
      {"HTTP/1.0 without a Host", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.0 200 OK"},
  };
  Client client(shop);  // one connection for all
  for (const auto& row : rows) {
    const std::string response = client.send(row.request).receive(row.head_only);
    EXPECT_EQ(status_line(response), row.status) << row.what;
    EXPECT_EQ(body_of(response), row.head_only ? "" : shop_body) << row.what;
  }
}

TEST_F(HealthPortsTest, TakeAProxyHeaderOrNone) {
  const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);
  // As an AWS network load balancer sends it: LOCAL, TCP4, and no address block.
  std::string aws = signature + "\x20\x11"s + "\x00\x54"s + "\x03\x00\x04"s + "\x2b\x0c\xf4\x52"s + "\x04\x00\x4a"s;
  aws.append(74, '\0');
  const struct {
    const char* what;
    std::string header;
  } rows[] = {
      {"none", ""},
      {"v1", "PROXY TCP4 203.0.113.9 10.0.0.1 4711 32122\r\n"},
      {"v1 over IPv6", "PROXY TCP6 2001:db8::9 2001:db8::1 4711 32122\r\n"},
      {"v1 UNKNOWN", "PROXY UNKNOWN\r\n"},
      {"v2 PROXY", signature + "\x21\x11\x00\x0c\xcb\x00\x71\x09\x0a\x00\x00\x01\x12\x67\x7d\x7a"s},
      {"v2 LOCAL", signature + "\x20\x00\x00\x00"s},
      {"v2 LOCAL, with addresses and TLVs",
       signature + "\x20\x11\x00\x10\xcb\x00\x71\x09\x0a\x00\x00\x01\x12\x67\x7d\x7a\x04\x00\x01\x00"s},
      {"v2 LOCAL of AWS", aws},
  };
  for (const auto& row : rows) {
    const std::string octets = row.header + get("/healthz");
    for (std::size_t cut = 0; cut < octets.size(); ++cut) {
      Client client(shop);
      if (cut > 0) client.send(std::string_view(octets).substr(0, cut));
      client.send(std::string_view(octets).substr(cut));
      ASSERT_EQ(body_of(client.receive()), shop_body) << row.what << ", cut at " << cut;
      if (cut > 0) continue;
      EXPECT_EQ(body_of(client.send(get("/")).receive()), shop_body) << row.what << ": the next request has none";
    }
  }
}

TEST_F(HealthPortsTest, RefuseWhatIsNoRequestAsGoDoes) {
  const std::string fields = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n";
  const std::string bad = "HTTP/1.1 400 Bad Request" + fields + "400 Bad Request";
  const struct {
    const char* what;
    std::string octets, response;
  } rows[] = {
      {"no HTTP", "hello\r\n\r\n", bad},
      {"no Host in 1.1", "GET / HTTP/1.1\r\n\r\n",
       "HTTP/1.1 400 Bad Request: missing required Host header" + fields +
           "400 Bad Request: missing required Host header"},
      {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", bad},
      {"a PROXY header that is wrong", "PROXY TCP4 1.2.3.4\r\n" + get("/"), bad},
      {"a PROXY header twice", "PROXY UNKNOWN\r\nPROXY UNKNOWN\r\n" + get("/"), bad},
      {"a head too large", get("/", "X: " + std::string(20'000, 'x') + "\r\n"),
       "HTTP/1.1 431 Request Header Fields Too Large" + fields + "431 Request Header Fields Too Large"},
  };
  for (const auto& row : rows) EXPECT_EQ(Client(shop).send(row.octets).receive_all(), row.response) << row.what;
}

TEST_F(HealthPortsTest, CloseAfterWhatTheyDoNotReadToTheEnd) {
  const struct {
    const char* what;
    std::string request;
  } rows[] = {
      {"asked to", get("/", "Connection: close\r\n")},
      {"a body too long", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x')},
      {"a body that waits for a word",
       "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"},
  };
  for (const auto& row : rows) {
    const std::string response = Client(shop).send(row.request).receive_all();
    EXPECT_EQ(status_line(response), ok) << row.what;
    EXPECT_NE(response.find("\r\nConnection: close\r\n"), std::string::npos) << row.what << response;
    EXPECT_EQ(body_of(response), shop_body) << row.what;
  }
}

TEST_F(HealthPortsTest, PipelinedRequestsAreAnsweredInOrder) {
  Client client(shop);
  client.send(get("/1") + "HEAD /2 HTTP/1.1\r\nHost: h\r\n\r\n" + get("/3", "Connection: close\r\n"));
  EXPECT_EQ(body_of(client.receive()), shop_body);
  EXPECT_EQ(body_of(client.receive(true)), "");
  EXPECT_EQ(body_of(client.receive()), shop_body);
  EXPECT_EQ(client.receive_all(), "");
}

TEST_F(HealthPortsTest, FollowWhatChangesOnAConnectionThatStays) {
  Client client(shop);
  EXPECT_EQ(status_line(client.send(get("/")).receive()), ok);
  context.run([this] { ports->set_local_endpoints(0, 0); });
  EXPECT_EQ(status_line(client.send(get("/")).receive()), unavailable);
  context.run([this] { ports->set_local_endpoints(0, 7); });
  EXPECT_EQ(status_line(client.send(get("/")).receive()), ok);
  context.run([this] { ports->set_proxy_healthy(false); });
  const std::string draining = client.send(get("/")).receive();
  EXPECT_EQ(status_line(draining), unavailable);
  EXPECT_NE(draining.find("\"localEndpoints\": 7,\n\t\"serviceProxyHealthy\": false"), std::string::npos) << draining;
  context.run([this] { ports->stop(); });
  EXPECT_EQ(client.receive_all(), "");
}

TEST_F(HealthPortsTest, AreNotHealthyBeforeWeServe) {
  context.run([this] {
    ports.reset();
    ports = std::make_unique<HealthPorts>(context.io(), services);
    ports->set_local_endpoints(0, 1);
    shop = *ports->address(0);
  });
  Client client(shop);
  const std::string early = client.send(get("/")).receive();
  EXPECT_EQ(status_line(early), unavailable);
  EXPECT_NE(early.find("\"localEndpoints\": 1,\n\t\"serviceProxyHealthy\": false"), std::string::npos) << early;
  context.run([this] { ports->set_proxy_healthy(true); });
  EXPECT_EQ(status_line(client.send(get("/")).receive()), ok);
}

TEST_F(HealthPortsTest, WhoHoldsConnectionsOpenDoesNotKeepTheProberOut) {
  std::vector<std::unique_ptr<Client>> idle;
  for (int i = 0; i < 32; ++i) {
    idle.push_back(std::make_unique<Client>(shop));
    ASSERT_EQ(status_line(idle.back()->send(get("/")).receive()), ok);
  }
  EXPECT_EQ(status_line(Client(shop).send(get("/")).receive()), ok);
  EXPECT_EQ(idle.front()->receive_all(), "") << "the oldest gave way";
  EXPECT_EQ(status_line(idle.back()->send(get("/")).receive()), ok);
}

TEST_F(HealthPortsTest, AnAddressThatIsTakenIsSaidAtOnce) {
  conf::Service taken = service("late");
  taken.health_check_node_port = shop;
  const std::vector<std::shared_ptr<Service>> more = {std::make_shared<Service>(service("first"), 0),
                                                      std::make_shared<Service>(taken, 1)};
  context.run([&] { EXPECT_THROW(HealthPorts(context.io(), more), std::system_error); });
}

// What counts.

struct Counted {
  explicit Counted(const conf::Service& conf, const Location& location = {}) {
    services.push_back(std::make_shared<Service>(conf, 0));
    directory = std::make_unique<Directory>(io, services, location, 1, 1);
    directory->begin_with(0, {conf.nodes, conf.endpoints});
  }
  std::size_t count() const {
    directory->first_updates();
    return local_endpoints(*directory, 0);
  }
  void set(std::size_t i, HealthState state) const {
    services[0]->set().nodes[i]->verdict->set(state, "", std::chrono::system_clock::now());
  }
  boost::asio::io_context io;
  std::vector<std::shared_ptr<Service>> services;
  std::unique_ptr<Directory> directory;
};

/// Two endpoints on `here`, three on `there`; one probe each node.
conf::Service two_nodes(conf::TrafficPolicy policy) {
  conf::Service conf;
  conf.name = "shop";
  conf.external_traffic_policy = policy;
  conf.health.emplace().port = 32122;
  for (std::uint8_t i = 1; i <= 2; ++i) {
    conf::Node& node = conf.nodes.emplace_back();
    node.name = i == 1 ? "here" : "there";
    node.host = "10.0.0." + std::to_string(i);
    for (std::uint8_t port = 0; port <= i; ++port) {
      node.endpoints.push_back(
          {.address = {net::IpPort{net::IpAddress::v4(10, 1, 0, i), std::uint16_t(80 + port)}, {}}});
    }
  }
  return conf;
}

TEST(LocalEndpoints, AreThoseThatMayBeChosenOnOurNodeOrFromOutsideAll) {
  using enum HealthState;
  using enum conf::TrafficPolicy;
  const struct {
    const char* what;
    const char* node_name;
    conf::TrafficPolicy policy;
    HealthState here, there;
    std::size_t count;
  } rows[] = {
      {"outside: all", "", cluster, healthy, healthy, 5},
      {"outside: those that are fit", "", local, draining, healthy, 3},
      {"outside: none", "", local, draining, unhealthy, 0},
      {"outside: not probed yet", "", cluster, unknown, unknown, 5},
      {"outside: the unknown ones are not needed", "", cluster, unknown, healthy, 3},
      {"on a node: its own", "here", local, healthy, healthy, 2},
      {"on a node: none of its own", "here", local, unhealthy, healthy, 0},
      {"on a node that has none", "elsewhere", local, healthy, healthy, 0},
      {"on a node under cluster: its own, too", "here", cluster, healthy, healthy, 2},
      {"on a node under cluster: others do not count", "here", cluster, draining, healthy, 0},
  };
  for (const auto& row : rows) {
    const Counted counted(two_nodes(row.policy), {row.node_name, ""});
    counted.set(0, row.here);
    counted.set(1, row.there);
    EXPECT_EQ(counted.count(), row.count) << row.what;
  }
}

TEST(LocalEndpoints, TerminatingOnesServeButDoNotCount) {
  conf::Service conf = two_nodes(conf::TrafficPolicy::cluster);
  for (auto& node : conf.nodes) {
    for (auto& endpoint : node.endpoints) endpoint.terminating = true;
  }
  const Counted counted(conf);
  counted.set(0, HealthState::healthy);
  EXPECT_EQ(counted.count(), 0u);
  EXPECT_GT(counted.directory->eligible_count(0, TrafficKind::external), 0u);
}

TEST(LocalEndpoints, EjectedOnesAndThoseWithoutWeightDoNotCount) {
  conf::Service conf = two_nodes(conf::TrafficPolicy::local);
  conf.nodes[0].endpoints[0].weight = 0;
  const Counted counted(conf, {"here", ""});
  counted.set(0, HealthState::healthy);
  EXPECT_EQ(counted.count(), 1u);
  counted.services[0]->set().endpoints[1]->passive->ejected = true;
  EXPECT_EQ(counted.count(), 0u);
}

}  // namespace
}  // namespace telltale::proxy
