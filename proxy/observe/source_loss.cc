#include "proxy/observe/source_loss.h"

#include <algorithm>
#include <vector>

namespace telltale::proxy {
namespace {

std::vector<SourceCounts::Heavy> heaviest(const SourceCounts& counts, std::size_t n) {
  std::vector<SourceCounts::Heavy> all(counts.heavy().begin(), counts.heavy().end());
  std::ranges::sort(all, std::greater{}, &SourceCounts::Heavy::connections);
  std::erase_if(all, [](const auto& each) { return each.connections == 0; });
  if (all.size() > n) all.resize(n);
  return all;
}

std::uint64_t sum(const std::vector<SourceCounts::Heavy>& all) {
  std::uint64_t total = 0;
  for (const auto& each : all) total += each.connections;
  return total;
}

bool is_share(std::uint64_t part, std::uint64_t whole, unsigned percent) { return part * 100 >= whole * percent; }

}  // namespace

std::string_view to_string(SourceLoss loss) {
  switch (loss) {
    case SourceLoss::none:
      return "none";
    case SourceLoss::infrastructure:
      return "infrastructure";
    case SourceLoss::few_addresses:
      return "few_addresses";
  }
  return {};
}

SourceLoss SourceLossDetector::judge() const {
  const std::uint64_t total = counts_.connections();
  if (total >= min_infrastructure && is_share(counts_.infrastructure(), total, infrastructure_percent)) {
    return SourceLoss::infrastructure;
  }
  if (total >= min_few && is_share(sum(heaviest(counts_, few)), total, few_percent)) return SourceLoss::few_addresses;
  return SourceLoss::none;
}

/// Whether there are enough connections to say that what was suspected is not so.
bool SourceLossDetector::is_conclusive(SourceLoss loss) const {
  return counts_.connections() >= (loss == SourceLoss::few_addresses ? min_few : min_infrastructure);
}

std::string SourceLossDetector::add(std::string_view listener, const SourceCounts& counts, Clock::time_point now) {
  if (window_began_ == Clock::time_point::min() || now - window_began_ >= window) {
    counts_.clear();
    window_began_ = now;
  }
  counts_.merge(counts);
  const SourceLoss before = suspected_;
  const SourceLoss found = judge();
  if (found == SourceLoss::none && !is_conclusive(before)) return {};
  suspected_ = found;
  if (found == SourceLoss::none || before != SourceLoss::none) return {};
  if (warned_ != Clock::time_point::min() && now - warned_ < warning_interval) return {};
  warned_ = now;
  return warning(listener);
}

std::string SourceLossDetector::warning(std::string_view listener) const {
  const auto sources = heaviest(counts_, few);
  std::string addresses;
  for (const auto& each : sources) addresses += (addresses.empty() ? "" : ", ") + each.address.to_string();
  const bool is_infrastructure = suspected_ == SourceLoss::infrastructure;
  const std::uint64_t part = is_infrastructure ? counts_.infrastructure() : sum(sources);
  std::string text = "listener " + std::string(listener) + ": " + std::to_string(part) + " of the last " +
                     std::to_string(counts_.connections()) + " connections come from ";
  text += is_infrastructure ? "nodes of its own services or gateways of this machine (" + addresses + ")"
                            : std::to_string(sources.size()) + " addresses (" + addresses + ")";
  if (is_share(counts_.claiming(), counts_.connections(), 50)) {
    return text +
           ", and they send an identity header that nobody is trusted for: if they are your proxies, name them "
           "in client_ip.trusted, or use client_ip.behind";
  }
  text += is_infrastructure
              ? ": the clients' addresses seem lost on the way (SNAT, as kube-proxy does it). To keep them: "
                "externalTrafficPolicy: Local on the Service in front, or "
              : ": if these are not the clients themselves but a proxy or a NAT in front, to see the clients: ";
  text +=
      "PROXY protocol from the load balancer with client_ip.proxy_protocol, or client_ip.behind; "
      "`source_loss: ignore` in client_ip says that this is as it should be";
  return text;
}

}  // namespace telltale::proxy
