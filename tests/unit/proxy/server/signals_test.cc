#include "proxy/server/signals.h"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>
#include <vector>

namespace telltale::proxy {
namespace {

// Only signals that nothing else here uses: they stay blocked in this process.
TEST(Signals, AreToldInTurnWheneverTheyCame) {
  boost::asio::io_context io(1);
  ::signal(SIGUSR2, SIG_IGN);  // as a shell leaves SIGINT to what runs in the background
  Signals signals(io, {SIGUSR2, SIGWINCH});
  std::raise(SIGUSR2);
  std::vector<int> told;
  signals.start([&](int number) {
    told.push_back(number);
    if (told.size() == 1) std::raise(SIGWINCH);
    if (told.size() == 2) signals.stop();
  });
  io.run();
  EXPECT_EQ(told, (std::vector{SIGUSR2, SIGWINCH}));
}

TEST(Signals, StayBlockedInWhatIsStartedLaterAndWhenNobodyListens) {
  boost::asio::io_context io(1);
  {
    const Signals signals(io, {SIGUSR2});
  }
  std::thread([] {
    sigset_t blocked;
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, nullptr, &blocked), 0);
    EXPECT_EQ(sigismember(&blocked, SIGUSR2), 1);
  }).join();
  std::raise(SIGUSR2);  // would end the process
}

}  // namespace
}  // namespace telltale::proxy
