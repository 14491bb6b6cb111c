#include "conf/read.h"
#include "conf/suggest.h"
#include "conf/text.h"

#include <algorithm>
#include <unordered_map>

namespace telltale::conf {
namespace {

std::string route_path(std::size_t listener, std::size_t route, const RouteSource& source, std::string_view field) {
  std::string path = "listeners[" + std::to_string(listener) + "]";
  if (!source.at_listener) path += ".routes[" + std::to_string(route) + "]";
  if (!field.empty()) path.append(".").append(field);
  return path;
}
std::string item_path(std::string_view list, std::size_t index, std::string_view field) {
  return std::string(list) + "[" + std::to_string(index) + "]." + std::string(field);
}

bool believes_proxy_header(const ClientIp& client_ip) {
  return std::ranges::any_of(client_ip.proxy_protocol, [](const ProxyProtocolRule& rule) {
    return rule.policy == ProxyPolicy::require || rule.policy == ProxyPolicy::accept;
  });
}

bool has_tlv(const forwarding::Propagate& propagate, proxy_protocol::TlvType type) {
  return std::ranges::find(propagate.tlvs, type) != propagate.tlvs.end();
}

bool passes_tlvs(const forwarding::Propagate& propagate) {
  if (!propagate.proxy_protocol || propagate.proxy_version != proxy_protocol::Version::v2) return false;
  return !propagate.pass_tlvs.empty() || has_tlv(propagate, proxy_protocol::TlvType::ssl) ||
         has_tlv(propagate, proxy_protocol::TlvType::netns);
}

/// The field of `propagate` that has a template with such variables; empty: none.
std::string_view field_that(bool (forwarding::Template::*uses)() const, const forwarding::Propagate& propagate) {
  const auto does = [uses](const auto& each) { return (each.value.*uses)(); };
  if (std::ranges::any_of(propagate.headers, does)) return "headers";
  if (std::ranges::any_of(propagate.custom_tlvs, does)) return "custom_tlvs";
  return std::ranges::any_of(propagate.forwarded.extensions, does) ? "forwarded" : "";
}

/// Why no connection of the listener can be what a route asks for; empty: one can.
std::string why_impossible(const Listener& listener, const Match& match) {
  using Of = ConnectionTrait::Of;
  const bool verifies = listener.tls && listener.tls->asks_for_certificate();
  for (const Condition& each : match.conditions) {
    if (each.trait.of == Of::tlv) {
      if (believes_proxy_header(listener.client_ip)) continue;
      return "TLVs come with a PROXY header, and `client_ip.proxy_protocol` lets nobody send one";
    }
    if (each.trait.of == Of::alpn) {
      if (!listener.tls || std::ranges::find(listener.tls->alpn, each.octets) != listener.tls->alpn.end()) continue;
      return "`tls.alpn` of the listener has no " + quote(each.octets);
    }
    const bool asks_for_none = each.trait.of == Of::client_cert_verified && each.octets == "false";
    if (asks_for_none && verifies && listener.tls->client_certificates->mode == ClientAuth::required) {
      return "`tls.client_certificates` lets nobody in without a certificate";
    }
    if (!verifies && !asks_for_none) return "no certificate is asked for: see `tls.client_certificates`";
  }
  return {};
}

/// The whole check: one pass over each list, with the indices it needs.
class ModelCheck {
 public:
  ModelCheck(Diagnostics& diagnostics, Draft& draft) : diagnostics_(diagnostics), draft_(draft) {}
  void run() {
    index_services();
    check_listener_names();
    check_addresses();
    for (std::size_t i = 0; i < draft_.listeners.size(); ++i) {
      resolve_routes(i);
      check_shadowed(i);
    }
    check_unused();
    check_told();
  }

 private:
  void index_services();
  void check_listener_names();
  void check_addresses();
  void add_address(const Address& address, const YamlNode* place, std::string path);
  void resolve_routes(std::size_t listener);
  void report_missing(std::size_t listener, std::size_t route);
  void check_shadowed(std::size_t listener);
  void check_unused();
  void check_told();

  Diagnostics& diagnostics_;
  Draft& draft_;
  std::unordered_map<std::string_view, std::size_t> services_;
  std::vector<std::string_view> service_names_;
  std::vector<bool> used_;
  std::unordered_map<std::string, const YamlNode*> addresses_;
  /// Looking for a near name costs a pass over all: with thousands of both that is not worth it.
  std::size_t suggestions_left_ = 100;
};

void ModelCheck::index_services() {
  const auto& services = draft_.model.services;
  used_.resize(services.size());
  for (std::size_t i = 0; i < services.size(); ++i) {
    if (services[i].name.empty()) continue;
    service_names_.push_back(services[i].name);
    const auto [first, fresh] = services_.emplace(services[i].name, i);
    if (fresh || draft_.services[i].name == nullptr) continue;
    diagnostics_.error(*draft_.services[i].name, item_path("services", i, "name"),
                       "there is another service " + quote(services[i].name),
                       "it is in line " + std::to_string(draft_.services[first->second].node->line));
    used_[i] = true;  // one finding about it is enough
  }
}

void ModelCheck::check_listener_names() {
  std::unordered_map<std::string_view, std::size_t> names;
  for (std::size_t i = 0; i < draft_.listeners.size(); ++i) {
    const auto [first, fresh] = names.emplace(draft_.model.listeners[i].name, i);
    if (fresh) continue;
    // A name given may be that of a listener without one.
    const std::size_t at = draft_.listeners[i].name ? i : first->second;
    const YamlNode* place = draft_.listeners[at].name ? draft_.listeners[at].name : draft_.listeners[at].node;
    diagnostics_.error(*place, item_path("listeners", at, "name"),
                       "there is another listener " + quote(draft_.model.listeners[i].name));
  }
}

/// `place` is null for the admin server's default.
void ModelCheck::add_address(const Address& address, const YamlNode* place, std::string path) {
  if (address.ip && address.ip->port == 0) return;
  // "::" is dual stack: it takes 0.0.0.0 too.
  const std::string key =
      address.ip && address.ip->address.is_unspecified() ? ":" + std::to_string(address.ip->port) : address.to_string();
  const auto [first, fresh] = addresses_.emplace(key, place);
  if (fresh) return;
  diagnostics_.error(*place, std::move(path), quote(address.to_string()) + " is already listened on",
                     first->second ? "see line " + std::to_string(first->second->line)
                                   : "it is the default of the admin server; see `admin:`");
}

void ModelCheck::check_addresses() {
  if (draft_.model.admin.listen && !draft_.admin_given) add_address(*draft_.model.admin.listen, nullptr, {});
  for (std::size_t i = 0; i < draft_.listeners.size(); ++i) {
    if (!draft_.listeners[i].listen) continue;
    add_address(draft_.model.listeners[i].listen, draft_.listeners[i].listen, item_path("listeners", i, "listen"));
  }
  for (std::size_t i = 0; i < draft_.services.size(); ++i) {
    if (draft_.services[i].health_check_node_port == nullptr) continue;
    add_address(*draft_.model.services[i].health_check_node_port, draft_.services[i].health_check_node_port,
                item_path("services", i, "health_check_node_port"));
  }
  if (draft_.model.admin.listen && draft_.admin_listen) {
    add_address(*draft_.model.admin.listen, draft_.admin_listen, "admin.listen");
  }
}

void ModelCheck::report_missing(std::size_t listener, std::size_t route) {
  const RouteSource& source = draft_.listeners[listener].routes[route];
  std::string hint = service_names_.empty() ? "there are no services: add them under `services:`"
                                            : "it must be the `name` of one of the services";
  if (suggestions_left_ > 0) {
    --suggestions_left_;
    hint = did_you_mean(source.service_name, service_names_, std::move(hint));
  }
  diagnostics_.error(*source.service, route_path(listener, route, source, "service"),
                     "there is no service " + quote(source.service_name), std::move(hint));
}

void ModelCheck::resolve_routes(std::size_t listener) {
  auto& routes = draft_.model.listeners[listener].routes;
  for (std::size_t k = 0; k < routes.size(); ++k) {
    const RouteSource& source = draft_.listeners[listener].routes[k];
    if (source.service == nullptr) continue;
    const auto found = services_.find(source.service_name);
    if (found == services_.end()) {
      report_missing(listener, k);
    } else {
      routes[k].service = found->second;
      inherit(routes[k], source, draft_.model.services[found->second]);
      used_[found->second] = true;
    }
  }
}

/// Routes are chosen by how specific their match is, so only one that matches the same as an earlier one is never used.
void ModelCheck::check_shadowed(std::size_t listener) {
  std::unordered_map<std::string, std::size_t> seen;
  const auto& routes = draft_.model.listeners[listener].routes;
  const auto& sources = draft_.listeners[listener].routes;
  for (std::size_t k = 0; k < routes.size(); ++k) {
    if (sources[k].at_listener || !sources[k].right) continue;
    const Match& match = routes[k].match;
    std::string key = match.host + (match.path_type == PathType::exact ? " = " : " ^ ") + match.path;
    // A prefix is compared by path elements: /api and /api/ are the same one, / and none too.
    if (match.path_type == PathType::prefix && key.ends_with('/')) key.pop_back();
    key += describe(match.conditions);
    const auto [first, fresh] = seen.emplace(std::move(key), k);
    std::string why = why_impossible(draft_.model.listeners[listener], match);
    if (why.empty() && !fresh) {
      why = "the route in line " + std::to_string(sources[first->second].node->line) + " has the same host" +
            (match.conditions.empty() ? " and path" : ", path and conditions");
    }
    if (why.empty()) continue;
    diagnostics_.warning(*sources[k].node, route_path(listener, k, sources[k], {}), "this route can never match",
                         std::move(why));
  }
}

void ModelCheck::check_unused() {
  for (const Service& service : draft_.model.services) {
    for (const auto* health : {&service.health, &service.node_health}) {
      if (!*health || (*health)->kind != ProbeKind::track) continue;
      if (const auto tracked = services_.find((*health)->track); tracked != services_.end()) {
        used_[tracked->second] = true;  // its probes are
      }
    }
  }
  for (std::size_t i = 0; i < draft_.services.size(); ++i) {
    if (used_[i] || draft_.services[i].name == nullptr || draft_.model.services[i].name.empty()) continue;
    diagnostics_.warning(*draft_.services[i].name, item_path("services", i, "name"),
                         "no route leads to the service " + quote(draft_.model.services[i].name),
                         "name it in a route's `service`, or remove it");
  }
}

/// TLVs that are to go on where none can have come, and what is to be told of TLS where there is none.
void ModelCheck::check_told() {
  const auto& model = draft_.model;
  std::vector<bool> tlvs_come(model.services.size()), tls_comes(model.services.size());
  std::vector<bool> certificates_come(model.services.size()), headers_come(model.services.size());
  for (const Listener& listener : model.listeners) {
    for (const Route& route : listener.routes) {
      if (!route.service) continue;
      if (believes_proxy_header(listener.client_ip)) tlvs_come[*route.service] = true;
      if (listener.tls) tls_comes[*route.service] = true;
      if (listener.tls && listener.tls->asks_for_certificate()) certificates_come[*route.service] = true;
      if (!listener.client_ip.header.trusted.empty()) headers_come[*route.service] = true;
    }
  }
  for (std::size_t i = 0; i < model.services.size(); ++i) {
    const YamlNode* propagate = draft_.services[i].node->find("propagate");
    if (!used_[i] || propagate == nullptr) continue;
    const auto warn = [&](std::string_view field, std::string_view what, std::string hint) {
      if (field.empty()) return;
      diagnostics_.warning(*propagate->find(field), item_path("services", i, "propagate." + std::string(field)),
                           std::string(what), std::move(hint));
    };
    const forwarding::Propagate& told = model.services[i].propagate;
    constexpr std::string_view no_header = ": no listener that leads here lets anybody send a PROXY header";
    if (!tlvs_come[i]) {
      const bool only_ssl = told.pass_tlvs.empty() && !has_tlv(told, proxy_protocol::TlvType::netns);
      if (passes_tlvs(told) && !(only_ssl && tls_comes[i])) {
        warn(told.pass_tlvs.empty() ? "tlvs" : "pass_tlvs", "no received TLV can go on" + std::string(no_header),
             "see `client_ip.proxy_protocol`");
      }
      warn(field_that(&forwarding::Template::uses_tlvs, told),
           "${tlv.…} in it is always empty" + std::string(no_header), "see `client_ip.proxy_protocol`");
    }
    if (!tls_comes[i]) {
      warn(field_that(&forwarding::Template::uses_tls, told),
           "${tls.…} in it is always empty: no listener that leads here has `tls`",
           "what a believed PROXY header says of TLS is in ${tlv.ssl_version}, ${tlv.ssl_cn} and the like");
    } else if (!certificates_come[i]) {
      warn(field_that(&forwarding::Template::uses_client_cert, told),
           "${tls.client_cert.…} in it never names one: no listener that leads here asks for certificates",
           "see `tls.client_certificates`");
    }
    using enum forwarding::ListMode;
    const auto mode = told.x_forwarded_client_cert;
    if (!certificates_come[i] && (mode == replace || (mode == append && !headers_come[i]))) {
      warn("x_forwarded_client_cert",
           "none is ever written: no listener that leads here asks for certificates" +
               std::string(mode == append ? ", or has `trusted` hops that could have sent one" : ""),
           "see `tls.client_certificates`");
    }
  }
}

}  // namespace

void check_model(Diagnostics& diagnostics, Draft& draft) {
  ModelCheck(diagnostics, draft).run();
  check_identity(diagnostics, draft);
  check_policies(diagnostics, draft);
  check_tracking(diagnostics, draft);
  check_resilience(diagnostics, draft);
  check_backend_tls(diagnostics, draft);
}

}  // namespace telltale::conf
