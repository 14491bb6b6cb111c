#include "proxy/observe/metrics_text.h"

#include "proxy/observe/prometheus.h"
#include "proxy/observe/state_metrics.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace telltale::proxy {
namespace {

using Workers = std::span<WorkerMetrics* const>;
using Services = std::span<const std::shared_ptr<Service>>;

constexpr std::array<std::string_view, 6> code_classes = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

std::uint64_t sum_listener(Workers workers, std::size_t listener, Counter ListenerMetrics::* counter) {
  std::uint64_t sum = 0;
  for (const WorkerMetrics* worker : workers) {
    if (listener < worker->listeners.size()) sum += (worker->listeners[listener].get()->*counter).value();
  }
  return sum;
}

/// The label value and what each worker counted under it.
struct ServiceRow {
  std::string_view name;
  std::vector<const ServiceMetrics*> parts;

  std::uint64_t sum(Counter ServiceMetrics::* counter) const {
    std::uint64_t sum = 0;
    for (const ServiceMetrics* part : parts) sum += (part->*counter).value();
    return sum;
  }
};

/// Every service, and last the local replies under an empty name.
std::vector<ServiceRow> make_rows(Workers workers, Services services) {
  std::vector<ServiceRow> rows;
  rows.reserve(services.size() + 1);
  for (const auto& service : services) {
    ServiceRow& row = rows.emplace_back(ServiceRow{service->name(), {}});
    for (const WorkerMetrics* worker : workers) {
      if (service->index() < worker->services.size()) row.parts.push_back(worker->services[service->index()].get());
    }
  }
  ServiceRow& local = rows.emplace_back();
  for (const WorkerMetrics* worker : workers) local.parts.push_back(&worker->local);
  return rows;
}

enum class Kind : bool { counter, gauge };
template <class Metrics>
struct Family {
  std::string_view name;
  Kind kind;
  Counter Metrics::* counter;
  std::string_view help;
};

void write_value(PrometheusWriter& writer, Kind kind, PrometheusWriter::Labels labels, std::uint64_t value) {
  kind == Kind::counter ? writer.sample(labels, value) : writer.gauge(labels, value);
}

void write_listeners(PrometheusWriter& writer, Workers workers, std::span<const std::string> names) {
  static constexpr std::array<Family<ListenerMetrics>, 7> families = {{
      {"telltale_listener_connections_total", Kind::counter, &ListenerMetrics::connections_accepted,
       "Connections accepted."},
      {"telltale_listener_connections_active", Kind::gauge, &ListenerMetrics::connections_active,
       "Connections open now."},
      {"telltale_listener_connections_refused_total", Kind::counter, &ListenerMetrics::connections_refused,
       "Connections closed at once because a limit was reached."},
      {"telltale_tls_handshakes_total", Kind::counter, &ListenerMetrics::tls_handshakes,
       "TLS handshakes that succeeded."},
      {"telltale_tls_resumed_total", Kind::counter, &ListenerMetrics::tls_resumed,
       "Of these, those that resumed a session by its ticket."},
      {"telltale_tls_failures_total", Kind::counter, &ListenerMetrics::tls_failures,
       "Connections that ended before a TLS handshake had succeeded."},
      {"telltale_bad_requests_total", Kind::counter, &ListenerMetrics::bad_requests,
       "Requests refused for what their head or framing said."},
  }};
  for (const auto& family : families) {
    writer.family(family.name, family.kind == Kind::counter ? "counter" : "gauge", family.help);
    for (std::size_t i = 0; i < names.size(); ++i) {
      write_value(writer, family.kind, {{"listener", names[i]}}, sum_listener(workers, i, family.counter));
    }
  }
}

void write_proxy_failures(PrometheusWriter& writer, Workers workers, std::span<const std::string> names) {
  writer.family("telltale_proxy_protocol_failures_total", "counter",
                "Connections that failed in their PROXY protocol phase, by likely cause; a malformed header also by "
                "what is wrong with it.");
  const auto sum = [&](std::size_t listener, const auto& counter_of) {
    std::uint64_t total = 0;
    for (const WorkerMetrics* worker : workers) {
      if (listener < worker->listeners.size()) total += counter_of(*worker->listeners[listener]).value();
    }
    return total;
  };
  const std::string_view malformed = to_string(ProxyFailure::malformed);
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (std::size_t cause = 1; cause < static_cast<std::size_t>(ProxyFailure::count_); ++cause) {
      const std::string_view name = to_string(static_cast<ProxyFailure>(cause));
      if (name == malformed) continue;
      writer.sample(
          {{"listener", names[i]}, {"cause", name}},
          sum(i, [&](const ListenerMetrics& metrics) -> const Counter& { return metrics.proxy_failures[cause]; }));
    }
    for (std::size_t error = 0; error < proxy_protocol::error_count; ++error) {
      const std::string_view label = proxy_protocol::error_label(static_cast<proxy_protocol::Error>(error + 1));
      writer.sample({{"listener", names[i]}, {"cause", malformed}, {"error", label}},
                    sum(i, [&](const ListenerMetrics& metrics) -> const Counter& {
                      return metrics.malformed_proxy_headers[error];
                    }));
    }
  }
}

void write_source_loss(PrometheusWriter& writer, std::span<const std::string> names,
                       std::span<const SourceLoss> source_loss) {
  writer.family("telltale_source_loss_suspected", "gauge",
                "1: the listener seems not to see its clients' own addresses, and why.");
  for (std::size_t i = 0; i < std::min(names.size(), source_loss.size()); ++i) {
    for (const SourceLoss each : {SourceLoss::infrastructure, SourceLoss::few_addresses}) {
      writer.sample({{"listener", names[i]}, {"reason", to_string(each)}}, std::uint64_t{each == source_loss[i]});
    }
  }
}

void write_assertions(PrometheusWriter& writer, Workers workers, std::span<const std::string> names) {
  writer.family("telltale_client_assertions_total", "counter",
                "Signed assertions of the client that came to a listener which believes them, by verdict.");
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (std::size_t verdict = 0; verdict < assertion::verdict_count; ++verdict) {
      std::uint64_t sum = 0;
      for (const WorkerMetrics* worker : workers) {
        if (i < worker->listeners.size()) sum += worker->listeners[i]->assertions[verdict].value();
      }
      writer.sample({{"listener", names[i]}, {"verdict", to_string(static_cast<assertion::Verdict>(verdict))}}, sum);
    }
  }
}

void write_hellos(PrometheusWriter& writer, Workers workers, std::span<const std::string> names) {
  writer.family("telltale_client_hellos_total", "counter",
                "Connections whose ClientHello was looked at, their TLS being the backend's, by what came.");
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (std::size_t verdict = 0; verdict < static_cast<std::size_t>(HelloVerdict::count_); ++verdict) {
      std::uint64_t sum = 0;
      for (const WorkerMetrics* worker : workers) {
        if (i < worker->listeners.size()) sum += worker->listeners[i]->hellos[verdict].value();
      }
      writer.sample({{"listener", names[i]}, {"verdict", to_string(static_cast<HelloVerdict>(verdict))}}, sum);
    }
  }
}

void write_header_refusals(PrometheusWriter& writer, Workers workers, std::span<const std::string> names) {
  writer.family("telltale_client_header_refusals_total", "counter",
                "Requests whose forwarding header was not believed, or not to its end, by the first reason.");
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (std::size_t reason = 0; reason < forwarding::header_reject_reason_count; ++reason) {
      const auto each = static_cast<forwarding::RejectReason>(reason);
      if (each == forwarding::RejectReason::beyond_client) continue;  // what anybody may write there is no news
      std::uint64_t sum = 0;
      for (const WorkerMetrics* worker : workers) {
        if (i < worker->listeners.size()) sum += worker->listeners[i]->header_refusals[reason].value();
      }
      writer.sample({{"listener", names[i]}, {"reason", to_string(each)}}, sum);
    }
  }
}

void write_requests(PrometheusWriter& writer, std::span<const ServiceRow> rows) {
  writer.family(
      "telltale_requests_total", "counter",
      "Requests by class of the status sent; service is empty for local replies, class none if none was sent.");
  for (const ServiceRow& row : rows) {
    for (std::size_t code = 0; code < code_classes.size(); ++code) {
      std::uint64_t sum = 0;
      for (const ServiceMetrics* part : row.parts) sum += part->responses[code].value();
      writer.sample({{"service", row.name}, {"code_class", code_classes[code]}}, sum);
    }
  }
}

void write_durations(PrometheusWriter& writer, std::span<const ServiceRow> rows) {
  writer.family("telltale_request_duration_seconds", "histogram",
                "First octet of the request to the last of the response.");
  for (const ServiceRow& row : rows) {
    std::uint64_t count = 0;
    double seconds = 0;
    for (const ServiceMetrics* part : row.parts) seconds += part->request_duration.sum_seconds();
    for (std::size_t i = 0; i <= Histogram::bounds.size(); ++i) {
      for (const ServiceMetrics* part : row.parts) count += part->request_duration.bucket(i);
      std::string bound = "+Inf";
      if (i < Histogram::bounds.size()) bound.clear(), append_double(bound, Histogram::bounds[i]);
      writer.sample("_bucket", {{"service", row.name}, {"le", bound}}, count);
    }
    writer.sample("_sum", {{"service", row.name}}, seconds);
    writer.sample("_count", {{"service", row.name}}, count);
  }
}

void write_services(PrometheusWriter& writer, std::span<const ServiceRow> rows) {
  static constexpr std::array<Family<ServiceMetrics>, 13> families = {{
      {"telltale_requests_active", Kind::gauge, &ServiceMetrics::requests_active, "Requests in flight."},
      {"telltale_requests_pending", Kind::gauge, &ServiceMetrics::requests_pending,
       "Of these, those that wait because of `max_connections`."},
      {"telltale_upstream_connections_opened_total", Kind::counter, &ServiceMetrics::connections_opened,
       "Connections opened to endpoints."},
      {"telltale_upstream_connections_reused_total", Kind::counter, &ServiceMetrics::connections_reused,
       "Requests that went over a pooled connection."},
      {"telltale_upstream_connections_active", Kind::gauge, &ServiceMetrics::connections_active,
       "Connections to endpoints that carry a request."},
      {"telltale_upstream_connections_idle", Kind::gauge, &ServiceMetrics::connections_idle,
       "Connections to endpoints that wait in the pool."},
      {"telltale_upstream_connect_failures_total", Kind::counter, &ServiceMetrics::connect_failures,
       "Connections to endpoints that could not be opened."},
      {"telltale_upstream_tls_handshakes_total", Kind::counter, &ServiceMetrics::tls_handshakes,
       "TLS handshakes with endpoints that succeeded."},
      {"telltale_upstream_tls_resumed_total", Kind::counter, &ServiceMetrics::tls_resumed,
       "Of these, those that resumed a session."},
      {"telltale_upstream_tls_failures_total", Kind::counter, &ServiceMetrics::tls_failures,
       "TLS handshakes with endpoints that failed."},
      {"telltale_retries_total", Kind::counter, &ServiceMetrics::retries,
       "Further tries of requests, on another endpoint where there is one."},
      {"telltale_retries_active", Kind::gauge, &ServiceMetrics::retries_active,
       "Requests in flight that are tried again after something was sent: those of the budget."},
      {"telltale_no_endpoint_total", Kind::counter, &ServiceMetrics::no_endpoint,
       "Requests answered 503 because no endpoint was ready."},
  }};
  for (const auto& family : families) {
    writer.family(family.name, family.kind == Kind::counter ? "counter" : "gauge", family.help);
    // Local replies are in flight, too, but never have to do with an endpoint.
    const bool with_local = family.counter == &ServiceMetrics::requests_active;
    for (const ServiceRow& row : with_local ? rows : rows.first(rows.size() - 1)) {
      write_value(writer, family.kind, {{"service", row.name}}, row.sum(family.counter));
    }
  }
}

void write_failures(PrometheusWriter& writer, std::span<const ServiceRow> rows) {
  const auto write = [&](const ServiceRow& row, std::string_view reason, const auto& counter_of) {
    std::uint64_t sum = 0;
    for (const ServiceMetrics* part : row.parts) sum += counter_of(*part).value();
    writer.sample({{"service", row.name}, {"reason", reason}}, sum);
  };
  writer.family(
      "telltale_request_failures_total", "counter",
      "Requests refused, answered with an error of ours, or cut, by reason; service is empty where it did not "
      "come to one.");
  for (const ServiceRow& row : rows) {
    for (std::size_t i = 1; i < reason_count; ++i) {
      write(row, to_string(static_cast<Reason>(i)),
            [i](const ServiceMetrics& metrics) -> const Counter& { return metrics.failures[i]; });
    }
  }
  writer.family("telltale_retries_refused_total", "counter",
                "Further tries that were not made because too many were in flight.");
  for (const ServiceRow& row : rows.first(rows.size() - 1)) {
    for (std::size_t i = 1; i < static_cast<std::size_t>(RetryRefusal::count_); ++i) {
      write(row, to_string(static_cast<RetryRefusal>(i)),
            [i](const ServiceMetrics& metrics) -> const Counter& { return metrics.retries_refused[i]; });
    }
  }
}

void write_circuit_breakers(PrometheusWriter& writer, Services services) {
  writer.family("telltale_circuit_breaker_in_use", "gauge",
                "How much of each configured limit is in use; those that are not configured have no sample.");
  for (const auto& service : services) {
    const auto& limits = service->conf().circuit_breakers;
    const CircuitBreaker& used = service->breaker();
    const std::tuple<std::string_view, std::uint32_t, const SharedCount&> rows[] = {
        {"max_connections", limits.max_connections, used.connections},
        {"max_pending", limits.max_connections != 0 ? limits.max_pending : 0, used.pending},
        {"max_requests", limits.max_requests, used.requests},
        {"max_retries", limits.max_retries, used.retries},
    };
    for (const auto& [name, limit, count] : rows) {
      if (limit != 0) writer.gauge({{"service", service->name()}, {"limit", name}}, count.value());
    }
  }
}

void write_access_log(PrometheusWriter& writer, Workers workers) {
  writer.family("telltale_access_log_dropped_total", "counter",
                "Access log lines lost because whoever reads the log was too slow, or gone.");
  std::uint64_t sum = 0;
  for (const WorkerMetrics* worker : workers) sum += worker->access_log_dropped.value();
  writer.sample({}, sum);
}

}  // namespace

std::string render_metrics(Workers workers, std::span<const std::string> listener_names, Services services,
                           std::span<const SourceLoss> source_loss, std::span<const ServiceStatus> statuses,
                           const DiscoveryCounts& discovery) {
  PrometheusWriter writer;
  writer.family("telltale_build_info", "gauge", "1; the label says which version runs.");
  writer.sample({{"version", TELLTALE_VERSION}}, 1);
  write_listeners(writer, workers, listener_names);
  write_proxy_failures(writer, workers, listener_names);
  write_header_refusals(writer, workers, listener_names);
  write_assertions(writer, workers, listener_names);
  write_hellos(writer, workers, listener_names);
  write_source_loss(writer, listener_names, source_loss);
  const std::vector<ServiceRow> rows = make_rows(workers, services);
  write_requests(writer, rows);
  write_durations(writer, rows);
  write_services(writer, rows);
  write_failures(writer, rows);
  write_circuit_breakers(writer, services);
  write_states(writer, services, statuses);
  write_discovery(writer, discovery);
  write_access_log(writer, workers);
  return writer.take();
}

}  // namespace telltale::proxy
