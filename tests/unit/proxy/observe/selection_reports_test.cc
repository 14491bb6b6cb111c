#include "proxy/observe/selection_reports.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;
using enum SelectionReason;

constexpr SelectionReports::Time start{1h};
constexpr auto settled = start + SelectionReports::settling;

TEST(SelectionReports, SayAChangeAtOnceAndOnce) {
  SelectionReports reports(2, start);
  EXPECT_FALSE(reports.changed(0, fit, settled)) << "as it should be";
  EXPECT_TRUE(reports.changed(0, no_endpoint, settled));
  EXPECT_FALSE(reports.changed(0, no_endpoint, settled + 1s));
  EXPECT_TRUE(reports.changed(0, unknown, settled + 1s)) << "another reason";
  EXPECT_TRUE(reports.changed(0, fit, settled + 1s)) << "back";
  EXPECT_EQ(reports.next(), SelectionReports::Time::max());
}

TEST(SelectionReports, AServiceThatSettlesAtTheStartIsNotNews) {
  SelectionReports reports(2, start);
  EXPECT_FALSE(reports.changed(0, unknown, start)) << "not probed yet";
  EXPECT_FALSE(reports.changed(1, unknown, start));
  EXPECT_EQ(reports.next(), settled);
  EXPECT_FALSE(reports.changed(0, fit, start + 1ms));
  EXPECT_FALSE(reports.changed(1, no_endpoint, start + 1s)) << "its probes timed out";
  EXPECT_FALSE(reports.pop_due(settled - 1ms));
  EXPECT_EQ(reports.pop_due(settled), std::optional<std::size_t>(1)) << "what it came to";
  EXPECT_FALSE(reports.pop_due(settled));
  EXPECT_TRUE(reports.changed(1, fit, settled + 1ms));
}

TEST(SelectionReports, OneThatFlapsIsSaidAFewTimesAndThenWhatItCameTo) {
  SelectionReports reports(1, start);
  auto now = settled;
  unsigned said = 0;
  for (int i = 0; i < 101; ++i) said += reports.changed(0, i % 2 == 0 ? no_endpoint : fit, now += 1ms) ? 1 : 0;
  EXPECT_EQ(said, SelectionReports::burst);
  ASSERT_NE(reports.next(), SelectionReports::Time::max());
  EXPECT_FALSE(reports.pop_due(now));
  now = reports.next();
  EXPECT_LE(now, settled + 1ms + SelectionReports::window);
  EXPECT_EQ(reports.pop_due(now), std::optional<std::size_t>(0)) << "it ended with nobody";
  EXPECT_FALSE(reports.pop_due(now + 1h));
}

TEST(SelectionReports, OneThatFlapsBackToWhatWasSaidSaysNothingMore) {
  SelectionReports reports(1, start);
  auto now = settled;
  for (int i = 0; i < 100; ++i) reports.changed(0, i % 2 == 0 ? no_endpoint : fit, now += 1ms);
  EXPECT_FALSE(reports.pop_due(now + 1h)) << "four lines, of which the last said that all is well";
}

TEST(SelectionReports, OneItemSaysNothingOfAnother) {
  SelectionReports reports(3, start);
  for (std::size_t item = 0; item < 3; ++item) EXPECT_TRUE(reports.changed(item, no_local_endpoint, settled)) << item;
}

TEST(SelectionText, SaysWhatBecomesOfRequests) {
  const struct {
    SelectionReason reason;
    const char *states, *text;
  } rows[] = {
      {fit, "3 healthy", "service shop: requests go to healthy endpoints again"},
      {no_endpoint, "2 unhealthy, 1 draining",
       "service shop: no endpoint may be chosen: requests get 503, TCP connections are refused (2 unhealthy, 1 "
       "draining)"},
      {no_endpoint, "",
       "service shop: no endpoint may be chosen: requests get 503, TCP connections are refused (it has none)"},
      {no_local_endpoint, "3 healthy",
       "service shop: no endpoint of this node may be chosen, and its policy is local: requests get 503, TCP "
       "connections are refused "
       "(3 healthy)"},
      {unknown, "3 unknown",
       "service shop: panic: no endpoint is known to be healthy: requests go to those of which nothing is known "
       "(3 unknown)"},
      {terminating, "2 draining",
       "service shop: no endpoint is ready: requests go to those that terminate and still serve (2 draining)"},
  };
  for (const auto& row : rows) EXPECT_EQ(selection_text("service shop", row.reason, row.states), row.text);
}

}  // namespace
}  // namespace telltale::proxy
