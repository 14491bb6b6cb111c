#include "conf/read.h"
#include "conf/text.h"

#include <algorithm>
#include <unordered_set>

namespace telltale::conf {
namespace {

using forwarding::HeaderTrust;
using forwarding::ListMode;

std::string listener_path(std::size_t index, std::string_view field) {
  return "listeners[" + std::to_string(index) + "].client_ip." + std::string(field);
}

/// Where a range of `trusted` stands: there, in `from`, or in the preset's published list.
std::string range_path(std::size_t listener, const Ranges& ranges, const PlacedRange& range) {
  const std::string path = listener_path(listener, ranges.field);
  return ranges.field == "behind" ? path : path + "[" + std::to_string(range.index) + "]";
}

bool overlap(const net::Cidr& a, const net::Cidr& b) { return a.contains(b.network()) || b.contains(a.network()); }

/// One listener with the services that its routes lead to.
class IdentityCheck {
 public:
  IdentityCheck(Diagnostics& diagnostics, const Draft& draft, std::size_t listener)
      : diagnostics_(diagnostics), draft_(draft), index_(listener) {}

  void run() {
    check_rules();
    check_accept_with_header();
    check_asserting_rules();
    std::unordered_set<std::size_t> checked;
    for (const Route& route : listener().routes) {
      if (!route.service || !checked.insert(*route.service).second) continue;
      check_backends(*route.service);
      check_two_headers(*route.service);
      check_passed_assertion(*route.service);
    }
  }

 private:
  const Listener& listener() const { return draft_.model.listeners[index_]; }
  const ListenerSource& source() const { return draft_.listeners[index_]; }
  const Service& service(std::size_t i) const { return draft_.model.services[i]; }
  const HeaderTrust& trust() const { return listener().client_ip.header; }

  void check_rules();
  void check_accept_with_header();
  void check_asserting_rules();
  void check_passed_assertion(std::size_t service);
  std::uint8_t asserted_tlv() const { return listener().client_ip.assertion ? listener().client_ip.assertion->tlv : 0; }
  void check_backends(std::size_t service);
  bool check_trusted(const std::optional<net::IpAddress>& address, const std::string& what, std::string_view why);
  void check_two_headers(std::size_t service);
  void warn_of_mode(std::size_t service, std::string_view field, std::string message, std::string hint);

  Diagnostics& diagnostics_;
  const Draft& draft_;
  std::size_t index_;
};

/// A rule that an earlier one leaves nothing to.
void IdentityCheck::check_rules() {
  const auto& rules = listener().client_ip.proxy_protocol;
  const auto& nodes = source().proxy_rules;
  for (std::size_t k = 1; k < rules.size() && k < nodes.size(); ++k) {
    const auto held = [&](const net::Cidr& range) {
      return std::any_of(rules.begin(), rules.begin() + static_cast<std::ptrdiff_t>(k), [&](const auto& earlier) {
        return std::ranges::any_of(earlier.from.ranges(), [&](const net::Cidr& each) {
          return each.prefix_length() <= range.prefix_length() && each.contains(range.network());
        });
      });
    };
    const bool unix_held = std::any_of(rules.begin(), rules.begin() + static_cast<std::ptrdiff_t>(k),
                                       [](const auto& earlier) { return earlier.from.includes_unix(); });
    if (rules[k].from.empty() || !std::ranges::all_of(rules[k].from.ranges(), held)) continue;
    if (rules[k].from.includes_unix() && !unix_held) continue;
    diagnostics_.warning(*nodes[k], listener_path(index_, "proxy_protocol[" + std::to_string(k) + "]"),
                         "this rule can never match: the ones before it hold all of its addresses",
                         "the first rule that contains a peer decides: put the narrower one first");
  }
}

/// Who may send a PROXY header or leave it out, and writes a header that is believed, may be a TCP load balancer whose
/// PROXY protocol is off: then its clients write both.
void IdentityCheck::check_accept_with_header() {
  if (trust().kind == HeaderTrust::Kind::none) return;
  for (const ProxyProtocolRule& rule : listener().client_ip.proxy_protocol) {
    if (rule.policy != ProxyPolicy::accept) continue;
    for (const PlacedRange& each : source().trusted.list) {
      const auto& ranges = rule.from.ranges();
      if (!std::ranges::any_of(ranges, [&](const net::Cidr& range) { return overlap(range, each.range); })) continue;
      diagnostics_.warning(*each.place, range_path(index_, source().trusted, each),
                           each.range.to_string() + " may send a PROXY header (`accept`), and its " +
                               quote(trust().name) +
                               " is believed too: behind a load balancer that sends neither, a client writes both",
                           "`require` for the load balancer, or leave its addresses out of `trusted`");
      return;
    }
  }
}

bool IdentityCheck::check_trusted(const std::optional<net::IpAddress>& address, const std::string& what,
                                  std::string_view why) {
  if (!address) return false;
  const auto& list = source().trusted.list;
  const auto range = std::ranges::find_if(
      list, [&](const PlacedRange& each) { return each.range.prefix_length() > 0 && each.range.contains(*address); });
  if (range == list.end()) return false;
  diagnostics_.warning(
      *range->place, range_path(index_, source().trusted, *range),
      range->range.to_string() + " holds " + what + " (" + address->to_string() + "): " + std::string(why),
      "name only the hops in front");
  return true;
}

void IdentityCheck::check_backends(std::size_t index) {
  const Service& model = service(index);
  const std::string of_service = " of the service " + quote(model.name);
  const auto check_endpoint = [&](const Endpoint& endpoint) {
    return endpoint.address.ip && check_trusted(endpoint.address.ip->address, "a backend" + of_service,
                                                "who gets hold of a backend can say who the client is");
  };
  if (std::ranges::any_of(model.endpoints, check_endpoint)) return;
  for (const Node& node : model.nodes) {
    if (check_trusted(net::IpAddress::parse(node.host), "the node " + quote(node.name) + of_service,
                      "where kube-proxy replaces a client's address by a node's (externalTrafficPolicy: Cluster), "
                      "every client would be believed") ||
        std::ranges::any_of(node.endpoints, check_endpoint)) {
      return;
    }
  }
}

void IdentityCheck::warn_of_mode(std::size_t index, std::string_view field, std::string message, std::string hint) {
  diagnostics_.warning(draft_.services[index].node->descend({"propagate", field}),
                       "services[" + std::to_string(index) + "].propagate." + std::string(field), std::move(message),
                       std::move(hint));
}

/// The client is found by one header while another one reaches the backends as it came.
void IdentityCheck::check_two_headers(std::size_t index) {
  using Kind = HeaderTrust::Kind;
  if (trust().kind == Kind::none || trust().trusted.empty()) return;
  const auto check = [&](ListMode mode, Kind kind, std::string_view field, std::string_view name) {
    if (mode != ListMode::pass || trust().kind == kind) return;
    warn_of_mode(index, field,
                 "the listener " + quote(listener().name) + " believes " + quote(trust().name) + ", and " +
                     std::string(name) + " goes on as it came: a backend that believes both is told two clients",
                 "`replace`, or `remove`");
  };
  check(service(index).propagate.x_forwarded_for, Kind::x_forwarded_for, "x_forwarded_for", "X-Forwarded-For");
  check(service(index).propagate.forwarded.mode, Kind::forwarded, "forwarded", "Forwarded");
}

/// An assertion is looked for in PROXY headers that nobody may send.
void IdentityCheck::check_asserting_rules() {
  if (asserted_tlv() == 0) return;
  const auto& rules = listener().client_ip.proxy_protocol;
  if (std::ranges::any_of(rules, [](const ProxyProtocolRule& rule) {
        return (rule.policy == ProxyPolicy::require || rule.policy == ProxyPolicy::accept) &&
               rule.version != ProxyVersions::v1;
      })) {
    return;
  }
  diagnostics_.warning(source().node->descend({"client_ip", "assertion", "tlv"}),
                       listener_path(index_, "assertion.tlv"),
                       "has no effect: no rule of `proxy_protocol` takes a PROXY v2 header",
                       "`require` for whoever signs, or remove it");
}

/// The assertion that is judged here goes on to backends, which it was not made for.
void IdentityCheck::check_passed_assertion(std::size_t index) {
  if (asserted_tlv() == 0) return;
  const proxy_protocol::Tlv asserting{proxy_protocol::TlvType{asserted_tlv()}, "v1"};
  const auto passes = [&](const auto& selector) { return selects(selector, asserting); };
  if (std::ranges::none_of(service(index).propagate.pass_tlvs, passes)) return;
  warn_of_mode(index, "pass_tlvs",
               "the listener " + quote(listener().name) + " looks for a signed assertion in " +
                   proxy_protocol::tlv_name({.type = asserting.type}) +
                   ", and it goes on: whoever sees one can use it for a while",
               "`assertion: { key_file: …, tlv: … }` signs one for the backends");
}

}  // namespace

void check_identity(Diagnostics& diagnostics, const Draft& draft) {
  for (std::size_t i = 0; i < draft.listeners.size(); ++i) IdentityCheck(diagnostics, draft, i).run();
}

}  // namespace telltale::conf
