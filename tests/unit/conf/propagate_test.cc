// Templates and the names of nodes in `propagate`.
#include "conf/expand.h"
#include "conf/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace telltale::conf {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

constexpr std::string_view above =
    "listeners: [{listen: ':80', service: web, client_ip: {proxy_protocol: [{from: [::1], policy: require}]}}]\n"
    "services:\n"
    "- name: web\n"
    "  endpoints: [10.0.0.1:80]\n"
    "  propagate:\n";

/// The lines of `propagate` begin in line 6.
LoadResult load(std::string_view lines) {
  return load_text(std::string(above) + std::string(lines), [](std::string_view) { return std::nullopt; });
}

/// `line:column: severity: path below propagate: message`.
std::vector<std::string> findings(std::string_view lines) {
  std::vector<std::string> out;
  for (const Diagnostic& d : load(lines).diagnostics) {
    std::string path = d.path;
    constexpr std::string_view prefix = "services[0].propagate.";
    if (path.starts_with(prefix)) path.erase(0, prefix.size());
    out.push_back(std::to_string(d.line) + ":" + std::to_string(d.column) + ": " +
                  (d.severity == Severity::error ? "error: " : "warning: ") + path + ": " + d.message);
  }
  return out;
}

std::string hint_of(std::string_view lines) {
  const LoadResult result = load(lines);
  return result.diagnostics.empty() ? "" : result.diagnostics[0].hint;
}

struct Case {
  const char* what;
  std::string lines;
  std::vector<std::string> findings;
};
void expect(std::span<const Case> cases) {
  for (const Case& c : cases) EXPECT_THAT(findings(c.lines), ElementsAreArray(c.findings)) << c.what << "\n" << c.lines;
}

TEST(Headers, EachThingThatIsWrongHasItsColumn) {
  const Case cases[] = {
      {"nothing", "    headers:\n      X-Client: \"${client.address}\"\n      X_Id: 'a ${request.id} $$'\n", {}},
      {"no entry", "    headers: {}\n", {}},
      {"an unknown variable",
       "    headers: { X-A: \"ab${clint.address}\" }\n",
       {"6:24: error: headers.X-A: there is no variable \"clint.address\""}},
      {"every one",
       "    headers:\n      X-A: \"${a}${client.port}${b}\"\n      X-B: '${c}'\n",
       {"7:13: error: headers.X-A: there is no variable \"a\"", "7:31: error: headers.X-A: there is no variable \"b\"",
        "8:13: error: headers.X-B: there is no variable \"c\""}},
      {"behind an escape of YAML",
       "    headers: { X-A: \"\\\"\\u00e4${a}\" }\n",
       {"6:30: error: headers.X-A: there is no variable \"a\""}},
      {"behind two single quotes",
       "    headers: { X-A: '''${a}' }\n",
       {"6:24: error: headers.X-A: there is no variable \"a\""}},
      {"in a plain scalar",
       "    headers:\n      X-A: ab ${a}\n",
       {"7:15: error: headers.X-A: there is no variable \"a\""}},
      {"not closed",
       "    headers: { X-A: \"x${client.address\" }\n",
       {"6:23: error: headers.X-A: a `${` without its `}`"}},
      {"a TLV by a wrong name",
       "    headers: { X-A: \"${tlv.aws_vpc_id}\" }\n",
       {"6:22: error: headers.X-A: there is no TLV \"aws_vpc_id\""}},
      {"a line break",
       "    headers: { X-A: \"a\\nb\" }\n",
       {"6:23: error: headers.X-A: \"\\n\": a control character cannot be sent"}},
      {"a block scalar leaves one",
       "    headers:\n      X-A: |\n        ab\n",
       {"8:11: error: headers.X-A: \"\\n\": a control character cannot be sent"}},
      {"a stripped block scalar does not", "    headers:\n      X-A: |-\n        ab ${client.port}\n", {}},
      {"a list for a template", "    headers: { X-A: [b] }\n", {"6:21: error: headers.X-A: a template is wanted here"}},
      {"no template", "    headers: { X-A: }\n", {"6:21: error: headers.X-A: a template is wanted here"}},
      {"a list for the map", "    headers: [a]\n", {"6:14: error: headers: a map is wanted here, not a list"}},
      {"too long",
       "    headers: { X-A: " + std::string(4097, 'a') + " }\n",
       {"6:21: error: headers.X-A: the template is too long"}},
      {"no name of a header",
       "    headers: { \"X A\": b }\n",
       {"6:16: error: headers.\"X A\": \"X A\" is not a header name"}},
  };
  expect(cases);
}

TEST(Headers, HintsSayWhatWasMeant) {
  EXPECT_EQ(hint_of("    headers: { X-A: \"${client.adress}\" }\n"), "did you mean \"client.address\"?");
  EXPECT_EQ(hint_of("    headers: { X-A: \"${tlv.aws_vpc_id}\" }\n"), "did you mean \"aws_vpce_id\"?");
  EXPECT_THAT(hint_of("    headers: { X-A: \"${HOSTNAME}\" }\n"),
              testing::StartsWith("environment variables are not expanded in a template"));
}

TEST(Headers, NamesThatTelltaleWritesItselfAreRefusedWithTheReason) {
  struct Name {
    const char* name;
    const char* why;
  };
  const Name names[] = {
      {"Connection", "it manages the connection"},
      {"transfer-encoding", "it manages the connection"},
      {"TE", "it manages the connection"},
      {"Trailer", "it manages the connection"},
      {"Upgrade", "it manages the connection"},
      {"Keep_Alive", "it manages the connection"},
      {"Proxy-Connection", "it manages"},
      {"HTTP2-Settings", "it manages the connection"},
      {"Content-Length", "where the body ends"},
      {"content_length", "where the body ends"},
      {"Expect", "hop by hop"},
      {"Host", "what the request is for"},
      {"Proxy-Authorization", "between a client"},
      {"Via", "`via` writes it"},
      {"Forwarded", "`forwarded` writes it"},
      {"X_Forwarded_For", "`x_forwarded_for` writes it"},
      {"X-Forwarded-Proto", "`x_forwarded_proto`"},
      {"X-Forwarded-Host", "`x_forwarded_host`"},
      {"X-Forwarded-Port", "`x_forwarded_port`"},
      {"X-Real-IP", "`x_real_ip` writes it"},
      {"X-Telltale-Client", "the signed assertion"},
  };
  for (const Name& each : names) {
    const auto found = findings("    headers: { " + std::string(each.name) + ": a }\n");
    ASSERT_EQ(found.size(), 1u) << each.name;
    EXPECT_THAT(found[0],
                testing::AllOf(testing::HasSubstr("6:16: error: headers."),
                               testing::HasSubstr("cannot be written by a template: "), testing::HasSubstr(each.why)));
  }
  for (const char* name : {"X-Client-IP", "True-Client-IP", "Client-Cert", "Authorization", "Cookie"}) {
    EXPECT_THAT(findings("    headers: { " + std::string(name) + ": a }\n"), ElementsAre()) << name;
  }
}

TEST(Headers, TlvsWantAListenerThatTakesThem) {
  struct Row {
    const char* lines;
    const char* place;
  };
  const Row rows[] = {
      {"    headers: { X-A: \"${tlv.aws_vpce_id}\" }\n", "services[0].propagate.headers"},
      {"    proxy_protocol: v2\n    custom_tlvs: { 0xE1: \"${tlv.0xE3}\" }\n", "services[0].propagate.custom_tlvs"},
      {"    forwarded: { mode: append, extensions: { a: \"${tlv.0xE3}\" } }\n", "services[0].propagate.forwarded"},
  };
  for (const Row& row : rows) {
    EXPECT_THAT(findings(row.lines), ElementsAre()) << row.lines;
    std::string file = std::string(above) + row.lines;
    file.replace(file.find("policy: require"), 15, "policy: ignore");
    const auto diagnostics = load_text(file).diagnostics;
    ASSERT_EQ(diagnostics.size(), 1u) << row.lines;
    EXPECT_EQ(diagnostics[0].path, row.place);
    EXPECT_EQ(diagnostics[0].message,
              "${tlv.…} in it is always empty: no listener that leads here lets anybody send a PROXY header");
  }
}

TEST(Headers, OneHeaderIsGivenOnce) {
  const Case cases[] = {
      {"in another case, with an underscore",
       "    headers:\n      X-Client: a\n      x_client: b\n",
       {"8:7: error: headers.x_client: \"x_client\" is the same header as \"X-Client\""}},
      {"exactly", "    headers:\n      X-A: a\n      X-A: b\n", {"8:7: error: : the field \"X-A\" is given twice"}},
  };
  expect(cases);
}

TEST(Headers, AreBounded) {
  std::string lines = "    headers:\n";
  for (int i = 0; i < 64; ++i) lines += "      X-" + std::to_string(i) + ": a\n";
  EXPECT_THAT(findings(lines), ElementsAre());
  EXPECT_THAT(findings(lines + "      X-64: a\n"), ElementsAre("7:7: error: headers: too many entries"));
}

TEST(CustomTlvs, EachThingThatIsWrong) {
  const Case cases[] = {
      {"nothing",
       "    proxy_protocol: v2\n    custom_tlvs: { 0xE0: a, 0xEf: \"${client.address}\", \"0xea\": \"${tlv.0xEA}\" }\n",
       {}},
      {"types that are not for applications",
       "    proxy_protocol: v2\n    custom_tlvs: { 0x05: a, 0xF0: b, 0xE: c, 224: d, aws_vpce_id: e, 0xE10: f }\n",
       {"7:20: error: custom_tlvs.0x05: \"0x05\" is not a TLV type for applications",
        "7:29: error: custom_tlvs.0xF0: \"0xF0\" is not a TLV type for applications",
        "7:38: error: custom_tlvs.0xE: \"0xE\" is not a TLV type for applications",
        "7:46: error: custom_tlvs.224: \"224\" is not a TLV type for applications",
        "7:54: error: custom_tlvs.aws_vpce_id: \"aws_vpce_id\" is not a TLV type for applications",
        "7:70: error: custom_tlvs.0xE10: \"0xE10\" is not a TLV type for applications"}},
      {"one twice",
       "    proxy_protocol: v2\n    custom_tlvs: { 0xEA: a, 0xea: b }\n",
       {"7:29: error: custom_tlvs.0xea: \"0xea\" is given twice"}},
      {"without a PROXY header",
       "    custom_tlvs: { 0xE1: a }\n",
       {"6:18: error: custom_tlvs: only a PROXY header of version 2 has TLVs"}},
      {"with version 1",
       "    proxy_protocol: v1\n    custom_tlvs: { 0xE1: a }\n",
       {"7:18: error: custom_tlvs: only a PROXY header of version 2 has TLVs"}},
      {"variables of one request",
       "    proxy_protocol: v2\n    custom_tlvs: { 0xE1: \"${client.port}${request.path}${request.id}\" }\n",
       {"7:41: error: custom_tlvs.0xE1: ${request.path} is of one request, and a PROXY header is for all of a "
        "connection",
        "7:56: error: custom_tlvs.0xE1: ${request.id} is of one request, and a PROXY header is for all of a "
        "connection"}},
      {"an unknown variable",
       "    proxy_protocol: v2\n    custom_tlvs: { 0xE1: \"${x}\" }\n",
       {"7:27: error: custom_tlvs.0xE1: there is no variable \"x\""}},
  };
  expect(cases);
}

TEST(Forwarded, NamesOfNodesAndExtensions) {
  const Case cases[] = {
      {"each form", "    forwarded: { mode: append, parameters: [for, by], for: per_connection, by: _edge1 }\n", {}},
      {"the words", "    forwarded: { mode: replace, for: per_process, by: unknown, parameters: [for, by] }\n", {}},
      {"a misspelt word",
       "    forwarded: { mode: append, for: per_conection }\n",
       {"6:37: error: forwarded.for: \"per_conection\" is neither a way to name a node nor an identifier (RFC 7239 "
        "6.3)"}},
      {"an identifier with a wrong octet",
       "    forwarded: { mode: append, for: \"_a b\" }\n",
       {"6:37: error: forwarded.for: \"_a b\" is neither a way to name a node nor an identifier (RFC 7239 6.3)"}},
      {"one without effect",
       "    forwarded: { mode: append, by: _edge1 }\n",
       {"6:36: warning: forwarded.by: has no effect: `parameters` does not name `by`"}},
      {"extensions", "    forwarded: { mode: append, extensions: { edge: fra1, vpce: \"${tlv.aws_vpce_id}\" } }\n", {}},
      {"extensions with wrong names",
       "    forwarded: { mode: append, extensions: { For: a, \"a b\": c, x: d, X: e } }\n",
       {"6:46: error: forwarded.extensions.For: \"For\" is one of the four that `parameters` chooses",
        "6:54: error: forwarded.extensions.\"a b\": \"a b\" is not the name of a parameter",
        "6:70: error: forwarded.extensions.X: \"X\" is the same parameter as \"x\""}},
      {"an unknown variable",
       "    forwarded: { mode: append, extensions: { x: \"${y}\" } }\n",
       {"6:50: error: forwarded.extensions.x: there is no variable \"y\""}},
      {"without effect",
       "    forwarded: { mode: remove, extensions: { x: y } }\n",
       {"6:44: warning: forwarded.extensions: has no effect: with `mode: remove` no element is written"}},
  };
  expect(cases);
}

TEST(Propagate, IsReadInItsOrderAndWrittenOutAgain) {
  const LoadResult result = load(
      "    proxy_protocol: v2\n"
      "    forwarded: { mode: append, parameters: [for, by], for: per_process, by: _e, extensions: { b: x, a: "
      "\"${peer.port}\" } }\n"
      "    custom_tlvs: { 0xE2: b, 0xE1: \"${client.address}\" }\n"
      "    headers: { X-B: \"$${HOME} ${client.port}\", \"!x\": a }\n");
  ASSERT_TRUE(result.model) << render(result, "x");
  const auto& propagate = result.model->services[0].propagate;
  ASSERT_EQ(propagate.headers.size(), 2u);
  EXPECT_EQ(propagate.headers[0].name, "X-B");
  EXPECT_EQ(propagate.headers[0].value.text(), "$${HOME} ${client.port}");
  ASSERT_EQ(propagate.custom_tlvs.size(), 2u);
  EXPECT_EQ(propagate.custom_tlvs[0].type, proxy_protocol::TlvType{0xe2});
  EXPECT_EQ(propagate.forwarded.for_name.form, forwarding::NodeName::Form::per_process);
  EXPECT_EQ(propagate.forwarded.by_name.identifier, "_e");
  ASSERT_EQ(propagate.forwarded.extensions.size(), 2u);
  EXPECT_EQ(propagate.forwarded.extensions[0].name, "b");

  const std::string written = expand(*result.model);
  const LoadResult again = load_text(written);
  ASSERT_TRUE(again.model) << written << render(again, "expanded");
  EXPECT_EQ(expand(*again.model), written);
  EXPECT_EQ(again.model->services[0].propagate.headers[0].value.text(), "$${HOME} ${client.port}");
}

}  // namespace
}  // namespace telltale::conf
