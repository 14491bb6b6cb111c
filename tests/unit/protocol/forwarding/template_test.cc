#include "protocol/forwarding/template.h"

#include "protocol/forwarding/template_pieces.h"
#include "protocol/proxy_protocol/serializer.h"
#include "tests/unit/protocol/forwarding/support.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace telltale::forwarding {
namespace {

using namespace test;

// `text@offset` of each piece: variables in angle brackets, what is not closed in parentheses.
std::string pieces_of(std::string_view text) {
  std::string out;
  TemplatePieces pieces(text);
  for (TemplatePiece piece; pieces.next(piece);) {
    const char* const around = piece.kind == TemplatePiece::Kind::literal    ? "''"
                               : piece.kind == TemplatePiece::Kind::variable ? "<>"
                                                                             : "()";
    out += around[0] + std::string(piece.text) + around[1] + std::to_string(piece.offset) + " ";
  }
  return out;
}

TEST(TemplatePieces, EachForm) {
  struct Case {
    const char* description;
    const char* text;
    const char* expected;
  };
  const Case cases[] = {
      {"empty", "", ""},
      {"text alone", "abc", "'abc'0 "},
      {"a variable alone", "${a.b}", "<a.b>0 "},
      {"text around", "x${a}y", "'x'0 <a>1 'y'5 "},
      {"two in a row", "${a}${b}", "<a>0 <b>4 "},
      {"an empty name", "${}", "<>0 "},
      {"two dollars are one", "a$$b", "'a'0 '$'1 'b'3 "},
      {"two dollars before a brace are no variable", "$${a}", "'$'0 '{a}'2 "},
      {"three dollars: one, and a variable", "$$${a}", "'$'0 <a>2 "},
      {"four dollars are two", "$$$$", "'$'0 '$'2 "},
      {"a dollar before anything else is itself", "a$b$", "'a'0 '$b'1 '$'3 "},
      {"not closed", "x${a", "'x'0 (${a)1 "},
      {"not closed behind a variable", "${a}${", "<a>0 (${)4 "},
      {"a brace inside is part of the name", "${a{b}c}", "<a{b>0 'c}'6 "},
      {"braces alone mean nothing", "{a}", "'{a}'0 "},
  };
  for (const Case& c : cases) EXPECT_EQ(pieces_of(c.text), c.expected) << c.description;
}

std::string faults_of(std::string_view text) {
  std::vector<TemplateFault> faults;
  const Template compiled(text, faults);
  EXPECT_EQ(compiled.text(), text);
  std::string out;
  for (const TemplateFault& fault : faults) {
    constexpr const char* kinds[] = {"unclosed", "variable", "tlv", "control", "many"};
    out += std::string(kinds[static_cast<std::size_t>(fault.kind)]) + "@" + std::to_string(fault.offset) + ":" +
           std::string(fault.name) + " ";
  }
  return out;
}

TEST(Template, FindsWhatIsWrongAtItsPlace) {
  struct Case {
    const char* description;
    std::string text;
    std::string expected;
  };
  std::string sixteen;
  for (int i = 0; i < 16; ++i) sixteen += "${peer.port}";
  const Case cases[] = {
      {"nothing wrong", "a ${client.address} $$ $ b", ""},
      {"empty", "", ""},
      {"unknown variable", "ab${client.adress}", "variable@2:client.adress "},
      {"every one of them", "${a}${client.port}${b}", "variable@0:a variable@18:b "},
      {"an empty name", "${}", "variable@0: "},
      {"white space in a name", "${ client.port}", "variable@0: client.port "},
      {"another case", "${Client.Address}", "variable@0:Client.Address "},
      {"unclosed", "x${client.address", "unclosed@1:${client.address "},
      {"a TLV by name", "${tlv.aws_vpce_id}", ""},
      {"a TLV by type", "${tlv.0xE3}", ""},
      {"no TLV", "x${tlv.aws_vpc_id}", "tlv@1:aws_vpc_id "},
      {"a TLV without a name", "${tlv.}", "tlv@0: "},
      {"a line break", "a\nb", "control@1:\n "},
      {"NUL", std::string("a\0", 2), std::string("control@1:\0 ", 12)},
      {"DEL behind a variable", "${client.port}\x7f", "control@14:\x7f "},
      {"a tab is text", "a\tb", ""},
      {"octets above ASCII are text", "\xC3\xA4", ""},
      {"sixteen variables", sixteen, ""},
      {"seventeen", sixteen + "${peer.port}", "many@192:peer.port "},
      {"eighteen: said once", sixteen + "${peer.port}${peer.port}", "many@192:peer.port "},
  };
  for (const Case& c : cases) EXPECT_EQ(faults_of(c.text), c.expected) << c.description;
}

TEST(Template, KnowsEveryNameThatItLists) {
  for (const std::string_view name : template_variables()) {
    EXPECT_EQ(faults_of("${" + std::string(name) + "}"), "") << name;
    EXPECT_EQ(is_request_variable(name), name.substr(0, 8) == "request.") << name;
    std::vector<TemplateFault> faults;
    EXPECT_EQ(Template("${" + std::string(name) + "}", faults).uses_tls(), name.substr(0, 4) == "tls.") << name;
  }
  EXPECT_EQ(template_variables().size(), 24u);
}

Template compiled(std::string_view text) {
  std::vector<TemplateFault> faults;
  Template out(text, faults);
  EXPECT_TRUE(faults.empty()) << text;
  return out;
}

struct Scene {
  PeerInfo peer = proxied("10.0.0.1:1000", "198.51.100.7:5000", "203.0.113.9:443");
  ClientAddress client;
  ClientCertificate certificate{.subject = "CN=x",
                                .issuer = "CN=ca",
                                .common_name = "x",
                                .serial = "0A",
                                .fingerprint = "ab",
                                .sans = {"DNS:x.example", "URI:spiffe://a/x"},
                                .der = ""};
  TlsFacts tls{.sni = "a.example", .version = "TLSv1.3", .cipher = "AES", .alpn = "h2", .client_cert = &certificate};

  Scene() {
    client.address = net::IpAddress::parse("2001:db8::1");
    client.port = 4711;
    client.provenance = Provenance::header;
    proxy_protocol::append_tlv(peer.tlvs, proxy_protocol::TlvType{0xea}, std::string("\x01vpce-1", 7));
    proxy_protocol::append_tlv(peer.tlvs, proxy_protocol::TlvType{0xe3}, "a\r\nX: y");
  }
  RequestFacts facts() const {
    return {.peer = peer,
            .client = client,
            .scheme = "https",
            .host = "shop.example:8443",
            .method = "GET",
            .target = "/a/b?c=d",
            .listener = "web",
            .id_high = 0x0123456789abcdef,
            .id_low = 0xf,
            .tls = &tls};
  }
};

TEST(Template, EachVariableHasItsValue) {
  struct Case {
    const char* text;
    const char* expected;
  };
  const Case cases[] = {
      {"", ""},
      {"text $$ $", "text $ $"},
      {"${client.address}", "2001:db8::1"},
      {"${client.port}", "4711"},
      {"${client.provenance}", "header"},
      {"${peer.address}", "10.0.0.1"},
      {"${peer.port}", "1000"},
      {"${destination.address}", "203.0.113.9"},
      {"${destination.port}", "443"},
      {"${listener.name}", "web"},
      {"${tls.sni}", "a.example"},
      {"${tls.version}", "TLSv1.3"},
      {"${tls.cipher}", "AES"},
      {"${tls.alpn}", "h2"},
      {"${tls.client_cert.subject}", "CN=x"},
      {"${request.id}", "0123456789abcdef000000000000000f"},
      {"${request.method}", "GET"},
      {"${request.scheme}", "https"},
      {"${request.host}", "shop.example"},
      {"${request.authority}", "shop.example:8443"},
      {"${request.path}", "/a/b"},
      {"${tlv.aws_vpce_id}", "vpce-1"},
      {"<${client.address}>:${client.port}, ${tlv.aws_vpce_id}!", "<2001:db8::1>:4711, vpce-1!"},
  };
  const Scene scene;
  for (const Case& c : cases) {
    std::string out = "x";
    compiled(c.text).append_to(out, scene.facts());
    EXPECT_EQ(out, std::string("x") + c.expected) << c.text;
  }
}

TEST(Template, WhatIsNotKnownIsEmpty) {
  const PeerInfo peer;
  const ClientAddress client;
  const RequestFacts facts{peer, client, "", ""};
  for (const std::string_view name : template_variables()) {
    std::string out;
    compiled("${" + std::string(name) + "}").append_to(out, facts);
    EXPECT_EQ(out, name == "client.provenance" ? "socket" : "") << name;
  }
  std::string out;
  compiled("${tlv.aws_vpce_id}${tlv.ssl_cn}").append_to(out, facts);
  EXPECT_EQ(out, "");
}

TEST(Template, HostKeepsTheBracketsOfIpv6) {
  const PeerInfo peer;
  const ClientAddress client;
  for (const char* authority : {"[2001:db8::1]", "[2001:db8::1]:80"}) {
    std::string out;
    compiled("${request.host}").append_to(out, {peer, client, "http", authority});
    EXPECT_EQ(out, "[2001:db8::1]");
  }
}

TEST(Template, AFieldValueIsOneOrNone) {
  struct Case {
    const char* description;
    const char* text;
    std::string sni;
    const char* expected;  // nullptr: none
  };
  const Case cases[] = {
      {"a value", "${tls.sni}", "a", "a"},
      {"empty", "${tls.sni}", "", nullptr},
      {"an empty template", "", "", nullptr},
      {"white space alone", " ${tls.sni}\t", "", nullptr},
      {"white space around is not part of it", " \t${tls.sni} ", "a b", "a b"},
      {"text alone", "edge", "", "edge"},
      {"text around an empty variable", "id=${tls.sni}", "", "id="},
      {"header injection", "${tls.sni}", "a\r\nX-Admin: true", nullptr},
      {"a line feed alone", "x${tls.sni}", "\n", nullptr},
      {"a carriage return", "x${tls.sni}", "\r", nullptr},
      {"NUL", "${tls.sni}", std::string("a\0b", 3), nullptr},
      {"DEL", "${tls.sni}", "\x7f", nullptr},
      {"ESC", "${tls.sni}", "\x1b[2J", nullptr},
      {"a tab inside", "${tls.sni}", "a\tb", "a\tb"},
      {"octets above ASCII (obs-text)", "${tls.sni}", "\xC3\xA4", "\xC3\xA4"},
      {"a TLV's text has its own escapes", "${tlv.0xE3}", "", "0x610d0a583a2079"},
  };
  for (const Case& c : cases) {
    Scene scene;
    scene.tls.sni = c.sni;
    std::string out = "X: ";
    EXPECT_EQ(compiled(c.text).append_field_value(out, scene.facts()), c.expected != nullptr) << c.description;
    EXPECT_EQ(out, std::string("X: ") + (c.expected ? c.expected : "")) << c.description;
  }
}

TEST(Template, ACopyStandsForItself) {
  const Scene scene;
  std::string out;
  Template copy;
  {
    const Template original = compiled("a long enough literal ${client.port}");
    copy = original;
  }
  copy.append_to(out, scene.facts());
  EXPECT_EQ(out, "a long enough literal 4711");
}

}  // namespace
}  // namespace telltale::forwarding
