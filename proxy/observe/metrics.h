#pragma once

#include "protocol/assertion/assertion.h"
#include "protocol/forwarding/client_address.h"
#include "protocol/proxy_protocol/parser.h"
#include "proxy/exchange/failure.h"

#include <boost/system/error_code.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace telltale::proxy {

/// Written by one thread only, read by any: an add is a plain load and store, no locked instruction.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  void sub(std::uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed); }
  /// For a total that is kept elsewhere.
  void set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Fixed buckets, in seconds: 0.5 ms … 60 s. Single writer, like Counter.
class Histogram {
 public:
  static constexpr std::array<double, 14> bounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                    0.1,    0.25,  0.5,    1,     5,    10,    60};
  void observe(std::chrono::nanoseconds duration);
  std::uint64_t bucket(std::size_t i) const {
    return buckets_[i].value();
  }  ///< not cumulative; i == bounds.size(): beyond
  double sum_seconds() const { return static_cast<double>(sum_nanoseconds_.value()) * 1e-9; }

 private:
  std::array<Counter, bounds.size() + 1> buckets_;
  Counter sum_nanoseconds_;
};

/// Why a connection failed in its PROXY phase (identity.md, "First-bytes diagnosis").
enum class ProxyFailure : std::uint8_t {
  none,
  plain_http,
  tls_client_hello,
  bare_probe,
  not_listed,
  header_twice,
  v1_not_allowed,
  v2_not_allowed,
  timed_out,
  cut_short,  ///< the peer closed in the middle of it
  malformed,
  no_header,
  count_
};
const char* to_string(ProxyFailure cause);

/// What a listener found that looks at the ClientHello of its connections and leaves the TLS to the backend.
enum class HelloVerdict : std::uint8_t {
  hello,
  not_tls,    ///< the first octets begin no ClientHello
  malformed,  ///< they do, and then something is wrong
  too_large,
  timed_out,  ///< not all of it came in time
  closed,     ///< the client went away before
  count_
};
const char* to_string(HelloVerdict verdict);

struct ListenerMetrics {
  Counter connections_accepted, connections_refused, connections_active;
  std::array<Counter, static_cast<std::size_t>(ProxyFailure::count_)> proxy_failures;  ///< malformed: see below
  std::array<Counter, proxy_protocol::error_count> malformed_proxy_headers;  ///< by the parser's error, from 0
  Counter tls_handshakes, tls_resumed, tls_failures;  ///< that succeeded, of them by a ticket; that failed
  std::array<Counter, static_cast<std::size_t>(HelloVerdict::count_)> hellos;  ///< passed through: by HelloVerdict
  Counter bad_requests;
  /// Requests whose forwarding header was not believed, or not to its end, by forwarding::RejectReason.
  std::array<Counter, forwarding::header_reject_reason_count> header_refusals;
  std::array<Counter, assertion::verdict_count> assertions;  ///< signed ones that came in, by assertion::Verdict

  /// `error`: the parser's, for malformed.
  void count(ProxyFailure cause, boost::system::error_code error);
};
/// Why a retry that the policy wanted was not made.
enum class RetryRefusal : std::uint8_t { none, budget, max_retries, count_ };
const char* to_string(RetryRefusal refusal);

struct ServiceMetrics {
  std::array<Counter, 6> responses;  ///< by status / 100; [0]: none was sent
  Histogram request_duration;        ///< first octet of the request to last of the response
  Counter requests_active, requests_pending, retries, retries_active, no_endpoint;
  std::array<Counter, reason_count> failures;  ///< requests that failed, by Reason
  std::array<Counter, static_cast<std::size_t>(RetryRefusal::count_)> retries_refused;
  Counter connections_opened, connections_reused, connect_failures, connections_active, connections_idle;
  Counter tls_handshakes, tls_resumed, tls_failures;  ///< with endpoints: that succeeded, of them resumed; that failed
};

/// One worker's counters, indexed as the snapshot's listeners and services are. `local` is what never reached a
/// service: local replies, redirects, bad requests.
struct WorkerMetrics {
  WorkerMetrics(std::size_t listener_count, std::size_t service_count);
  std::vector<std::unique_ptr<ListenerMetrics>> listeners;
  std::vector<std::unique_ptr<ServiceMetrics>> services;
  ServiceMetrics local;
  Counter access_log_dropped;  ///< set() to AccessLog::dropped() after a flush
};

}  // namespace telltale::proxy
