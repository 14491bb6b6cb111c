#include "proxy/upstream/balancers/least_request.h"

#include "proxy/upstream/balancers/candidates.h"

namespace telltale::proxy {
namespace {

/// One that has come since the loads were counted has none.
double load(std::span<const std::uint32_t> loads, std::uint32_t endpoint) {
  return endpoint < loads.size() ? loads[endpoint] : 0;
}

}  // namespace

std::uint32_t LeastRequest::pick(const PickInput& input) {
  const Lottery& lottery = table_->lottery;
  const std::size_t first = lottery.draw(random_, input.avoid);
  const std::size_t second = lottery.draw_besides(random_, first);
  const std::uint32_t one = lottery.endpoint(first), other = lottery.endpoint(second);
  // The first was drawn by weight. Going to the second must pay: with this request it would still be no busier for its
  // weight than the first is without it. For equal weights that is the lesser load, as everywhere. For unequal ones,
  // load/weight alone would send every second request of two to one with a hundredth of the weight, and
  // (load+1)/weight would send it none until the other is a hundred times as busy.
  const bool pays =
      (load(input.loads, other) + 1) * lottery.weight(first) <= load(input.loads, one) * lottery.weight(second);
  return pays && !contains(input.avoid, other) ? other : one;
}

}  // namespace telltale::proxy
