#include "proxy/observe/metrics.h"

#include <algorithm>

namespace telltale::proxy {
namespace {

constexpr auto make_bounds_nanoseconds() {
  std::array<std::int64_t, Histogram::bounds.size()> bounds{};
  // lround() is not constexpr.
  for (std::size_t i = 0; i < bounds.size(); ++i)
    bounds[i] = static_cast<std::int64_t>(Histogram::bounds[i] * 1e9 + 0.5);  // NOLINT(bugprone-incorrect-roundings)
  return bounds;
}
constexpr auto bounds_nanoseconds = make_bounds_nanoseconds();

constexpr std::array<const char*, static_cast<std::size_t>(ProxyFailure::count_)> cause_names = {
    "none",           "plain_http",     "tls_client_hello", "bare_probe", "not_listed", "header_twice",
    "v1_not_allowed", "v2_not_allowed", "timed_out",        "cut_short",  "malformed",  "no_header"};

constexpr std::array<const char*, static_cast<std::size_t>(RetryRefusal::count_)> refusal_names = {"none", "budget",
                                                                                                   "max_retries"};

}  // namespace

void Histogram::observe(std::chrono::nanoseconds duration) {
  const std::int64_t nanoseconds = std::max<std::int64_t>(duration.count(), 0);
  // A bucket holds its upper bound: Prometheus' `le` is "less or equal".
  const auto bound = std::lower_bound(bounds_nanoseconds.begin(), bounds_nanoseconds.end(), nanoseconds);
  buckets_[static_cast<std::size_t>(bound - bounds_nanoseconds.begin())].add();
  sum_nanoseconds_.add(static_cast<std::uint64_t>(nanoseconds));
}

const char* to_string(ProxyFailure cause) {
  const auto i = static_cast<std::size_t>(cause);
  return i < cause_names.size() ? cause_names[i] : "none";
}

const char* to_string(RetryRefusal refusal) { return refusal_names[static_cast<std::size_t>(refusal)]; }

const char* to_string(HelloVerdict verdict) {
  constexpr std::array<const char*, static_cast<std::size_t>(HelloVerdict::count_)> names = {
      "hello", "not_tls", "malformed", "too_large", "timed_out", "closed"};
  return names[static_cast<std::size_t>(verdict)];
}

void ListenerMetrics::count(ProxyFailure cause, boost::system::error_code error) {
  if (cause == ProxyFailure::malformed && error.category() == proxy_protocol::error_category()) {
    malformed_proxy_headers[static_cast<std::size_t>(error.value() - 1)].add();
  } else {
    proxy_failures[static_cast<std::size_t>(cause)].add();
  }
}

WorkerMetrics::WorkerMetrics(std::size_t listener_count, std::size_t service_count) {
  listeners.reserve(listener_count);
  services.reserve(service_count);
  while (listeners.size() < listener_count) listeners.push_back(std::make_unique<ListenerMetrics>());
  while (services.size() < service_count) services.push_back(std::make_unique<ServiceMetrics>());
}

}  // namespace telltale::proxy
