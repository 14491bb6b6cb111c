// What backends are offered to speak, against what comes through the listeners.
#include "conf/read.h"

#include <algorithm>

namespace telltale::conf {

/// A service that requests are led to is spoken to in HTTP/1: a backend that took another offer would not be
/// understood.
void check_backend_tls(Diagnostics& diagnostics, const Draft& draft) {
  const auto& services = draft.model.services;
  std::vector<const Listener*> asks(services.size());
  for (const Listener& listener : draft.model.listeners) {
    for (const Route& route : listener.routes) {
      if (route.service && listener.protocol == Protocol::http) asks[*route.service] = &listener;
    }
  }
  for (std::size_t i = 0; i < services.size(); ++i) {
    if (asks[i] == nullptr || !services[i].tls) continue;
    const auto& alpn = services[i].tls->alpn;
    const auto odd =
        std::ranges::find_if(alpn, [](const std::string& name) { return name != "http/1.1" && name != "http/1.0"; });
    if (odd == alpn.end()) continue;
    diagnostics.error(
        draft.services[i].node->descend({"tls", "alpn"}), "services[" + std::to_string(i) + "].tls.alpn",
        quote(*odd) + " is not spoken here, and the listener " + quote(asks[i]->name) + " leads requests here",
        "http/1.1 and http/1.0 are");
  }
}

}  // namespace telltale::conf
