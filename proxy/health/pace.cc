#include "proxy/health/pace.h"

#include <algorithm>

namespace telltale::proxy {

using Duration = std::chrono::steady_clock::duration;

Duration jittered(conf::Milliseconds interval, std::minstd_rand& random) {
  constexpr double jitter = 0.1;
  std::uniform_real_distribution<double> factor(1 - jitter, 1 + jitter);
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::milli>(static_cast<double>(interval.count()) * factor(random)));
}

Duration spread_delay(std::size_t place, std::size_t count, conf::Milliseconds interval) {
  const Duration share = Duration(interval) / static_cast<Duration::rep>(count);
  return std::min<Duration>(std::chrono::milliseconds(1), share) * static_cast<Duration::rep>(place);
}

}  // namespace telltale::proxy
