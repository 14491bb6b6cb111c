// A pick allocates nothing, not even the first: counted by operator new itself.
#include "tests/unit/proxy/upstream/balancers/support.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

namespace {
thread_local std::size_t allocations = 0;

void* counted(std::size_t size) {
  ++allocations;
  return std::malloc(size == 0 ? 1 : size);
}
}  // namespace

// Those for arrays call these; aligned ones are not used here.
void* operator new(std::size_t size) {
  if (void* const memory = counted(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace telltale::proxy {
namespace {

TEST(BalancerAllocation, IsCounted) {
  const std::size_t before = allocations;
  int* const volatile kept = new int;  // volatile: or the compiler leaves both out
  delete kept;
  EXPECT_EQ(allocations, before + 1) << "or the rest of this file shows nothing";
}

TEST(BalancerAllocation, NoneInAPick) {
  using conf::BalancePolicy;
  for (const auto& all : {test::equal_candidates(1000), test::weighted_candidates(1000)}) {
    const std::vector<std::uint32_t> loads(all.size());
    for (const auto policy : {BalancePolicy::round_robin, BalancePolicy::least_request, BalancePolicy::random,
                              BalancePolicy::maglev, BalancePolicy::ring_hash}) {
      const auto balancer = test::make_balancer(policy, all);
      const std::size_t before = allocations;
      for (std::uint32_t client = 0; client < 1000; ++client) {
        const std::uint64_t hash = test::client_hash(client);
        std::uint32_t avoid[3] = {balancer->pick({hash, loads, {}})};
        avoid[1] = balancer->pick({hash, loads, {avoid, 1}});
        avoid[2] = balancer->pick({hash, loads, {avoid, 2}});
        balancer->pick({hash, loads, avoid});
      }
      EXPECT_EQ(allocations, before) << static_cast<int>(policy);
    }
  }
}

}  // namespace
}  // namespace telltale::proxy
