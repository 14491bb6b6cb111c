// What check_identity() and its neighbours warn of: legal, and dangerous for who the client is.
#include "conf/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

using testing::ElementsAreArray;

struct Case {
  const char* description;
  std::string text;
  std::vector<std::string> warnings;  ///< `path: message`
};

void expect(std::span<const Case> cases) {
  for (const Case& c : cases) {
    const LoadResult result = load_text(c.text);
    EXPECT_TRUE(result.model) << c.description << "\n" << render(result, "x");
    std::vector<std::string> found;
    for (const Diagnostic& d : result.diagnostics) {
      EXPECT_EQ(d.severity, Severity::warning) << c.description;
      EXPECT_NE(d.hint, "") << c.description << ": a hint says what would be right";
      EXPECT_GT(d.line, 0u) << c.description;
      found.push_back(d.path + ": " + d.message);
    }
    EXPECT_THAT(found, ElementsAreArray(c.warnings)) << c.description << "\n" << c.text;
  }
}

std::string file_with(std::string_view client_ip, std::string_view service) {
  return "listeners: [{name: web, listen: ':80', service: app, client_ip: {" + std::string(client_ip) +
         "}}]\nservices: [{name: app, " + std::string(service) + "}]\n";
}

const std::string ip = "listeners[0].client_ip.";
const char* const elsewhere = "endpoints: [192.0.2.1:80]";
const char* const nodes =
    "port: 30080, nodes: [{name: a, address: 10.1.0.11}, {name: b, address: 10.1.0.12}], health: {port: 32000}";

TEST(CheckIdentity, WarnsOfTrustedRangesThatHoldNodesOrBackends) {
  const std::string snat =
      "where kube-proxy replaces a client's address by a node's (externalTrafficPolicy: Cluster), every client would "
      "be "
      "believed";
  const Case cases[] = {
      {"neither", file_with("trusted: [10.0.0.0/16]", nodes), {}},
      {"the nodes: SNAT would make everybody trusted",
       file_with("trusted: [192.0.2.0/24, 10.0.0.0/8]", nodes),
       {ip + "trusted[1]: 10.0.0.0/8 holds the node \"a\" of the service \"app\" (10.1.0.11): " + snat}},
      {"one node",
       file_with("trusted: [10.1.0.12]", nodes),
       {ip + "trusted[0]: 10.1.0.12/32 holds the node \"b\" of the service \"app\" (10.1.0.12): " + snat}},
      {"by the addresses of a preset",
       file_with("behind: aws-alb, from: [10.1.0.0/16]", nodes),
       {ip + "from[0]: 10.1.0.0/16 holds the node \"a\" of the service \"app\" (10.1.0.11): " + snat}},
      {"a backend",
       file_with("trusted: [192.0.2.0/24]", elsewhere),
       {ip +
        "trusted[0]: 192.0.2.0/24 holds a backend of the service \"app\" (192.0.2.1): who gets hold of a backend can "
        "say who the client is"}},
      {"a backend inside a published list",
       file_with("behind: cloudflare", "endpoints: ['104.16.0.9:80']"),
       {ip +
        "behind: 104.16.0.0/13 holds a backend of the service \"app\" (104.16.0.9): who gets hold of a backend can "
        "say who the client is"}},
      {"likewise, named in a list",
       file_with("trusted: [10.0.0.0/16, cloudflare]", "endpoints: ['104.16.0.9:80']"),
       {ip +
        "trusted[1]: 104.16.0.0/13 holds a backend of the service \"app\" (104.16.0.9): who gets hold of a backend "
        "can say who the client is"}},
      {"endpoints of a node that is elsewhere",
       file_with("trusted: [10.2.0.0/16]", "nodes: [{name: a, address: 10.1.0.11, endpoints: [10.2.0.9:80]}]"),
       {ip +
        "trusted[0]: 10.2.0.0/16 holds a backend of the service \"app\" (10.2.0.9): who gets hold of a backend can "
        "say who the client is"}},
      {"not routed to",
       "listeners: [{listen: ':80', routes: [{respond: {}}], client_ip: {trusted: [192.0.2.0/24]}}]\n"
       "services: [{name: app, endpoints: [192.0.2.1:80]}]\n",
       {"services[0].name: no route leads to the service \"app\""}},
  };
  expect(cases);
}

TEST(CheckIdentity, WarnsOfRulesThatAreLeftNothing) {
  const auto rules = [](std::string_view list) {
    return file_with("proxy_protocol: [" + std::string(list) + "]", elsewhere);
  };
  const std::string never = ": this rule can never match: the ones before it hold all of its addresses";
  const Case cases[] = {
      {"narrow before wide", rules("{from: [10.0.0.0/16], policy: require}, {from: [10.0.0.0/8], policy: forbid}"), {}},
      {"wide before narrow",
       rules("{from: [10.0.0.0/8], policy: require}, {from: [10.0.0.0/16, 10.9.0.1], policy: accept}"),
       {ip + "proxy_protocol[1]" + never}},
      {"half of it",
       rules("{from: [10.0.0.0/8], policy: require}, {from: [10.0.0.0/16, 192.0.2.7], policy: accept}"),
       {}},
      {"by several together",
       rules("{from: [10.0.0.0/8], policy: require}, {from: [unix], policy: require}, "
             "{from: [unix, 10.1.0.0/16], policy: accept}"),
       {ip + "proxy_protocol[2]" + never}},
      {"unix is no address",
       rules("{from: [10.0.0.0/8], policy: require}, {from: [10.0.0.0/8, unix], policy: accept}"),
       {}},
      {"a family is not the other",
       rules("{from: [10.0.0.0/8], policy: require}, {from: ['2001:db8::/32'], policy: accept}"),
       {}},
      {"a published list twice",
       rules("{from: [cloudflare], policy: require}, {from: [cloudflare], policy: accept}"),
       {ip + "proxy_protocol[1]" + never}},
  };
  expect(cases);
}

TEST(CheckIdentity, WarnsOfTwoIdentitiesThatAreBothBelieved) {
  const std::string both =
      " may send a PROXY header (`accept`), and its \"x-forwarded-for\" is believed too: behind a load balancer that "
      "sends "
      "neither, a client writes both";
  const std::string pass = ": `pass` lets through whatever a client wrote, forged or not";
  const Case cases[] = {
      {"PROXY, if it comes, and the header of the same hops",
       file_with("proxy_protocol: [{from: [10.0.0.0/16], policy: accept}], trusted: [192.0.2.128/25, 10.0.3.0/24]",
                 elsewhere),
       {ip + "trusted[1]: 10.0.3.0/24" + both}},
      {"PROXY always",
       file_with("proxy_protocol: [{from: [10.0.0.0/16], policy: require}], trusted: [10.0.0.0/16]", elsewhere),
       {}},
      {"of other hops",
       file_with("proxy_protocol: [{from: [10.0.0.0/16], policy: accept}], trusted: [10.1.0.0/16]", elsewhere),
       {}},
      {"no header is believed",
       file_with("proxy_protocol: [{from: [10.0.0.0/16], policy: accept}], trusted: [10.0.0.0/16], header: none",
                 elsewhere),
       {}},
      {"another header goes on as it came",
       file_with("header: cf-connecting-ip, trusted: [cloudflare]",
                 std::string(elsewhere) + ", propagate: {x_forwarded_for: pass}"),
       {"services[0].propagate.x_forwarded_for" + pass,
        "services[0].propagate.x_forwarded_for: the listener \"web\" believes \"cf-connecting-ip\", and "
        "X-Forwarded-For "
        "goes on as it came: a backend that believes both is told two clients"}},
      {"Forwarded beside X-Forwarded-For",
       file_with("trusted: [10.0.0.0/16]", std::string(elsewhere) + ", propagate: {forwarded: {mode: pass}}"),
       {"services[0].propagate.forwarded" + pass,
        "services[0].propagate.forwarded: the listener \"web\" believes \"x-forwarded-for\", and Forwarded goes on as "
        "it "
        "came: a backend that believes both is told two clients"}},
      {"the one that is believed",
       file_with("trusted: [10.0.0.0/16]", std::string(elsewhere) + ", propagate: {x_forwarded_for: pass}"),
       {"services[0].propagate.x_forwarded_for" + pass}},
  };
  expect(cases);
}

TEST(CheckIdentity, WarnsOfPoolsThatKeepNoConnectionWithAnIdentity) {
  const std::string none =
      "services[0].pool: with `max_idle_identities: 0` every request opens a connection: none that "
      "carried a PROXY header, or comes from a client's address, is kept";
  const std::string tcp = std::string(elsewhere) + ", health: {tcp: true}, ";
  const Case cases[] = {
      {"PROXY out, none kept",
       file_with("", tcp + "pool: {max_idle_identities: 0}, propagate: {proxy_protocol: v2}"),
       {none}},
      {"PROXY out, some kept",
       file_with("", tcp + "pool: {max_idle_identities: 1}, propagate: {proxy_protocol: v1}"),
       {}},
      {"the client's own address, none kept",
       file_with("", tcp + "pool: {max_idle_identities: 0}, propagate: {source_address: transparent}"),
       {none}},
      {"neither", file_with("", tcp + "pool: {max_idle_identities: 0}"), {}},
  };
  expect(cases);
}

TEST(CheckIdentity, WarnsOfAssertionsInTlvsThatDoNotComeOrGoOn) {
  const std::string looked_for = "assertion: {key_file: k, tlv: 0xE4}";
  const std::string nobody = ip + "assertion.tlv: has no effect: no rule of `proxy_protocol` takes a PROXY v2 header";
  const auto rule = [&](const char* how) {
    return file_with(looked_for + ", proxy_protocol: [{from: [192.0.2.9], " + how + "}]", elsewhere);
  };
  const auto passing = [&](const char* type, const char* passed) {
    return file_with(std::string("assertion: {key_file: k, tlv: ") + type +
                         "}, proxy_protocol: [{from: [192.0.2.9], policy: require}]",
                     std::string(elsewhere) + ", propagate: {proxy_protocol: v2, pass_tlvs: [" + passed + "]}");
  };
  const auto goes_on = [](const std::string& type) {
    return "services[0].propagate.pass_tlvs: the listener \"web\" looks for a signed assertion in " + type +
           ", and it goes on: whoever sees one can use it for a while";
  };
  const Case cases[] = {
      {"only in the head", file_with("assertion: {key_file: k}", elsewhere), {}},
      {"from who must send it", rule("policy: require"), {}},
      {"from who may", rule("policy: accept, version: v2"), {}},
      {"nobody sends a PROXY header", file_with(looked_for, elsewhere), {nobody}},
      {"it is dropped", rule("policy: ignore"), {nobody}},
      {"v1 has no TLVs", rule("policy: require, version: v1"), {nobody}},
      {"another one goes on", passing("0xE4", "0xE5"), {}},
      {"it goes on", passing("0xE4", "0xE4"), {goes_on("0xE4")}},
      {"under a name of its type", passing("0xE0", "gcp_psc_connection_id"), {goes_on("0xE0")}},
  };
  expect(cases);
}

}  // namespace
}  // namespace telltale::conf
