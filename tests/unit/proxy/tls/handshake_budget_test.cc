#include "proxy/tls/handshake_budget.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;

/// Handshakes of some steps each, that note when they make one.
class HandshakeBudgetTest : public ::testing::Test {
 protected:
  void start(int name, int steps) {
    boost::asio::co_spawn(loop_.get_executor(), shake_hands(name, steps), boost::asio::detached);
  }
  Awaitable<> shake_hands(int name, int steps) {
    for (Readiness turn; steps > 0; --steps) {
      if (!budget_.take(turn)) {
        const auto [error] = co_await turn.async_wait(as_result);
        if (error) {
          ++aborted_;
          co_return;
        }
      }
      made_.push_back(name);
    }
  }
  /// How many steps the pass made.
  std::size_t pass() {
    const std::size_t before = made_.size();
    loop_.run_once(0ms);
    return made_.size() - before;
  }

  EventLoop loop_;
  HandshakeBudget budget_{loop_};
  std::vector<int> made_;
  int aborted_ = 0;
};

TEST_F(HandshakeBudgetTest, GivesSomeInAPassAndTheRestInTurn) {
  constexpr int count = 1000;
  for (int i = 0; i < count; ++i) start(i, 1);
  std::size_t most = 0, passes = 0;
  for (; made_.size() < count; ++passes) most = std::max(most, pass());
  EXPECT_GE(most, 1U);
  EXPECT_LT(most, 100U);
  EXPECT_LE(passes, count / most + 2) << "no pass makes fewer while somebody waits";
  EXPECT_TRUE(std::ranges::is_sorted(made_));
}

TEST_F(HandshakeBudgetTest, IsNotOvertaken) {
  for (int i = 0; i < 50; ++i) start(i, 1);
  pass();
  for (int i = 50; i < 100; ++i) start(i, 1);
  while (made_.size() < 100) ASSERT_GT(pass(), 0U);
  EXPECT_TRUE(std::ranges::is_sorted(made_));
}

TEST_F(HandshakeBudgetTest, GivesOneAfterTheOtherToWhoNeedsSeveral) {
  for (int i = 0; i < 20; ++i) start(i, 3);
  while (made_.size() < 60) ASSERT_GT(pass(), 0U);
  EXPECT_EQ(std::ranges::count(made_, 19), 3);
}

TEST_F(HandshakeBudgetTest, EndsWithTheLoop) {
  for (int i = 0; i < 100; ++i) start(i, 1);
  pass();
  const auto made = static_cast<int>(made_.size());
  loop_.abort_all();
  EXPECT_EQ(made + aborted_, 100);
}

}  // namespace
}  // namespace telltale::proxy
