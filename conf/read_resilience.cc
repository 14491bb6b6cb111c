// What may fail, and for how long: timeouts, retries, circuit breakers, ejection.
#include "conf/read.h"

#include <algorithm>

namespace telltale::conf {

void read_service_timeouts(ObjectReader& owner, ServiceTimeouts& timeouts) {
  owner.object("timeouts", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(owner.context(), node, path, schema::service_timeouts);
    reader.read("connect", timeouts.connect);
    reader.read("response", timeouts.response);
    reader.read("idle", timeouts.idle);
    reader.read("total", timeouts.total);
  });
}

void read_retries(ObjectReader& owner, Retries& retries) {
  std::string number;
  if (owner.read_word_instead("retries", number)) {
    if (!number.empty()) retries.attempts = static_cast<unsigned>(number[0] - '0');  // one of the row's words
    return;
  }
  owner.object("retries", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(owner.context(), node, path, schema::retries);
    reader.read("attempts", retries.attempts);
    std::vector<std::string> on;
    if (reader.read("on", on)) {
      const auto has = [&](std::string_view what) { return std::ranges::find(on, what) != on.end(); };
      retries.connect_failure = has("connect_failure");
      retries.reset = has("reset");
      retries.timeout = has("timeout");
    }
    reader.read("statuses", retries.statuses);
    reader.read("per_try_timeout", retries.per_try_timeout);
    reader.read("budget", retries.budget);
    reader.read("min_concurrent", retries.min_concurrent);
  });
}

void read_circuit_breakers(ObjectReader& service, CircuitBreakers& breakers) {
  service.object("circuit_breakers", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(service.context(), node, path, schema::circuit_breakers);
    reader.read("max_connections", breakers.max_connections);
    reader.read("max_pending", breakers.max_pending);
    reader.read("pending_timeout", breakers.pending_timeout);
    reader.read("max_requests", breakers.max_requests);
    reader.read("max_retries", breakers.max_retries);
    if (breakers.max_connections > 0) return;
    for (const std::string_view field : {"max_pending", "pending_timeout"}) {
      if (reader.has(field)) {
        reader.warning(field, "has no effect: without `max_connections` no request waits", "add max_connections");
      }
    }
  });
}

void read_ejection(ObjectReader& service, std::optional<Ejection>& ejection) {
  std::string word;
  if (service.read_word_instead("ejection", word)) {
    if (word == "true") ejection.emplace();
    return;
  }
  service.object("ejection", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(service.context(), node, path, schema::ejection);
    Ejection& given = ejection.emplace();
    reader.read("failures", given.failures);
    reader.read("statuses", given.statuses);
    const bool timed = reader.read("time", given.time);
    const bool limited = reader.read("max_time", given.max_time);
    reader.read("max_share", given.max_share);
    if (given.max_time >= given.time || (!timed && !limited)) return;
    reader.error(limited ? "max_time" : "time",
                 "`max_time` (" + format_duration(given.max_time) + ") is shorter than `time` (" +
                     format_duration(given.time) + ")",
                 "time is for the first time, max_time for the longest");
  });
}

void inherit(Route& route, const RouteSource& source, const Service& service) {
  if (route.timeouts) {
    ServiceTimeouts& own = *route.timeouts;
    const ServiceTimeouts& rest = service.timeouts;
    const auto given = [&](std::string_view field) { return source.timeouts->find(field) != nullptr; };
    if (!given("connect")) own.connect = rest.connect;
    if (!given("response")) own.response = rest.response;
    if (!given("idle")) own.idle = rest.idle;
    if (!given("total")) own.total = rest.total;
  }
  if (route.retries) {
    Retries& own = *route.retries;
    const Retries& rest = service.retries;
    const bool number = source.retries->kind == YamlNode::Kind::scalar;  // of attempts
    const auto given = [&](std::string_view field) { return source.retries->find(field) != nullptr; };
    if (!number && !given("attempts")) own.attempts = rest.attempts;
    if (!given("on")) {
      own.connect_failure = rest.connect_failure, own.reset = rest.reset, own.timeout = rest.timeout;
    }
    if (!given("statuses")) own.statuses = rest.statuses;
    if (!given("per_try_timeout")) own.per_try_timeout = rest.per_try_timeout;
    if (!given("budget")) own.budget = rest.budget;
    if (!given("min_concurrent")) own.min_concurrent = rest.min_concurrent;
  }
}

}  // namespace telltale::conf
