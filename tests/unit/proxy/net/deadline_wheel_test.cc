#include "proxy/net/deadline_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <vector>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;
using Clock = DeadlineWheel::Clock;

struct Timed : DeadlineWheel::Entry {
  int id = 0;
};

class DeadlineWheelTest : public ::testing::Test {
 protected:
  std::vector<int> advance(std::chrono::milliseconds by) {
    now_ += by;
    std::vector<int> expired;
    wheel_.advance(now_, [&](DeadlineWheel::Entry& entry) { expired.push_back(static_cast<Timed&>(entry).id); });
    return expired;
  }
  Clock::time_point now_{};
  DeadlineWheel wheel_{now_};
};

TEST_F(DeadlineWheelTest, FiresOnceNeverEarlyAndAtMostTwoTicksLate) {
  Timed entry;
  wheel_.set(entry, now_ + 100ms);
  EXPECT_TRUE(advance(99ms).empty());
  EXPECT_EQ(advance(1ms + 2 * DeadlineWheel::tick).size(), 1u);
  EXPECT_TRUE(advance(10s).empty());
  EXPECT_EQ(wheel_.size(), 0u);
}

TEST_F(DeadlineWheelTest, LaterThanOneTurnOfTheWheel) {
  Timed entry;
  wheel_.set(entry, now_ + 10min);
  for (int i = 0; i < 599; ++i) ASSERT_TRUE(advance(1s).empty()) << i;
  EXPECT_EQ(advance(2s).size(), 1u);
}

TEST_F(DeadlineWheelTest, ClearedOrRemovedNeverFires) {
  Timed cleared, removed;
  wheel_.set(cleared, now_ + 1s);
  wheel_.set(removed, now_ + 1s);
  wheel_.clear(cleared);
  wheel_.remove(removed);
  EXPECT_TRUE(advance(5s).empty());
}

TEST_F(DeadlineWheelTest, EntriesRemoveEachOtherWhileExpiring) {
  std::vector<std::unique_ptr<Timed>> entries;
  for (int i = 0; i < 10; ++i) {
    entries.push_back(std::make_unique<Timed>());
    wheel_.set(*entries.back(), now_ + 50ms);
  }
  int fired = 0;
  now_ += 1s;
  wheel_.advance(now_, [&](DeadlineWheel::Entry& entry) {
    ++fired;
    for (auto& other : entries) {
      if (other.get() != &entry) wheel_.remove(*other);
    }
  });
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(wheel_.size(), 0u);
}

TEST_F(DeadlineWheelTest, SaysHowLongItMayBeLeftAlone) {
  EXPECT_EQ(wheel_.until_next(now_), std::nullopt);
  Timed entry;
  wheel_.set(entry, now_ + 5s);
  const auto wait = wheel_.until_next(now_);
  ASSERT_TRUE(wait);
  EXPECT_GE(*wait, 4900ms);
  EXPECT_LE(*wait, 5s + 2 * DeadlineWheel::tick);
  advance(*wait + 1ms);
  EXPECT_EQ(wheel_.size(), 0u) << "waking when it says must be enough";
}

TEST_F(DeadlineWheelTest, AgreesWithASortedMapOverRandomOperations) {
  std::mt19937 random(20240601);
  std::vector<std::unique_ptr<Timed>> entries;
  std::map<int, Clock::time_point> due;
  for (int i = 0; i < 200; ++i) {
    entries.push_back(std::make_unique<Timed>());
    entries.back()->id = i;
  }
  for (int step = 0; step < 20'000; ++step) {
    const int id = static_cast<int>(random() % entries.size());
    switch (random() % 4) {
      case 0:
      case 1: {
        const auto when = now_ + std::chrono::milliseconds(random() % 200'000);
        wheel_.set(*entries[static_cast<std::size_t>(id)], when);
        due[id] = when;
        break;
      }
      case 2:
        wheel_.remove(*entries[static_cast<std::size_t>(id)]);
        due.erase(id);
        break;
      default:
        for (const int expired : advance(std::chrono::milliseconds(random() % 500))) {
          ASSERT_TRUE(due.contains(expired));
          ASSERT_LE(due[expired], now_);
          due.erase(expired);
        }
        for (const auto& [other, when] : due) ASSERT_GE(when + 2 * DeadlineWheel::tick, now_) << other;
    }
  }
}

}  // namespace
}  // namespace telltale::proxy
