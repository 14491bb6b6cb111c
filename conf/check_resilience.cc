#include "conf/read.h"

namespace telltale::conf {
namespace {

/// The timeouts and retries of a service, or of a route that has some of its own.
struct Part {
  std::string path;
  const YamlNode* timeouts = nullptr;          ///< what it says of them itself; null: nothing
  const YamlNode* retries = nullptr;           ///< likewise
  const YamlNode* service_timeouts = nullptr;  ///< of a route: what its service says
  const ServiceTimeouts& waits;
  const Retries& tries;
};

const YamlNode* find(const YamlNode* map, std::string_view field) { return map ? map->find(field) : nullptr; }

class PartCheck {
 public:
  PartCheck(Diagnostics& diagnostics, const Part& part) : diagnostics_(diagnostics), part_(part) {}
  void run() {
    check_total("connect", part_.waits.connect);
    check_total("response", part_.waits.response);
    check_try();
    if (part_.retries && part_.tries.attempts > 0) check_retries();
  }

 private:
  void warning(const YamlNode& place, std::string_view field, std::string message, std::string hint) {
    diagnostics_.warning(place, part_.path + "." + std::string(field), std::move(message), std::move(hint));
  }
  void check_total(std::string_view field, Milliseconds limit);
  void check_try();
  void check_retries();

  Diagnostics& diagnostics_;
  const Part& part_;
};

/// A default that is longer than the whole does no harm; one that was asked for does not do what it says.
void PartCheck::check_total(std::string_view field, Milliseconds limit) {
  const Milliseconds total = part_.waits.total;
  if (total.count() == 0 || total >= limit) return;
  const YamlNode* own_total = find(part_.timeouts, "total");
  const YamlNode* own = find(part_.timeouts, field);
  if ((own_total == nullptr && own == nullptr) || (own == nullptr && !find(part_.service_timeouts, field))) return;
  const std::string name(field);
  warning(own ? *own : *own_total, "timeouts." + std::string(own ? field : "total"),
          "`total` (" + format_duration(total) + ") is shorter than `" + name + "` (" + format_duration(limit) +
              "), which has no effect",
          "a longer total, or a shorter " + name);
}

void PartCheck::check_try() {
  const Milliseconds each = part_.tries.per_try_timeout;
  if (each <= part_.waits.response) return;
  const YamlNode* own = find(part_.retries, "per_try_timeout");
  const YamlNode* response = find(part_.timeouts, "response");
  if (own == nullptr && response == nullptr) return;
  warning(own ? *own : *response, own ? "retries.per_try_timeout" : "timeouts.response",
          "`per_try_timeout` (" + format_duration(each) + ") has no effect: it is longer than `timeouts.response` (" +
              format_duration(part_.waits.response) + ")",
          "a shorter one");
}

void PartCheck::check_retries() {
  const Retries& tries = part_.tries;
  if (!tries.connect_failure && !tries.reset && !tries.timeout && tries.statuses.empty()) {
    warning(part_.retries->descend({"on"}), "retries", "nothing is tried again: `on` and `statuses` are empty",
            "on: [connect_failure], or `retries: 0`");
  }
  if (tries.budget == 0 && tries.min_concurrent == 0) {
    warning(part_.retries->descend({"budget"}), "retries",
            "nothing is tried again: `budget` and `min_concurrent` are 0", "budget: 20, or `retries: 0`");
  }
}

}  // namespace

void check_resilience(Diagnostics& diagnostics, const Draft& draft) {
  const auto service_timeouts = [&](std::size_t i) { return draft.services[i].node->find("timeouts"); };
  for (std::size_t i = 0; i < draft.services.size(); ++i) {
    const Service& service = draft.model.services[i];
    const Part part{"services[" + std::to_string(i) + "]",
                    service_timeouts(i),
                    draft.services[i].node->find("retries"),
                    nullptr,
                    service.timeouts,
                    service.retries};
    PartCheck(diagnostics, part).run();
  }
  for (std::size_t i = 0; i < draft.listeners.size(); ++i) {
    const auto& routes = draft.model.listeners[i].routes;
    for (std::size_t k = 0; k < routes.size(); ++k) {
      const Route& route = routes[k];
      if (!route.service || (!route.timeouts && !route.retries)) continue;
      const Service& service = draft.model.services[*route.service];
      const RouteSource& source = draft.listeners[i].routes[k];
      const Part part{"listeners[" + std::to_string(i) + "].routes[" + std::to_string(k) + "]",
                      source.timeouts,
                      source.retries,
                      service_timeouts(*route.service),
                      route.timeouts ? *route.timeouts : service.timeouts,
                      route.retries ? *route.retries : service.retries};
      PartCheck(diagnostics, part).run();
    }
  }
}

}  // namespace telltale::conf
