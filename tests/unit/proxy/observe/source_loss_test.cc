#include "proxy/observe/source_loss.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;

net::IpAddress address(std::uint32_t n) {
  return net::IpAddress::v4(10, static_cast<std::uint8_t>(n >> 16), static_cast<std::uint8_t>(n >> 8),
                            static_cast<std::uint8_t>(n));
}

/// So many connections: from nodes, from a few proxies, from as many clients.
struct Mix {
  unsigned from_node = 0, from_few = 0, from_many = 0;
  bool claiming = false;
};
SourceCounts counts(const Mix& mix) {
  SourceCounts out;
  // Mixed, as they come: an order of their own would not be fair to the sketch of the heaviest.
  const unsigned most = std::max({mix.from_node, mix.from_few, mix.from_many});
  for (unsigned i = 0; i < most; ++i) {
    if (i < mix.from_node) out.count(address(1 + i % 2), true, mix.claiming);
    if (i < mix.from_few) out.count(address(100 + i % 3), false, mix.claiming);
    if (i < mix.from_many) out.count(address(1000 + i), false, mix.claiming);
  }
  return out;
}

TEST(SourceCounts, HeavyAddressesKeepTheirPlacesAndAreNeverCountedTooHigh) {
  const SourceCounts seen = counts({.from_node = 3000, .from_many = 3000});
  std::uint64_t nodes = 0;
  for (const auto& each : seen.heavy()) {
    if (each.address == address(1) || each.address == address(2)) {
      EXPECT_LE(each.connections, 1500u);
      nodes += each.connections;
    } else {
      EXPECT_LE(each.connections, 1u);
    }
  }
  EXPECT_GE(nodes, 2 * (1500u - 6000 / (SourceCounts::places + 1)));
  EXPECT_EQ(seen.connections(), 6000u);
  EXPECT_EQ(seen.infrastructure(), 3000u);
}

TEST(SourceCounts, WorkersAddUp) {
  SourceCounts all = counts({.from_node = 10});
  all.merge(counts({.from_node = 20, .from_few = 3, .claiming = true}));
  EXPECT_EQ(all.connections(), 33u);
  EXPECT_EQ(all.infrastructure(), 30u);
  EXPECT_EQ(all.claiming(), 23u);
  const auto first = std::ranges::find(all.heavy(), address(1), &SourceCounts::Heavy::address);
  ASSERT_NE(first, all.heavy().end());
  EXPECT_EQ(first->connections, 15u);
}

struct Step {
  std::chrono::seconds at;
  Mix mix;
  SourceLoss suspected;
  bool warned;
};

TEST(SourceLoss, IsSuspectedAndTakenBackByTheRule) {
  constexpr auto none = SourceLoss::none;
  constexpr auto infrastructure = SourceLoss::infrastructure;
  constexpr auto few = SourceLoss::few_addresses;
  const struct {
    const char* description;
    std::initializer_list<Step> steps;
  } cases[] = {
      {"nobody comes", {{0s, {}, none, false}, {2h, {}, none, false}}},
      {"all from nodes, but not many yet", {{0s, {.from_node = 99}, none, false}}},
      {"a hundred from nodes", {{0s, {.from_node = 60}, none, false}, {5s, {.from_node = 40}, infrastructure, true}}},
      {"nine of ten from nodes", {{0s, {.from_node = 90, .from_many = 10}, infrastructure, true}}},
      {"a little less than nine of ten", {{0s, {.from_node = 89, .from_many = 11}, none, false}}},
      {"not enough within one window", {{0s, {.from_node = 60}, none, false}, {10min, {.from_node = 60}, none, false}}},
      {"it is told once, and holds while little comes",
       {{0s, {.from_node = 200}, infrastructure, true},
        {5s, {.from_node = 200}, infrastructure, false},
        {11min, {.from_many = 99}, infrastructure, false}}},
      {"it is taken back when clients are seen",
       {{0s, {.from_node = 200}, infrastructure, true}, {10min, {.from_many = 100}, none, false}}},
      {"coming and going it is told once an hour",
       {{0s, {.from_node = 200}, infrastructure, true},
        {10min, {.from_many = 100}, none, false},
        {20min, {.from_node = 200}, infrastructure, false},
        {40min, {.from_many = 100}, none, false},
        {60min, {.from_node = 200}, infrastructure, true}}},
      {"thousands from three addresses", {{0s, {.from_few = 2000}, few, true}}},
      {"three addresses, but not very many", {{0s, {.from_few = 1999}, none, false}}},
      {"three addresses and one in twenty others", {{0s, {.from_few = 3900, .from_many = 100}, few, true}}},
      {"three addresses and many others", {{0s, {.from_few = 2000, .from_many = 400}, none, false}}},
      {"many clients", {{0s, {.from_many = 5000}, none, false}}},
  };
  for (const auto& c : cases) {
    SourceLossDetector detector;
    for (const Step& step : c.steps) {
      const std::string said = detector.add("web", counts(step.mix), SourceLossDetector::Clock::time_point{} + step.at);
      EXPECT_EQ(detector.suspected(), step.suspected) << c.description << " at " << step.at.count() << " s";
      EXPECT_EQ(!said.empty(), step.warned) << c.description << " at " << step.at.count() << " s: " << said;
    }
  }
}

TEST(SourceLoss, TheWarningSaysWhoComesAndHowToKeepTheSource) {
  const struct {
    const char* description;
    Mix mix;
    std::initializer_list<const char*> said;
  } cases[] = {
      {"nodes",
       {.from_node = 190, .from_many = 10},
       {"listener web: 190 of the last 200 connections", "nodes", "10.0.0.1", "10.0.0.2",
        "externalTrafficPolicy: Local", "client_ip.proxy_protocol"}},
      {"few", {.from_few = 3000}, {"3000 of the last 3000", "3 addresses", "10.0.0.100", "NAT", "client_ip.behind"}},
      {"proxies that nobody trusts", {.from_few = 3000, .claiming = true}, {"identity header", "client_ip.trusted"}},
  };
  for (const auto& c : cases) {
    SourceLossDetector detector;
    const std::string text = detector.add("web", counts(c.mix), {});
    for (const char* said : c.said) EXPECT_NE(text.find(said), text.npos) << c.description << ": " << text;
    EXPECT_EQ(text.find('\n'), text.npos);
  }
}

}  // namespace
}  // namespace telltale::proxy
