#include "conf/presets.h"

#include "conf/expand.h"
#include "conf/loader.h"
#include "tests/unit/conf/examples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

using testing::ElementsAreArray;

std::string file_with(std::string_view client_ip) {
  return "listeners:\n- listen: ':80'\n  service: web\n  client_ip: {" + std::string(client_ip) +
         "}\nservices: [{name: web, endpoints: [198.18.0.9:80]}]\n";
}

/// The lines of `client_ip` in the expansion, but for those that no preset has a say in.
std::string expansion(const std::string& text, Comments comments = Comments::none) {
  const LoadResult result = load_text(text);
  if (!result.model) return render(result, "x");
  std::string all = expand(*result.model, comments);
  const std::string begin = "    client_ip:\n", end = "    limits:\n";
  all = all.substr(all.find(begin) + begin.size(), all.find(end) - all.find(begin) - begin.size());
  std::string kept;
  for (std::size_t at = 0, next; at < all.size(); at = next) {
    next = all.find('\n', at) + 1;
    const std::string line = all.substr(at, next - at);
    bool dull = false;
    for (const char* field :
         {"proxy_header_", "proxy_max_", "identity_headers:", "on_invalid:", "trusted_hops: 0", "source_loss:"}) {
      dull = dull || line.find(field) != std::string::npos;
    }
    if (!dull) kept += line.substr(6);
  }
  return kept;
}

std::string rule(const std::string& from, const std::string& version) {
  return "proxy_protocol:\n  - from: [" + from + "]\n    policy: require\n" +
         (version == "any" ? "" : "    version: " + version + "\n") + "header: \"none\"\ntrusted: []\n";
}

TEST(Presets, EachExpandsToPlainFields) {
  struct Case {
    const char* preset;
    const char* from;  ///< what the operator must say; empty: nothing
    std::string expansion;
  };
  const char* const ours = ", from: [10.0.0.0/20, 'fd00:1::/64']";
  const std::string given = "\"10.0.0.0/20\", \"fd00:1::/64\"";
  const std::string no_header = "header: \"none\"\ntrusted: []\n";
  const Case cases[] = {
      {"aws-nlb", ours, rule(given, "v2")},
      {"aws-alb", ours, "header: \"x-forwarded-for\"\ntrusted: [" + given + "]\n"},
      {"aws-clb", ours, rule(given, "v1")},
      {"gcp-lb", "", "header: \"x-forwarded-for\"\ntrusted: [\"gcp-lb\"]\ntrusted_hops: 2\n"},
      {"gcp-lb", ours, "header: \"x-forwarded-for\"\ntrusted: [" + given + "]\ntrusted_hops: 2\n"},
      {"gcp-psc", ours, rule(given, "v2")},
      {"azure-lb", "", no_header},
      {"azure-private-link", ours, rule(given + ", \"168.63.129.16/32\"", "v2")},
      {"azure-front-door", ours, "header: \"x-azure-socketip\"\ntrusted: [" + given + "]\n"},
      {"cloudflare", "", "header: \"cf-connecting-ip\"\ntrusted: [\"cloudflare\"]\n"},
      {"cloudflare", ours, "header: \"cf-connecting-ip\"\ntrusted: [" + given + "]\n"},
      {"cloudflare-spectrum", "", rule("\"cloudflare\"", "any")},
      {"fastly", "", "header: \"x-forwarded-for\"\ntrusted: [\"fastly\"]\n"},
      {"digitalocean", ours, rule(given, "v1")},
      {"hetzner", ours, rule(given, "any")},
      {"kubernetes-nodeport", "", no_header},
      {"nothing", "", no_header},
  };
  std::vector<std::string_view> seen;
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.preset) + c.from);
    const std::string text = file_with("behind: " + std::string(c.preset) + c.from);
    EXPECT_EQ(render(load_text(text), "x"), "");
    EXPECT_EQ(expansion(text), c.expansion);
    // What it expands to is the same without the preset.
    const LoadResult result = load_text(text);
    ASSERT_TRUE(result.model);
    const LoadResult again = load_text(expand(*result.model, Comments::why));
    ASSERT_TRUE(again.model) << render(again, "x");
    EXPECT_EQ(expand(*again.model), expand(*result.model));
    EXPECT_EQ(again.model->listeners[0].client_ip.behind.preset, nullptr);
    if (seen.empty() || seen.back() != c.preset) seen.emplace_back(c.preset);
  }
  std::vector<std::string_view> all;
  for (const Preset& each : presets()) all.push_back(each.name);
  EXPECT_THAT(seen, ElementsAreArray(all)) << "every preset has a case";
}

TEST(Presets, ExpansionSaysWhy) {
  EXPECT_EQ(
      expansion(file_with("behind: aws-nlb, from: [10.0.0.0/20]"), Comments::why),
      "# behind: aws-nlb (gives proxy_protocol, header)\n"
      "# It sends: PROXY v2, when the target group has `proxy_protocol_v2.enabled`; LOCAL with its health checks. "
      "PROXY v2 must come; turn on proxy_protocol_v2.enabled and off preserve_client_ip.enabled. Headers are the "
      "client's own words: a network load balancer writes none.\n"
      "proxy_protocol:\n"
      "  - from: [\"10.0.0.0/20\"]\n"
      "    policy: require\n"
      "    version: v2\n"
      "header: \"none\"\n"
      "trusted: []\n");
  const std::string gcp = expansion(file_with("behind: gcp-lb, header: forwarded"), Comments::why);
  EXPECT_TRUE(gcp.starts_with("# behind: gcp-lb (gives trusted)\n")) << gcp;
  EXPECT_NE(gcp.find("# gcp-lb, published 2025-10-01: 130.211.0.0/22 35.191.0.0/16 "), std::string::npos) << gcp;
  EXPECT_EQ(gcp.find("trusted_hops: 2"), std::string::npos) << "the hops are those of the preset's header";
}

TEST(Presets, FieldsThatAreWrittenOutWin) {
  struct Case {
    const char* description;
    const char* fields;
    const char* expansion;
  };
  const Case cases[] = {
      {"rules instead of the preset's", "behind: aws-nlb, proxy_protocol: [{from: [10.9.0.0/16], policy: accept}]",
       "proxy_protocol:\n  - from: [\"10.9.0.0/16\"]\n    policy: accept\nheader: \"none\"\ntrusted: []\n"},
      {"a CDN behind the balancer",
       "behind: aws-nlb, from: [10.0.0.0/20], header: cf-connecting-ip, trusted: [cloudflare]",
       "proxy_protocol:\n  - from: [\"10.0.0.0/20\"]\n    policy: require\n    version: v2\n"
       "header: \"cf-connecting-ip\"\ntrusted: [\"cloudflare\"]\n"},
      {"hops without a header have the usual one", "behind: aws-nlb, from: [10.0.0.0/20], trusted: [192.0.2.0/24]",
       "proxy_protocol:\n  - from: [\"10.0.0.0/20\"]\n    policy: require\n    version: v2\n"
       "header: \"x-forwarded-for\"\ntrusted: [\"192.0.2.0/24\"]\n"},
      {"another header of the same party", "behind: cloudflare, header: x-forwarded-for",
       "header: \"x-forwarded-for\"\ntrusted: [\"cloudflare\"]\n"},
      {"other hops, same header", "behind: cloudflare, trusted: [192.0.2.0/24, cloudflare]",
       "header: \"cf-connecting-ip\"\ntrusted: [\"cloudflare\", \"192.0.2.0/24\"]\n"},
      {"another count", "behind: gcp-lb, trusted_hops: 3",
       "header: \"x-forwarded-for\"\ntrusted: [\"gcp-lb\"]\ntrusted_hops: 3\n"},
      {"counting switched off", "behind: gcp-lb, trusted_hops: 0, trusted: [gcp-lb, 203.0.113.9]",
       "header: \"x-forwarded-for\"\ntrusted: [\"gcp-lb\", \"203.0.113.9/32\"]\n"},
      {"PROXY besides the header of an application balancer",
       "behind: aws-alb, from: [10.0.0.0/20], proxy_protocol: [{from: [10.1.0.0/16], policy: require}]",
       "proxy_protocol:\n  - from: [\"10.1.0.0/16\"]\n    policy: require\n"
       "header: \"x-forwarded-for\"\ntrusted: [\"10.0.0.0/20\"]\n"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(render(load_text(file_with(c.fields)), "x"), "") << c.description;
    EXPECT_EQ(expansion(file_with(c.fields)), c.expansion) << c.description;
  }
}

/// `path: message [hint]` of each finding.
std::vector<std::string> findings(const std::string& text, const RangesLoader& ranges = load_ranges) {
  std::vector<std::string> out;
  for (const Diagnostic& d : load_text(text, {}, ranges).diagnostics) {
    std::string line = (d.severity == Severity::error ? "error: " : "warning: ") + d.path + ": " + d.message;
    out.push_back(std::move(line.append(" [").append(d.hint).append("]")));
  }
  return out;
}

TEST(Presets, SayWhatIsMissingOrTooMuch) {
  struct Case {
    const char* description;
    const char* fields;
    std::vector<std::string> findings;
  };
  const std::string ip = "listeners[0].client_ip.";
  const Case cases[] = {
      {"nobody publishes a customer's load balancer",
       "behind: aws-nlb",
       {"error: " + ip +
        "from: `behind: aws-nlb` needs `from`: nobody publishes where yours is [from: [10.0.0.0/16] with "
        "the subnets of the load balancer]"}},
      {"one finding about it, hops or not",
       "behind: aws-alb, trusted_hops: 1",
       {"error: " + ip +
        "from: `behind: aws-alb` needs `from`: nobody publishes where yours is [from: [10.0.0.0/16] with "
        "the subnets of the load balancer]"}},
      {"a list that is not built in",
       "behind: azure-front-door",
       {"error: " + ip +
        "from: `behind: azure-front-door` needs `from`: there is no list \"azure-front-door\" in the published ranges "
        "[from: [10.0.0.0/16] with the service tag AzureFrontDoor.Backend, which changes weekly; or "
        "`ranges: FILE` with a list [azure-front-door]]"}},
      {"for nobody",
       "behind: aws-nlb, from: []",
       {"error: " + ip + "from: names nobody [the subnets of the load balancer]"}},
      {"a range that is none",
       "behind: aws-nlb, from: [10.0.0.300]",
       {"error: " + ip +
        "from[0]: \"10.0.0.300\" is not an address range [like 10.0.0.0/8, 2001:db8::/32, 192.0.2.1 or the word "
        "unix]"}},
      {"from alone",
       "from: [10.0.0.0/16]",
       {"error: " + ip +
        "from: is for `behind`, which is not given [`behind: aws-nlb` or the like, or write `trusted` or "
        "`proxy_protocol` out]"}},
      {"from that nothing needs",
       "behind: azure-lb, from: [10.0.0.0/16]",
       {"warning: " + ip + "from: has no effect: behind \"azure-lb\" nobody is believed [remove it]"}},
      {"from beside what it would fill in",
       "behind: aws-nlb, from: [10.0.0.0/16], proxy_protocol: [{from: [10.1.0.0/16], policy: require}]",
       {"warning: " + ip + "from: has no effect: `proxy_protocol` is written out [remove one of them]"}},
      {"likewise for a header",
       "behind: cloudflare, from: [10.0.0.0/16], trusted: [192.0.2.0/25]",
       {"warning: " + ip + "from: has no effect: `trusted` is written out [remove one of them]"}},
      {"everybody as the balancer",
       "behind: aws-nlb, from: [0.0.0.0/0]",
       {"warning: " + ip +
        "from[0]: `require` for 0.0.0.0/0: anyone who can connect can say who the client is [name the "
        "addresses of the load balancer]"}},
      {"everybody as the CDN",
       "behind: cloudflare, from: ['::/0']",
       {"warning: " + ip +
        "from[0]: ::/0 trusts everyone: any client can say who it is [name the addresses of the hops in "
        "front]"}},
      {"a backend where the balancer is",
       "behind: aws-alb, from: [198.18.0.0/24]",
       {"warning: " + ip +
        "from[0]: 198.18.0.0/24 holds a backend of the service \"web\" (198.18.0.9): who gets hold of a "
        "backend can say who the client is [name only the hops in front]"}},
      {"hops to count in a header that has one address",
       "behind: cloudflare, trusted_hops: 2",
       {"error: " + ip +
        "trusted_hops: \"cf-connecting-ip\" holds one address, not a list of hops [only x-forwarded-for "
        "and forwarded have hops to count]"}},
  };
  for (const Case& c : cases) EXPECT_THAT(findings(file_with(c.fields)), ElementsAreArray(c.findings)) << c.description;
  const auto misspelt = findings(file_with("behind: aws-nbl"));
  ASSERT_EQ(misspelt.size(), 1u);
  EXPECT_NE(misspelt[0].find("did you mean"), std::string::npos) << misspelt[0];
}

TEST(Presets, ListsOfTheRangesFileAreUsed) {
  const auto loader = [](const std::string& path) {
    EXPECT_EQ(path, "/etc/ranges");
    return parse_ranges("[azure-front-door]\ndate: 2026-11-01\n147.243.0.0/16\n[office]\n203.0.113.0/24\n");
  };
  const std::string top = "ranges: /etc/ranges\n";
  EXPECT_THAT(findings(top + file_with("behind: azure-front-door"), loader), testing::IsEmpty());
  EXPECT_THAT(findings(top + file_with("trusted: [office]"), loader), testing::IsEmpty());
  EXPECT_THAT(
      findings(top + file_with("behind: cloudflare"), loader),
      testing::ElementsAre("error: listeners[0].client_ip.from: `behind: cloudflare` needs `from`: there is no "
                           "list \"cloudflare\" in the published ranges [from: [10.0.0.0/16] with its addresses; or "
                           "`ranges: FILE` with a list [cloudflare]]"));
  EXPECT_THAT(findings(top + file_with("trusted: [ofice]"), loader),
              testing::ElementsAre("error: listeners[0].client_ip.trusted[0]: \"ofice\" is not an address range, nor a "
                                   "published list [did you mean \"office\"?]"));
}

TEST(Presets, ARangesFileThatIsWrongIsOneFinding) {
  const auto broken = [](const std::string&) { return parse_ranges("[a]\n10.0.0.300\n"); };
  const std::string expected =
      "error: ranges: \"/r\": line 2: \"10.0.0.300\" is not an address range [conf/ranges/published.txt is one]";
  EXPECT_THAT(findings("ranges: /r\n" + file_with("behind: cloudflare"), broken), testing::ElementsAre(expected));
  EXPECT_THAT(findings("ranges: /r\n" + file_with("trusted: [mine]"), broken), testing::ElementsAre(expected));
  EXPECT_THAT(
      findings("ranges: r.txt\n" + file_with("trusted: [mine]")),
      testing::ElementsAre("error: ranges: \"r.txt\" is not an absolute path [it is followed wherever the process "
                           "runs: /etc/…]"));
}

TEST(Presets, TheReferenceHasTheTable) {
  const std::string readme = read_source_file("conf/README.md");
  for (const Preset& each : presets()) {
    EXPECT_NE(readme.find("\n| `" + std::string(each.name) + "` | "), std::string::npos) << each.name;
    EXPECT_TRUE(each.tells == Preset::Tells::nothing || !each.published.empty() || !each.from.empty()) << each.name;
  }
  std::string words;
  for (const Preset& each : presets()) words += (words.empty() ? "" : "|") + std::string(each.name);
  EXPECT_EQ(words, preset_words);
}

}  // namespace
}  // namespace telltale::conf
