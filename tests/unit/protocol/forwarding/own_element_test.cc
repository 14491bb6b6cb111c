// Our own Forwarded element: names of nodes, extensions.
#include "protocol/forwarding/own_element.h"

#include "protocol/forwarding/forwarded.h"
#include "protocol/forwarding/obfuscation.h"
#include "tests/unit/protocol/forwarding/propagate_support.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace telltale::forwarding {
namespace {

using namespace test;
using Form = NodeName::Form;

constexpr ObfuscationKey key{0x0123456789abcdef, 0xfedcba9876543210};

Template compiled(std::string_view text) {
  std::vector<TemplateFault> faults;
  Template out(text, faults);
  EXPECT_TRUE(faults.empty()) << text;
  return out;
}

std::string id(const char* address, std::uint64_t connection) {
  std::string out;
  append_obfuscated(out, key, address ? net::IpAddress::parse(address) : std::nullopt, connection);
  return out;
}

std::string element(const ForwardedOptions& options, const PeerInfo& peer, std::uint64_t connection = 7) {
  const ClientAddress client;
  RequestFacts facts{peer, client, "http", "a.example:80"};
  facts.connection_number = connection;
  facts.obfuscation_key = &key;
  std::string out;
  const bool written = append_own_element(out, options, peer.hop(), facts);
  EXPECT_EQ(written, !out.empty());
  return out;
}

TEST(OwnElement, NamesItsNodesAsAsked) {
  struct Case {
    const char* description;
    NodeName for_name, by_name;
    bool ports;
    PeerInfo peer;
    std::string expected;
  };
  const PeerInfo nobody;
  const Case cases[] = {
      {"addresses", {}, {}, true, direct, "for=\"198.51.100.7:5000\";by=\"203.0.113.1:80\""},
      {"fixed, without ports", {Form::fixed, "_edge1"}, {Form::fixed, "_b"}, true, direct, "for=_edge1;by=_b"},
      {"fixed, although there is no address", {Form::fixed, "_x"}, {Form::fixed, "_b"}, false, nobody, "for=_x;by=_b"},
      {"unknown", {Form::unknown, ""}, {Form::unknown, ""}, true, direct, "for=unknown;by=unknown"},
      {"by connection",
       {Form::per_connection, ""},
       {Form::per_connection, ""},
       true,
       direct,
       "for=" + id("198.51.100.7", 7) + ";by=" + id("203.0.113.1", 7)},
      {"by process",
       {Form::per_process, ""},
       {Form::per_process, ""},
       false,
       direct,
       "for=" + id("198.51.100.7", 0) + ";by=" + id("203.0.113.1", 0)},
      {"an id for who has no address",
       {Form::per_connection, ""},
       {Form::per_process, ""},
       false,
       nobody,
       "for=" + id(nullptr, 7) + ";by=" + id(nullptr, 0)},
      {"each by itself", {}, {Form::fixed, "_edge"}, false, direct, "for=198.51.100.7;by=_edge"},
  };
  for (const Case& c : cases) {
    ForwardedOptions options;
    options.write_by = true;
    options.write_proto = false;
    options.ports = c.ports;
    options.for_name = c.for_name;
    options.by_name = c.by_name;
    EXPECT_EQ(element(options, c.peer), c.expected) << c.description;
  }
}

TEST(OwnElement, AnIdIsTheSameOnOneConnectionAndAnotherOnTheNext) {
  ForwardedOptions options;
  options.write_proto = false;
  options.for_name.form = Form::per_connection;
  const std::string first = element(options, direct, 1);
  EXPECT_EQ(element(options, direct, 1), first);
  EXPECT_NE(element(options, direct, 2), first);
  EXPECT_NE(element(options, tcp("198.51.100.8:5000"), 1), first) << "two clients behind one hop are two";
  EXPECT_EQ(element(options, tcp("198.51.100.7:6000"), 1), first) << "the port says nothing";
  options.for_name.form = Form::per_process;
  EXPECT_EQ(element(options, direct, 1), element(options, direct, 2));
  EXPECT_NE(element(options, tcp("198.51.100.8:5000"), 1), element(options, direct, 1));
}

TEST(OwnElement, WithoutAKeyNothingIsGivenAway) {
  ForwardedOptions options;
  options.write_by = true;
  options.for_name.form = Form::per_connection;
  options.by_name.form = Form::per_process;
  const ClientAddress client;
  std::string out;
  EXPECT_TRUE(append_own_element(out, options, direct.hop(), {direct, client, "http", "a"}));
  EXPECT_EQ(out, "for=unknown;by=unknown;proto=http");
}

TEST(OwnElement, Extensions) {
  struct Case {
    const char* description;
    std::vector<std::pair<const char*, const char*>> extensions;
    const char* expected;
  };
  const Case cases[] = {
      {"a token", {{"edge", "fra1"}}, "proto=http;edge=fra1"},
      {"quoted", {{"port", "a ${client.provenance}"}}, "proto=http;port=\"a socket\""},
      {"escaped", {{"x", "a\"b\\"}}, "proto=http;x=\"a\\\"b\\\\\""},
      {"an address with colons",
       {{"dst", "${destination.address}:${destination.port}"}},
       "proto=http;dst=\"203.0.113.1:80\""},
      {"an empty one is left out", {{"vpce", "${tlv.aws_vpce_id}"}, {"b", "1"}}, "proto=http;b=1"},
      {"several, in their order", {{"b", "1"}, {"a", "2"}}, "proto=http;b=1;a=2"},
  };
  for (const Case& c : cases) {
    ForwardedOptions options;
    options.write_for = false;
    for (const auto& [name, text] : c.extensions) options.extensions.push_back({name, compiled(text)});
    const std::string out = element(options, direct);
    EXPECT_EQ(out, c.expected) << c.description;
    ForwardedElement parsed;
    EXPECT_TRUE(parse_forwarded_element(out, parsed)) << c.description;
  }
}

TEST(OwnElement, ExtensionsAlone) {
  ForwardedOptions options;
  options.write_for = options.write_proto = false;
  options.extensions.push_back({"vpce", compiled("${tlv.aws_vpce_id}")});
  EXPECT_EQ(element(options, direct), "") << "nothing to say, no element";
  options.extensions.push_back({"x", compiled("y")});
  EXPECT_EQ(element(options, direct), "x=y");
}

TEST(OwnElement, AnExtensionCannotEndTheLine) {
  ForwardedOptions options;
  options.write_for = false;
  options.extensions.push_back({"sni", compiled("a${tls.sni}")});
  const TlsFacts tls{.sni = "\r\nX-Admin: true"};
  const ClientAddress client;
  RequestFacts facts{direct, client, "http", "a"};
  facts.tls = &tls;
  std::string out;
  append_own_element(out, options, direct.hop(), facts);
  EXPECT_EQ(out, "proto=http");
}

// RFC 7239 6.3: the next hop cannot take an obfuscated one for an address, and its walk ends there.
TEST(OwnElement, TheNextHopEndsItsWalkAtAnObfuscatedNode) {
  Propagate p = none();
  p.forwarded.mode = ListMode::append;
  p.forwarded.for_name.form = Form::per_connection;
  const http::HeaderBlock received;
  ClientAddress client;
  resolve_client_address(direct, received, forwarded({}), client);
  RequestFacts facts{direct, client, "http", "a"};
  facts.obfuscation_key = &key;
  facts.connection_number = 9;
  std::string head;
  append_identity_fields(head, received, forwarded({}), p, facts);
  EXPECT_EQ(head, "Forwarded: for=" + id("198.51.100.7", 9) + ";proto=http\r\n");

  ClientAddress next;
  resolve_client_address(lb, fields(head.substr(0, head.size() - 2)), forwarded(private_net()), next);
  EXPECT_EQ(next.address, net::IpAddress::parse("10.0.0.1"));
  ASSERT_EQ(next.rejected.size(), 1u);
  EXPECT_EQ(next.rejected[0].reason, RejectReason::not_an_address);
}

}  // namespace
}  // namespace telltale::forwarding
