#include "proxy/health/healthz.h"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

namespace telltale::proxy {
namespace {

namespace json = boost::json;

/// A node may be hostile: it must not be able to draw all traffic to itself with one number.
constexpr std::int32_t max_weight = 1'000'000;

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty() || text[0] == '-') return std::nullopt;
  return value;
}

std::string_view trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

/// RFC 1123 names, as Kubernetes has them: nothing else goes from a body into a log.
std::optional<std::string_view> name_in(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (!value || !value->is_string()) return std::nullopt;
  const std::string_view name = value->get_string();
  const bool fits = !name.empty() && name.size() <= 253 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
  return fits ? std::optional(name) : std::nullopt;
}

std::string endpoints_text(std::uint64_t count) {
  if (count == 0) return "no local endpoints";
  return std::to_string(count) + (count == 1 ? " local endpoint" : " local endpoints");
}

/// {"service":{"namespace":"default","name":"loadbalancer"},"localEndpoints":1,"serviceProxyHealthy":true} of a
/// healthCheckNodePort, {"nodeEligible":true} of kube-proxy's own :10256. Empty: neither.
std::string detail_of_json(std::string_view body) {
  json::error_code error;
  const json::value parsed = json::parse(body, error);
  if (error || !parsed.is_object()) return {};
  const json::object& object = parsed.get_object();
  if (const json::value* count = object.if_contains("localEndpoints")) {
    const auto endpoints = count->to_number<std::uint64_t>(error);
    if (error) return {};
    std::string detail = endpoints_text(endpoints);
    const json::value* service = object.if_contains("service");
    if (service && service->is_object()) {
      const auto space = name_in(service->get_object(), "namespace"), name = name_in(service->get_object(), "name");
      if (space && name) detail.append(" of ").append(*space).append("/").append(*name);
    }
    const json::value* proxy = object.if_contains("serviceProxyHealthy");
    if (proxy && proxy->is_bool() && !proxy->get_bool()) detail += ", its service proxy is not healthy";
    return detail;
  }
  const json::value* eligible = object.if_contains("nodeEligible");
  if (eligible && eligible->is_bool()) return eligible->get_bool() ? "node eligible" : "node not eligible";
  return {};
}

/// `1 Service Endpoints found` or `No Service Endpoints Found`. Empty: neither.
std::string detail_of_text(std::string_view body) {
  constexpr std::string_view some = " Service Endpoints found";
  if (body == "No Service Endpoints Found") return endpoints_text(0);
  if (!body.ends_with(some)) return {};
  const auto count = number<std::uint64_t>(body.substr(0, body.size() - some.size()));
  return count ? endpoints_text(*count) : std::string();
}

std::optional<std::int32_t> weight_of(std::optional<std::string_view> field) {
  const auto weight = field ? number<std::int32_t>(trim(*field)) : std::nullopt;
  return weight && *weight <= max_weight ? weight : std::nullopt;
}

bool is_expected(unsigned status, const std::vector<conf::StatusRange>& expected) {
  if (expected.empty()) return status >= 200 && status < 300;
  return std::any_of(expected.begin(), expected.end(),
                     [status](conf::StatusRange range) { return range.first <= status && status <= range.last; });
}

}  // namespace

ProbeResult judge_healthz(unsigned status, std::string_view body, std::optional<std::string_view> weight,
                          const conf::Health& health, BodyPatterns& patterns) {
  ProbeResult result;
  result.answered = true;
  result.weight = weight_of(weight);
  const bool good = is_expected(status, health.expect_statuses);
  result.outcome = good ? ProbeOutcome::healthy : status == 503 ? ProbeOutcome::draining : ProbeOutcome::unhealthy;
  result.reason = "answered " + std::to_string(status);
  if (good && !health.expect_body.empty() && !patterns.found(health.expect_body, body)) {
    result.outcome = ProbeOutcome::unhealthy;
    result.reason += " with a body that is not as expected";
    return result;
  }
  body = trim(body);
  if (good && health.strict && body.empty()) {
    result.outcome = ProbeOutcome::vague;
    result.reason += " with an empty body";
    return result;
  }
  const std::string detail = body.starts_with('{') ? detail_of_json(body) : detail_of_text(body);
  if (!detail.empty()) result.reason.append(": ").append(detail);
  return result;
}

}  // namespace telltale::proxy
