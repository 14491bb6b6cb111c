#include "proxy/upstream/affinity_table.h"
#include "proxy/upstream/balancer.h"
#include <algorithm>
#include <functional>
#include <string_view>
namespace telltale::proxy {
namespace {
class Rotation final : public Balancer {
 public:
  Rotation(std::span<const Candidate> c, std::uint64_t seed) : c_(c.begin(), c.end()), at_(seed % c.size()) {}
  std::uint32_t pick(const PickInput& in) override {
    for (std::size_t i = 0;; ++i) {
      at_ = (at_ + 1) % c_.size();
      if (i >= c_.size() || std::ranges::find(in.avoid, c_[at_].endpoint) == in.avoid.end()) return c_[at_].endpoint;
    }
  }
  std::vector<Candidate> c_;
  std::size_t at_;
};
}
std::vector<std::unique_ptr<Balancer>> make_balancers(const conf::Balance&, std::span<const Candidate> c, std::span<const std::uint64_t> seeds) {
  std::vector<std::unique_ptr<Balancer>> out;
  for (auto s : seeds) out.push_back(std::make_unique<Rotation>(c, s));
  return out;
}
std::uint64_t balance_hash(std::string_view o) { return std::hash<std::string_view>{}(o); }
AffinityTable::AffinityTable(std::uint32_t, std::chrono::milliseconds) {}
std::optional<std::uint32_t> AffinityTable::find(std::uint64_t, Clock::time_point) { return {}; }
std::uint32_t AffinityTable::put(std::uint64_t, std::uint32_t e, Clock::time_point) { return e; }
std::uint32_t AffinityTable::replace(std::uint64_t, std::uint32_t, std::uint32_t e, Clock::time_point) { return e; }
}
