#include "proxy/upstream/connection_line.h"

#include "proxy/upstream/connection_pool.h"
#include "tests/unit/proxy/net/socket_pair.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;

/// What the workers share.
struct Shared {
  explicit Shared(std::uint32_t max_connections, std::uint32_t max_pending = 100) {
    limits.max_connections = max_connections;
    limits.max_pending = max_pending;
  }
  conf::CircuitBreakers limits;
  CircuitBreaker breaker;
  ConnectionLines lines;
};

/// One worker's loop, line and pool.
struct OneWorker {
  explicit OneWorker(Shared& shared) : line(loop, shared.limits, shared.breaker, shared.lines, metrics) {}
  void turn() { loop.run_once(0ms); }
  std::unique_ptr<UpstreamConnection> connection(ConnectionSlot slot) {
    SocketPair pair(loop);
    auto made = std::make_unique<UpstreamConnection>();
    made->stream = std::move(pair.stream);
    made->slot = std::move(slot);
    others.push_back(std::move(pair.other));
    return made;
  }

  ServiceMetrics metrics;
  EventLoop loop;
  std::vector<UniqueFd> others;
  ConnectionLine line;
  ConnectionPool pool{conf::Pool{}, metrics};
};

/// Takes a place as soon as its turn has come.
struct Waiter {
  bool take(OneWorker& worker) { return worker.line.take(slot, turn); }
  bool wait(OneWorker& worker) {
    wake.async_wait([this, &worker](boost::system::error_code) { served = turn.has_come() && take(worker); });
    return worker.line.wait(turn, wake);
  }
  /// As one whose client went away.
  void give_up() {
    turn.reset();
    wake.disarm();
  }
  Readiness wake;
  ConnectionSlot slot;
  Turn turn;
  bool served = false;
};

TEST(ConnectionLine, GivesPlacesUpToTheLimit) {
  Shared shared(2);
  OneWorker worker(shared);
  Waiter a, b, c;
  EXPECT_TRUE(a.take(worker));
  EXPECT_TRUE(b.take(worker));
  EXPECT_FALSE(c.take(worker));
  EXPECT_EQ(shared.breaker.connections.value(), 2u);
  a.slot.release();
  EXPECT_TRUE(c.take(worker));
  b.slot.release(), c.slot.release();
  EXPECT_EQ(shared.breaker.connections.value(), 0u);
}

TEST(ConnectionLine, ServesFirstComeFirstServedAndNeverInsideOfAnothersEnd) {
  Shared shared(1);
  OneWorker worker(shared);
  Waiter holder, first, second;
  ASSERT_TRUE(holder.take(worker));
  ASSERT_TRUE(first.wait(worker));
  ASSERT_TRUE(second.wait(worker));
  EXPECT_EQ(worker.metrics.requests_pending.value(), 2u);
  worker.turn();
  EXPECT_FALSE(first.served);
  holder.slot.release();
  EXPECT_FALSE(first.served) << "in the loop's turn";
  Waiter newcomer;
  EXPECT_TRUE(worker.line.must_wait(newcomer.turn));
  EXPECT_FALSE(newcomer.take(worker)) << "others were first";
  worker.turn();
  EXPECT_TRUE(first.served);
  EXPECT_FALSE(second.served);
  first.slot.release();
  worker.turn();
  EXPECT_TRUE(second.served);
  EXPECT_EQ(shared.breaker.pending.value(), 0u);
  EXPECT_EQ(worker.metrics.requests_pending.value(), 0u);
}

TEST(ConnectionLine, NobodyWaitsInAnotherWorkerWhereThereIsRoomForAll) {
  Shared shared(2);
  OneWorker one(shared), two(shared);
  Waiter a, b, waiting, newcomer, late;
  ASSERT_TRUE(a.take(one) && b.take(one));
  ASSERT_TRUE(waiting.wait(one));
  a.slot.release();
  EXPECT_FALSE(late.take(two)) << "it is on its way to who waits";
  b.slot.release();
  EXPECT_TRUE(newcomer.take(two));
  one.turn();
  EXPECT_TRUE(waiting.served);
}

TEST(ConnectionLine, RefusesMoreThanMaxPending) {
  Shared shared(1, 2);
  OneWorker one(shared), two(shared);
  Waiter holder, a, b, c;
  ASSERT_TRUE(holder.take(one));
  EXPECT_TRUE(a.wait(one));
  EXPECT_TRUE(b.wait(two)) << "in all workers";
  EXPECT_FALSE(c.wait(one));
  b.give_up();
  EXPECT_TRUE(c.wait(one));
  EXPECT_EQ(shared.breaker.pending.value(), 2u);
}

TEST(ConnectionLine, WhoGaveUpSwallowsNoWakeUp) {
  Shared shared(1);
  OneWorker one(shared), two(shared), three(shared);
  for (auto* const next : {&one, &two}) {
    Waiter holder, gone, waiting;
    ASSERT_TRUE(holder.take(one));
    ASSERT_TRUE(gone.wait(one));
    ASSERT_TRUE(waiting.wait(*next));
    holder.slot.release();  // worker one is woken for who gives up before it runs
    gone.give_up();
    for (auto* const worker : {&one, &two, &three}) worker->turn();
    EXPECT_TRUE(waiting.served);
  }
  EXPECT_EQ(shared.breaker.connections.value(), 0u);
}

TEST(ConnectionLine, APlaceThatWasNotUsedGoesToTheNext) {
  Shared shared(1);
  OneWorker worker(shared);
  Waiter holder, second;
  ASSERT_TRUE(holder.take(worker));
  Readiness wake;
  Turn first;
  wake.async_wait([&](boost::system::error_code) { first.reset(); });  // nobody to send it to, say
  ASSERT_TRUE(worker.line.wait(first, wake));
  ASSERT_TRUE(second.wait(worker));
  holder.slot.release();
  worker.turn();
  worker.turn();
  EXPECT_TRUE(second.served);
}

/// Else pending_timeout would begin anew each time.
TEST(ConnectionLine, WhoseTurnCameInVainHasWaitedAllTheTime) {
  Shared shared(1);
  OneWorker worker(shared);
  Waiter holder;
  ASSERT_TRUE(holder.take(worker));
  Readiness wake;
  Turn turn;
  ASSERT_TRUE(worker.line.wait(turn, wake));
  const auto since = turn.waiting_since();
  EXPECT_EQ(since, worker.loop.now());
  for (int i = 0; i < 3; ++i) {
    worker.pool.release(worker.connection(std::move(holder.slot)));
    worker.loop.run_once(1ms);
    ASSERT_TRUE(turn.has_come());
    holder.slot = std::move(worker.pool.acquire({})->slot);  // somebody else was faster
    ConnectionSlot slot;
    ASSERT_FALSE(worker.line.take(slot, turn));
    ASSERT_TRUE(worker.line.wait(turn, wake));
    EXPECT_GT(worker.loop.now(), since);
    EXPECT_EQ(turn.waiting_since(), since);
  }
  turn.reset();
  worker.loop.run_once(1ms);
  ASSERT_TRUE(worker.line.wait(turn, wake));
  EXPECT_EQ(turn.waiting_since(), worker.loop.now()) << "of another try";
  turn.reset();
}

TEST(ConnectionLine, ClosesTheIdleConnectionThatWasUnusedForLongest) {
  Shared shared(2);
  OneWorker worker(shared);
  for (int i = 0; i < 2; ++i) {
    Waiter w;
    ASSERT_TRUE(w.take(worker));
    worker.pool.release(worker.connection(std::move(w.slot)));
  }
  const auto* newest = worker.line.newest_idle();
  Waiter other;
  EXPECT_TRUE(other.take(worker));
  EXPECT_EQ(worker.pool.idle(), 1u);
  EXPECT_EQ(worker.line.newest_idle(), newest);
  EXPECT_EQ(shared.breaker.connections.value(), 2u);
  EXPECT_EQ(worker.pool.acquire({}).get(), newest);
  EXPECT_EQ(worker.line.newest_idle(), nullptr);
  EXPECT_EQ(shared.breaker.connections.value(), 1u) << "the acquired one has ended";
}

TEST(ConnectionLine, AConnectionThatBecomesIdleServesWhoWaits) {
  Shared shared(1);
  OneWorker worker(shared);
  Waiter holder;
  ASSERT_TRUE(holder.take(worker));
  Readiness wake;
  Turn turn;
  std::unique_ptr<UpstreamConnection> got;
  wake.async_wait([&](boost::system::error_code) {
    if (turn.has_come()) got = worker.pool.acquire({});
    turn.reset();
  });
  ASSERT_TRUE(worker.line.wait(turn, wake));
  worker.pool.release(worker.connection(std::move(holder.slot)));
  worker.turn();
  ASSERT_NE(got, nullptr);
  EXPECT_TRUE(got->reused);
  EXPECT_EQ(shared.breaker.connections.value(), 1u);
}

TEST(ConnectionLine, AnotherWorkersIdleConnectionIsClosedForWhoWaits) {
  Shared shared(1);
  OneWorker one(shared), two(shared);
  Waiter holder, waiting;
  ASSERT_TRUE(holder.take(one));
  one.pool.release(one.connection(std::move(holder.slot)));
  EXPECT_FALSE(waiting.take(two));
  ASSERT_TRUE(waiting.wait(two));
  one.turn();
  EXPECT_EQ(one.pool.idle(), 0u);
  two.turn();
  EXPECT_TRUE(waiting.served);
}

TEST(ConnectionLine, NoConnectionIsKeptIdleWhileSomebodyWaitsElsewhere) {
  Shared shared(1);
  OneWorker one(shared), two(shared);
  Waiter holder, waiting;
  ASSERT_TRUE(holder.take(one));
  ASSERT_TRUE(waiting.wait(two));
  two.turn();
  one.pool.release(one.connection(std::move(holder.slot)));
  EXPECT_EQ(one.pool.idle(), 0u);
  two.turn();
  EXPECT_TRUE(waiting.served);
}

TEST(ConnectionLine, WhoWaitedFarLongerInAnotherWorkerIsFirst) {
  Shared shared(1);
  shared.limits.pending_timeout = 4ms;  // then a millisecond is far longer
  OneWorker one(shared), two(shared);
  Waiter holder, late, early;
  ASSERT_TRUE(holder.take(one));
  ASSERT_TRUE(early.wait(two));
  const auto begun = one.loop.now();
  while (one.loop.now() - begun < 3ms) one.turn();
  ASSERT_TRUE(late.wait(one));
  holder.slot.release();
  one.turn(), two.turn();
  EXPECT_TRUE(early.served);
  EXPECT_FALSE(late.served);
  early.slot.release();
  one.turn();
  EXPECT_TRUE(late.served);
}

/// Four workers, each with clients that take a connection from the pool or a place for a new one, or wait, at times
/// give up, and keep, drop or pool what they had.
class Crowd {
 public:
  static constexpr int rounds = 300, clients = 25;

  Crowd(Shared& shared, unsigned seed) : worker_(shared), random_(seed) {
    for (int i = 0; i < clients; ++i) clients_.push_back(std::make_unique<Client>());
  }
  /// Until all crowds are done: who has ended still answers those who ask for room. `left`: crowds that are not.
  void run(std::atomic<int>& left) {
    for (auto& client : clients_) begin(*client);
    bool told = false;
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (left.load() > 0 && std::chrono::steady_clock::now() < deadline) {
      worker_.loop.run_once(1ms);
      if (!told && done_ == clients) told = true, --left;
    }
    worker_.pool.close_all();
  }
  int served() const { return served_; }
  OneWorker& worker() { return worker_; }

 private:
  struct Client {
    Readiness wake;
    std::unique_ptr<UpstreamConnection> connection;
    Turn turn;
    int round = 0;
  };

  void begin(Client& client) {
    if (client.round++ == rounds) {
      ++done_;
      return;
    }
    attempt(client);
  }
  void attempt(Client& client) {
    if (!worker_.line.must_wait(client.turn)) {
      if (random_() % 2 == 0) client.connection = worker_.pool.acquire({});
      if (client.connection) {
        client.turn.reset();
        return hold(client);
      }
      ConnectionSlot slot;
      if (worker_.line.take(slot, client.turn)) {
        client.connection = worker_.connection(std::move(slot));
        return hold(client);
      }
    }
    const int patience = random_() % 4 == 0 ? static_cast<int>(random_() % 20) : -1;
    client.wake.async_wait(
        [this, &client](boost::system::error_code) { client.turn.has_come() ? attempt(client) : begin(client); });
    ASSERT_TRUE(worker_.line.wait(client.turn, client.wake));
    if (patience >= 0) give_up_after(client, client.round, patience);
  }
  void give_up_after(Client& client, int round, int passes) {
    worker_.loop.post([this, &client, round, passes] {
      if (client.round != round || client.connection) return;
      if (passes > 0) return give_up_after(client, round, passes - 1);
      client.turn.reset();
      client.wake.signal();
    });
  }
  void hold(Client& client) {
    ++served_;
    pass(client, static_cast<int>(random_() % 3));
  }
  void pass(Client& client, int passes) {
    worker_.loop.post([this, &client, passes] {
      if (passes > 0) return pass(client, passes - 1);
      auto connection = std::move(client.connection);
      if (random_() % 2 == 0) worker_.pool.release(std::move(connection));
      connection.reset();
      begin(client);
    });
  }

  OneWorker worker_;
  std::mt19937 random_;
  std::vector<std::unique_ptr<Client>> clients_;
  int done_ = 0, served_ = 0;
};

TEST(ConnectionLine, NobodyIsForgottenAndNothingLostAmongWorkers) {
  for (const std::uint32_t limit : {1u, 3u, 40u}) {
    Shared shared(limit, 0);
    std::atomic<int> left{4};
    std::vector<std::unique_ptr<Crowd>> crowds;
    for (unsigned i = 0; i < 4; ++i) crowds.push_back(std::make_unique<Crowd>(shared, i + limit * 10));
    std::atomic<bool> ended{false};
    std::uint32_t most = 0;
    std::thread watcher([&] {
      while (!ended) most = std::max(most, shared.breaker.connections.value());
    });
    std::vector<std::thread> threads;
    for (auto& crowd : crowds) threads.emplace_back([&] { crowd->run(left); });
    for (auto& thread : threads) thread.join();
    ended = true;
    watcher.join();
    EXPECT_EQ(left.load(), 0) << "somebody waits for ever, limit " << limit;
    EXPECT_LE(most, limit);
    for (auto& crowd : crowds) {
      EXPECT_GT(crowd->served(), 0);
      EXPECT_EQ(crowd->worker().metrics.requests_pending.value(), 0u);
      EXPECT_EQ(crowd->worker().metrics.connections_idle.value(), 0u);
    }
    EXPECT_EQ(shared.breaker.connections.value(), 0u);
    EXPECT_EQ(shared.breaker.pending.value(), 0u);
  }
}

}  // namespace
}  // namespace telltale::proxy
