#include "proxy/health/schedule.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace telltale::proxy {
namespace {

Schedule::Time at(int milliseconds) { return Schedule::Time(std::chrono::milliseconds(milliseconds)); }

std::vector<std::size_t> due(Schedule& schedule, int milliseconds) {
  std::vector<std::size_t> items;
  while (const auto item = schedule.pop_due(at(milliseconds))) items.push_back(*item);
  return items;
}

using Items = std::vector<std::size_t>;

TEST(Schedule, GivesItemsWhenTheyAreDueInOrder) {
  Schedule schedule;
  schedule.grow(4);
  EXPECT_EQ(schedule.next(), Schedule::Time::max());
  schedule.set(0, at(30));
  schedule.set(1, at(10));
  schedule.set(2, at(20));
  EXPECT_EQ(schedule.next(), at(10));
  EXPECT_EQ(due(schedule, 9), Items{});
  EXPECT_EQ(due(schedule, 10), Items{1});
  EXPECT_EQ(due(schedule, 100), (Items{2, 0}));
  EXPECT_EQ(due(schedule, 100), Items{}) << "each once";
  EXPECT_EQ(schedule.next(), Schedule::Time::max());
}

TEST(Schedule, FollowsChangesOfTime) {
  struct Case {
    const char* description;
    std::vector<int> times;  // set one after the other
    int due_at;
  };
  const Case cases[] = {
      {"later", {10, 50}, 50},
      {"earlier", {50, 10}, 10},
      {"later, then earlier", {30, 50, 20}, 20},
      {"earlier, then later", {30, 10, 40}, 40},
      {"the same again", {30, 10, 30}, 30},
  };
  for (const Case& c : cases) {
    Schedule schedule;
    schedule.grow(1);
    for (int time : c.times) schedule.set(0, at(time));
    EXPECT_LE(schedule.next(), at(c.due_at)) << c.description;
    for (int now = 0; now < c.due_at; ++now) EXPECT_EQ(due(schedule, now), Items{}) << c.description << " at " << now;
    EXPECT_EQ(due(schedule, c.due_at), Items{0}) << c.description;
    EXPECT_EQ(due(schedule, 1000), Items{}) << c.description;
  }
}

TEST(Schedule, ForgetsClearedItems) {
  Schedule schedule;
  schedule.grow(2);
  schedule.set(0, at(10));
  schedule.set(1, at(10));
  schedule.clear(0);
  EXPECT_EQ(due(schedule, 10), Items{1});
  schedule.set(0, at(20));
  EXPECT_EQ(due(schedule, 20), Items{0});
}

TEST(Schedule, GivesAnItemThatIsUsedAgainItsNewTimeAlone) {
  Schedule schedule;
  schedule.grow(1);
  schedule.set(0, at(10));
  schedule.clear(0);
  schedule.grow(3);
  schedule.set(2, at(15));
  schedule.set(0, at(20));
  schedule.grow(1);  // takes nothing away
  EXPECT_EQ(due(schedule, 12), Items{});
  EXPECT_EQ(due(schedule, 30), (Items{2, 0}));
}

TEST(Schedule, AgreesWithAPlainTableUnderRandomChanges) {
  std::minstd_rand random(1);
  constexpr std::size_t items = 50;
  Schedule schedule;
  schedule.grow(items);
  std::vector<int> table(items, -1);
  for (int now = 0; now < 5000; ++now) {
    for (int change = 0; change < 3; ++change) {
      const std::size_t item = random() % items;
      table[item] = random() % 8 == 0 ? -1 : now + 1 + static_cast<int>(random() % 60);
      table[item] < 0 ? schedule.clear(item) : schedule.set(item, at(table[item]));
    }
    std::vector<bool> seen(items);
    for (std::size_t item : due(schedule, now)) {
      EXPECT_FALSE(seen[item]);
      seen[item] = true;
      EXPECT_EQ(table[item], now);
      table[item] = -1;
    }
    for (std::size_t item = 0; item < items; ++item) {
      EXPECT_TRUE(table[item] < 0 || table[item] > now) << "missed";
      if (table[item] >= 0) {
        EXPECT_LE(schedule.next(), at(table[item]));
      }
    }
  }
}

}  // namespace
}  // namespace telltale::proxy
