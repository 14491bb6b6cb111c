#include "conf/read.h"

namespace telltale::conf {
namespace {

/// The timeouts and retries of a service, or of a route that has some of its own. What is said of it depends on the
/// values alone, not on which of them are written out: an expanded file has no more findings than the file.
struct Part {
  std::string path;
  const YamlNode& node;
  const ServiceTimeouts& timeouts;
  const Retries& retries;
};

/// A default that is longer than the whole does no harm; one that was asked for does not do what it says.
bool exceeds_total(const ServiceTimeouts& timeouts, Milliseconds ServiceTimeouts::* limit) {
  return timeouts.total.count() > 0 && timeouts.total < timeouts.*limit && timeouts.*limit != ServiceTimeouts{}.*limit;
}
bool exceeds_response(const Part& part) { return part.retries.per_try_timeout > part.timeouts.response; }
bool retries_nothing(const Retries& retries) {
  return retries.attempts > 0 && !retries.connect_failure && !retries.reset && !retries.timeout &&
         retries.statuses.empty();
}
/// What was sent and is to be tried again needs one.
bool has_no_budget(const Retries& retries) {
  return retries.attempts > 0 && (retries.reset || retries.timeout || !retries.statuses.empty()) &&
         retries.budget == 0 && retries.min_concurrent == 0;
}

class PartCheck {
 public:
  /// `service` is null for a service itself; what is said of that is not said again of a route.
  PartCheck(Diagnostics& diagnostics, const Part& part, const Part* service)
      : diagnostics_(diagnostics), part_(part), service_(service) {}
  void run() {
    check_total("connect", &ServiceTimeouts::connect);
    check_total("response", &ServiceTimeouts::response);
    check_try();
    check_retries();
  }

 private:
  void warning(std::string_view map, std::string_view field, std::string message, std::string hint) {
    diagnostics_.warning(part_.node.descend({map, field}), part_.path + "." + std::string(map), std::move(message),
                         std::move(hint));
  }
  void check_total(std::string_view field, Milliseconds ServiceTimeouts::* limit);
  void check_try();
  void check_retries();

  Diagnostics& diagnostics_;
  const Part& part_;
  const Part* service_;
};

void PartCheck::check_total(std::string_view field, Milliseconds ServiceTimeouts::* limit) {
  if (!exceeds_total(part_.timeouts, limit) || (service_ && exceeds_total(service_->timeouts, limit))) return;
  const std::string name(field);
  warning("timeouts", field,
          "`" + name + "` (" + format_duration(part_.timeouts.*limit) + ") has no effect: it is longer than `total` (" +
              format_duration(part_.timeouts.total) + ")",
          "a longer total, or a shorter " + name);
}

void PartCheck::check_try() {
  if (!exceeds_response(part_) || (service_ && exceeds_response(*service_))) return;
  warning("retries", "per_try_timeout",
          "`per_try_timeout` (" + format_duration(part_.retries.per_try_timeout) +
              ") has no effect: it is longer than `timeouts.response` (" + format_duration(part_.timeouts.response) +
              ")",
          "a shorter one");
}

void PartCheck::check_retries() {
  if (retries_nothing(part_.retries) && !(service_ && retries_nothing(service_->retries))) {
    warning("retries", "on", "nothing is tried again: `on` and `statuses` are empty",
            "on: [connect_failure], or `retries: 0`");
  }
  if (has_no_budget(part_.retries) && !(service_ && has_no_budget(service_->retries))) {
    warning("retries", "budget", "nothing that was sent is tried again: `budget` and `min_concurrent` are 0",
            "budget: 20, or `on: [connect_failure]`");
  }
}

}  // namespace

void check_resilience(Diagnostics& diagnostics, const Draft& draft) {
  std::vector<Part> services;
  services.reserve(draft.services.size());
  for (std::size_t i = 0; i < draft.services.size(); ++i) {
    const Service& service = draft.model.services[i];
    services.push_back(
        {"services[" + std::to_string(i) + "]", *draft.services[i].node, service.timeouts, service.retries});
    PartCheck(diagnostics, services.back(), nullptr).run();
  }
  for (std::size_t i = 0; i < draft.listeners.size(); ++i) {
    const auto& routes = draft.model.listeners[i].routes;
    for (std::size_t k = 0; k < routes.size(); ++k) {
      const Route& route = routes[k];
      if (!route.service || (!route.timeouts && !route.retries)) continue;
      const Part& service = services[*route.service];
      const Part part{"listeners[" + std::to_string(i) + "].routes[" + std::to_string(k) + "]",
                      *draft.listeners[i].routes[k].node, route.timeouts ? *route.timeouts : service.timeouts,
                      route.retries ? *route.retries : service.retries};
      PartCheck(diagnostics, part, &service).run();
    }
  }
}

}  // namespace telltale::conf
