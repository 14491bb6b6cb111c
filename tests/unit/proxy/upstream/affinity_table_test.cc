#include "proxy/upstream/affinity_table.h"

#include "proxy/upstream/balancers/hash.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace telltale::proxy {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Time = AffinityTable::Clock::time_point;

constexpr AffinityTable::Ticket last_ticket = 0xff'ffff;
const Time start = Time{} + seconds(12'345);

/// One of those whose hashes fall on the first line.
std::uint64_t client(std::uint64_t number) { return number << 44; }

TEST(AffinityTable, KnowsWhomItWasTold) {
  for (const Time now : {Time{}, start}) {  // also when the clock has just begun, and all is 0
    AffinityTable table(8, hours(3));
    EXPECT_EQ(table.find(client(0), now), std::nullopt);
    EXPECT_EQ(table.put(client(0), 0, now), 0u);
    EXPECT_EQ(table.put(client(2), last_ticket, now), last_ticket);
    EXPECT_EQ(table.put(client(3), 7, now), 7u);
    EXPECT_EQ(table.find(client(0), now), 0u);
    EXPECT_EQ(table.find(client(2), now), last_ticket);
    EXPECT_EQ(table.find(client(3), now), 7u);
    EXPECT_EQ(table.find(client(4), now), std::nullopt);
  }
}

TEST(AffinityTable, ATicketIsTheEndOfAnId) {
  EXPECT_EQ(AffinityTable::ticket_of(1), 1u);
  EXPECT_EQ(AffinityTable::ticket_of(0xff'ffff), last_ticket);
  EXPECT_EQ(AffinityTable::ticket_of(0x1234'5601'0203), 0x01'0203u);
}

TEST(AffinityTable, KnowsEverybodyFarBelowItsBound) {
  AffinityTable table(65536, hours(3));
  RandomSource random(1);
  std::vector<std::uint64_t> clients(10'000);
  for (std::uint32_t i = 0; i < clients.size(); ++i) {
    clients[i] = random.next();
    EXPECT_EQ(table.put(clients[i], i, start), i);
  }
  for (std::uint32_t i = 0; i < clients.size(); ++i) EXPECT_EQ(table.find(clients[i], start + hours(1)), i);
}

TEST(AffinityTable, ForgetsAfterTheTimeout) {
  struct Case {
    const char* description;
    milliseconds timeout, away;
    bool known;
  };
  const Case cases[] = {
      {"at once", seconds(10), seconds(0), true},
      {"just in time", seconds(10), seconds(10), true},
      {"too late", seconds(10), seconds(11), false},
      {"parts of a second are rounded up", milliseconds(9'001), seconds(10), true},
      {"a day, in time", hours(24), hours(24), true},
      {"a day, too late", hours(24), hours(24) + seconds(1), false},
      {"long after", seconds(10), hours(24 * 11), false},
      {"far beyond what a slot can tell", seconds(10), hours(24 * 15), false},
  };
  // Also where the seconds of a slot wrap in between.
  for (const Time begin : {Time{}, start, Time{} + seconds((1 << 20) - 5), Time{} + seconds(50 * (1 << 20) - 1)}) {
    for (const Case& c : cases) {
      AffinityTable table(8, c.timeout);
      table.put(client(1), 3, begin);
      EXPECT_EQ(table.find(client(1), begin + c.away).has_value(), c.known) << c.description;
    }
  }
}

TEST(AffinityTable, EachFindIsAUse) {
  AffinityTable table(8, seconds(10));
  table.put(client(1), 3, start);
  for (int i = 1; i <= 10; ++i) EXPECT_EQ(table.find(client(1), start + i * seconds(9)), 3u);
  EXPECT_EQ(table.find(client(1), start + seconds(90 + 11)), std::nullopt);
}

/// Workers read their clocks once in a while: one's may be a little behind.
TEST(AffinityTable, TimeDoesNotGoBack) {
  AffinityTable table(8, seconds(10));
  table.put(client(1), 3, start);
  EXPECT_EQ(table.find(client(1), start - seconds(5)), 3u);
  EXPECT_EQ(table.find(client(1), start + seconds(10)), 3u);
  EXPECT_EQ(table.replace(client(1), 3, 4, start + seconds(5)), 4u);
  EXPECT_EQ(table.find(client(1), start + seconds(20)), 4u);
}

TEST(AffinityTable, AnExpiredClientIsPutDownAnew) {
  AffinityTable table(8, seconds(10));
  for (std::uint64_t i = 1; i <= 8; ++i) table.put(client(i), static_cast<std::uint32_t>(i), start);
  EXPECT_EQ(table.put(client(5), 50, start + seconds(11)), 50u);
  EXPECT_EQ(table.find(client(5), start + seconds(11)), 50u);
  EXPECT_EQ(table.put(client(5), 51, start + seconds(12)), 50u) << "what is there stands";
}

TEST(AffinityTable, WhoWasAwayLongestMakesRoom) {
  AffinityTable table(8, hours(3));
  for (std::uint64_t i = 1; i <= 8; ++i) table.put(client(i), static_cast<std::uint32_t>(i), start + i * seconds(1));
  table.find(client(1), start + seconds(20));
  table.find(client(2), start + seconds(21));
  table.put(client(9), 9, start + seconds(22));
  table.put(client(10), 10, start + seconds(23));
  for (const std::uint64_t known : {1, 2, 5, 6, 7, 8, 9, 10}) {
    EXPECT_EQ(table.find(client(known), start + seconds(30)), known) << known;
  }
  EXPECT_EQ(table.find(client(3), start + seconds(30)), std::nullopt);
  EXPECT_EQ(table.find(client(4), start + seconds(30)), std::nullopt);
}

/// Nobody is forgotten while there is room, though hashes fall together now and then.
TEST(AffinityTable, IsBounded) {
  constexpr std::uint32_t bound = 4096;
  AffinityTable table(bound, hours(3));
  RandomSource random(2);
  std::vector<std::uint64_t> clients(4 * bound);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    clients[i] = random.next();
    table.put(clients[i], 1, start + seconds(i / 8));
  }
  std::size_t known = 0, newest = 0;
  const Time end = start + seconds(clients.size() / 8);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const bool found = table.find(clients[i], end).has_value();
    known += found;
    newest += found && i >= clients.size() - bound / 2;
  }
  EXPECT_LE(known, bound);
  EXPECT_GT(known, bound * 99 / 100);
  EXPECT_GT(newest, bound / 2 * 97 / 100) << "of the newest, half as many as there is room for, nearly all";
}

TEST(AffinityTable, ReplacesWhatStood) {
  AffinityTable table(1024, seconds(10));
  table.put(client(1), 3, start);
  EXPECT_EQ(table.replace(client(1), 3, 4, start), 4u);
  EXPECT_EQ(table.find(client(1), start), 4u);
  EXPECT_EQ(table.replace(client(1), 3, 5, start), 4u) << "another thread was faster";
  EXPECT_EQ(table.find(client(1), start), 4u);
  EXPECT_EQ(table.replace(client(1), 3, 5, start + seconds(11)), 5u) << "but that has expired";
  EXPECT_EQ(table.replace(client(2), 3, 6, start), 6u) << "forgotten meanwhile: put down";
  EXPECT_EQ(table.find(client(2), start), 6u);
}

/// Threads, each with its own opinion, meet the same new clients at the same time.
TEST(AffinityTable, ThreadsAgree) {
  constexpr std::size_t lines = 4096, rounds = 8;  // each round fills one slot of every line, so that nobody is evicted
  constexpr std::uint32_t threads = 2;
  AffinityTable table(lines * 8, hours(3));
  std::vector<std::vector<std::uint32_t>> stands(threads);
  std::atomic<std::size_t> arrived{0};
  std::vector<std::thread> running;
  for (std::uint32_t self = 0; self < threads; ++self) {
    running.emplace_back([&, self] {
      std::size_t meetings = 0;
      for (std::uint64_t round = 1; round <= rounds; ++round) {
        for (std::uint64_t line = 0; line < lines; ++line) {
          if (line % 32 == 0) {  // side by side again
            ++arrived;
            for (++meetings; arrived < meetings * threads;) std::this_thread::yield();
          }
          const Time now = start + seconds(round + self);  // clocks differ a little
          stands[self].push_back(table.put(round << 44 | line, self, now));
        }
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  EXPECT_EQ(stands[1], stands[0]);
  std::size_t at = 0;
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    for (std::uint64_t line = 0; line < lines; ++line) {
      ASSERT_EQ(table.find(round << 44 | line, start + seconds(rounds + 2)), stands[0][at++]);
    }
  }
}

TEST(AffinityTable, ThreadsAgreeOnWhatReplaces) {
  constexpr std::uint64_t clients = 20'000;
  constexpr std::uint32_t threads = 4;
  AffinityTable table(clients * 8, hours(3));
  for (std::uint64_t i = 0; i < clients; ++i) table.put(mix64(i), 99, start);
  std::vector<std::vector<std::uint32_t>> stands(threads);
  std::vector<std::thread> running;
  for (std::uint32_t self = 0; self < threads; ++self) {
    running.emplace_back([&, self] {
      for (std::uint64_t i = 0; i < clients; ++i) stands[self].push_back(table.replace(mix64(i), 99, self, start));
    });
  }
  for (std::thread& thread : running) thread.join();
  for (std::uint32_t self = 1; self < threads; ++self) EXPECT_EQ(stands[self], stands[0]);
}

/// More clients than there is room for, from all sides: whatever is found was once put down for that client.
TEST(AffinityTable, NeverMixesClientsUp) {
  AffinityTable table(64, hours(3));
  std::atomic<int> wrong{0};
  std::vector<std::thread> running;
  for (std::uint64_t self = 0; self < 4; ++self) {
    running.emplace_back([&, self] {
      RandomSource random(self);
      for (int i = 0; i < 50'000; ++i) {
        const std::uint64_t number = random.below(512);
        const auto endpoint = static_cast<std::uint32_t>(number);
        const Time now = start + seconds(i / 1000);
        const std::uint64_t who = (number + 1) << 44 | number % 8;
        const auto known = table.find(who, now);
        if (known ? *known != endpoint : table.put(who, endpoint, now) != endpoint) ++wrong;
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace telltale::proxy
