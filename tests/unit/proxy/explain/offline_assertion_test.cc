// Signed assertions in `telltale explain`: judged as the data path judges them.
#include "conf/loader.h"
#include "proxy/explain/offline.h"
#include "proxy/explain/proxy_header_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace telltale::proxy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t now = 1'763'971'212;
constexpr const char* good =
    "X-Telltale-Client: v1;kid=2026-11;t=1763971200;c=198.51.100.7:52110;a=shop.example.com;"
    "s=oZZqI5StfW9IxwekqqeRzPD-5sbVAOKJ48iHMlDhTmM";

struct Given {
  std::vector<std::string> headers = {good};
  std::int64_t when = now;
  const char* host = "shop.example.com";
  bool has_keys = true;
  const char* client_ip = "assertion: { key_file: /run/edge.keys }, trusted: [10.0.0.0/8]";
  std::string proxy_header = {};  ///< proxy_header_text.h
};

Explanation explain(const Given& given) {
  const auto loaded = conf::load_text("listeners: [{ listen: '203.0.113.140:80', service: app, client_ip: { " +
                                      std::string(given.client_ip) +
                                      " } }]\nservices: [{ name: app, endpoints: ['192.0.2.1:8080'] }]\n");
  EXPECT_NE(loaded.model, nullptr) << conf::render(loaded, "test");
  std::string problem;
  assertion::Keyring keys(*assertion::KeySet::parse("2026-11 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", problem));
  OfflineRequest request;
  request.peer = net::parse_ip_port("10.0.0.7:5");
  if (!given.proxy_header.empty()) {
    const auto header = read_proxy_header(given.proxy_header, std::nullopt);
    EXPECT_EQ(header.error, "");
    request.proxy_octets = header.octets;
  }
  request.headers = given.headers;
  request.host = given.host;
  request.now = given.when;
  if (given.has_keys) request.keys = &keys;
  request.not_judged = "key file /run/edge.keys: Permission denied";
  return explain_offline(*loaded.model, 0, request);
}

std::vector<std::string> refused(const Explanation& e) {
  std::vector<std::string> out;
  for (const auto& each : e.refused) out.push_back(each.name + ": " + each.why);
  return out;
}

struct Row {
  const char* description;
  Given given;
  const char* client;
  const char* provenance;
  std::vector<const char*> refused;
};

Explanation check(const Row& row) {
  SCOPED_TRACE(row.description);
  const Explanation e = explain(row.given);
  EXPECT_EQ(e.client, row.client);
  EXPECT_EQ(e.provenance, row.provenance);
  const auto said = refused(e);
  EXPECT_EQ(said.size(), row.refused.size());
  for (std::size_t i = 0; i < std::min(said.size(), row.refused.size()); ++i) {
    EXPECT_THAT(said[i], HasSubstr(row.refused[i]));
  }
  EXPECT_THAT(e.notes, testing::IsEmpty());
  return e;
}

TEST(ExplainOffline, JudgesSignedAssertions) {
  std::string forged = good;
  forged.replace(forged.find("198.51.100.7"), 12, "198.51.100.8");
  const Row rows[] = {
      {"valid", {}, "198.51.100.7", "assertion", {}},
      {"valid, above a believed list",
       {.headers = {"X-Forwarded-For: 192.0.2.9", good}},
       "198.51.100.7",
       "assertion",
       {}},
      {"too old", {.when = now + 100}, "10.0.0.7", "socket", {"max_age (30s)"}},
      {"from the future", {.when = now - 100}, "10.0.0.7", "socket", {"clock_skew (5s)"}},
      {"for another host", {.host = "b.example"}, "10.0.0.7", "socket", {"another host"}},
      {"forged", {.headers = {forged}}, "10.0.0.7", "socket", {"does not fit"}},
      {"garbage beside a believed list, which then speaks",
       {.headers = {"X-Forwarded-For: 192.0.2.9", "X-Telltale-Client: x"}},
       "192.0.2.9",
       "header",
       {"malformed, or came twice"}},
      {"twice", {.headers = {good, good}}, "10.0.0.7", "socket", {"malformed, or came twice"}},
      {"beside an entry that ends the walk",
       {.headers = {"X-Forwarded-For: 192.0.2.9, unknown", "X-Telltale-Client: x"}},
       "10.0.0.7",
       "socket",
       {"the walk ended there", "malformed, or came twice"}},
      {"where none is believed", {.client_ip = "header: none"}, "10.0.0.7", "socket", {}},
  };
  for (const auto& row : rows) {
    const Explanation e = check(row);
    EXPECT_TRUE(std::ranges::any_of(e.removed, [](const auto& each) { return each.name == "X-Telltale-Client"; }))
        << row.description << ": it never goes on";
  }
}

TEST(ExplainOffline, JudgesSignedAssertionsInTlvs) {
  constexpr const char* looking =
      "assertion: { key_file: /run/edge.keys, tlv: 0xE4 }, proxy_protocol: [{ from: [10.0.0.7], policy: require }]";
  constexpr const char* not_looking =
      "assertion: { key_file: /run/edge.keys }, proxy_protocol: [{ from: [10.0.0.7], policy: require }]";
  constexpr const char* ignoring =
      "assertion: { key_file: /run/edge.keys, tlv: 0xE4 }, proxy_protocol: [{ from: [10.0.0.7], policy: ignore }]";
  const std::string text = std::string(good).substr(std::string(good).find("v1;"));
  const std::string named = "v2 192.0.2.5:9 203.0.113.140:80";
  const std::string header = named + " 0xE4=" + text;
  const Row rows[] = {
      {"valid", {.headers = {}, .client_ip = looking, .proxy_header = header}, "198.51.100.7", "assertion", {}},
      {"too old when the header came",
       {.headers = {}, .when = now + 100, .client_ip = looking, .proxy_header = header},
       "192.0.2.5",
       "proxy_protocol",
       {"PROXY TLV 0xE4: it is older"}},
      {"for another host",
       {.headers = {}, .host = "b.example", .client_ip = looking, .proxy_header = header},
       "192.0.2.5",
       "proxy_protocol",
       {"PROXY TLV 0xE4: it was made for another host"}},
      {"twice",
       {.headers = {}, .client_ip = looking, .proxy_header = header + " 0xE4=" + text},
       "192.0.2.5",
       "proxy_protocol",
       {"PROXY TLV 0xE4: it is malformed, or came twice"}},
      {"behind one in the head that is not valid",
       {.headers = {"X-Telltale-Client: x"}, .client_ip = looking, .proxy_header = header},
       "198.51.100.7",
       "assertion",
       {"X-Telltale-Client: it is malformed"}},
      {"not valid, beside one in the head that is",
       {.client_ip = looking, .proxy_header = named + " 0xE4=garbage"},
       "198.51.100.7",
       "assertion",
       {}},
      {"where it is not looked for",
       {.headers = {}, .client_ip = not_looking, .proxy_header = header},
       "192.0.2.5",
       "proxy_protocol",
       {}},
      {"in a header that is ignored",
       {.headers = {}, .client_ip = ignoring, .proxy_header = header},
       "10.0.0.7",
       "socket",
       {}},
  };
  for (const auto& row : rows) check(row);
  const Explanation valid = explain(rows[0].given);
  ASSERT_EQ(valid.hops.size(), 3u);
  EXPECT_EQ(valid.hops[1].verdict, "a signed assertion came in the PROXY header");
  EXPECT_EQ(valid.hops[2].said_by, "PROXY TLV 0xE4");
  const Explanation unjudged =
      explain({.headers = {}, .has_keys = false, .client_ip = looking, .proxy_header = header});
  EXPECT_THAT(unjudged.notes, ElementsAre(HasSubstr("a signed assertion came (PROXY TLV 0xE4) and was not judged")));
}

TEST(ExplainOffline, SaysThatAnAssertionWasNotJudgedAndWhy) {
  const Explanation e = explain({.has_keys = false});
  EXPECT_EQ(e.client, "10.0.0.7");
  EXPECT_THAT(e.notes, ElementsAre(HasSubstr("was not judged: key file /run/edge.keys: Permission denied")));
  EXPECT_THAT(explain({.headers = {}, .has_keys = false}).notes, testing::IsEmpty());
}

TEST(ExplainOffline, ARequestThatIsRefusedIsRefusedWhateverWasAsserted) {
  const Explanation e = explain({.headers = {"X-Forwarded-For: unknown", good},
                                 .client_ip = "assertion: { key_file: /run/edge.keys }, trusted: [10.0.0.0/8], "
                                              "on_invalid: reject"});
  EXPECT_EQ(e.outcome, Explanation::Outcome::answered);
  EXPECT_THAT(e.why, HasSubstr("400 Bad Request"));
}

}  // namespace
}  // namespace telltale::proxy
