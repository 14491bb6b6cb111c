#include "proxy/upstream/balancers/random.h"

namespace telltale::proxy {

std::uint32_t Random::pick(const PickInput& input) {
  return table_->lottery.endpoint(table_->lottery.draw(random_, input.avoid));
}

}  // namespace telltale::proxy
