#include "proxy/discovery/substitute.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <utility>

namespace telltale::proxy {
namespace {

using conf::DnsName;

/// The addresses' own share of the weight comes out even up to here; then it is rounded.
constexpr std::uint64_t max_multiple = 5040;
constexpr std::uint64_t least_chance = 100;

bool is_name(const conf::Node& node) { return !net::IpAddress::parse(node.host); }

DnsName name_of(const conf::Node& node) { return {DnsName::Kind::address, node.host, 0}; }

/// Whom a certificate has to name. RFC 6125 6.2.1: not the target of an SRV record, which comes by DNS, but the domain
/// that was asked about it.
std::string host_name_of(const DnsName& dns) {
  std::string_view name = dns.name;
  while (dns.kind == DnsName::Kind::srv && name.starts_with('_') && name.find('.') != name.npos) {
    name.remove_prefix(name.find('.') + 1);
  }
  if (name.ends_with('.')) name.remove_suffix(1);
  return std::string(name);
}

/// What names stand for, as far as a service has room for it.
class Answers {
 public:
  explicit Answers(const FindAnswer& find) : find_(find) {}
  /// Empty where nothing is known yet, too.
  Answer find(const DnsName& name) {
    const Answer* found = find_(name);
    if (found == nullptr) return {};
    Answer answer = *found;
    left_out_ += cut(answer, room_);
    room_ -= count_addresses(answer);
    return answer;
  }
  std::size_t left_out() const { return left_out_; }

 private:
  const FindAnswer& find_;
  std::size_t room_ = max_addresses, left_out_ = 0;
};

/// What the weights of SRV records of one priority are multiplied with, and those that are not 0.
struct Scale {
  std::uint64_t multiple = 1;  // of every target's number of addresses
  bool has_zero = false, has_more = false;
};

std::map<std::uint16_t, Scale> scales_of(const Answer& answer) {
  std::map<std::uint16_t, Scale> scales;
  for (const Target& target : answer) {
    Scale& scale = scales[target.priority];
    scale.multiple = std::min(std::lcm(scale.multiple, std::uint64_t{target.addresses.size()}), max_multiple);
    (target.weight == 0 ? scale.has_zero : scale.has_more) = true;
  }
  // Targets with as many addresses each need no other weights.
  for (auto& [priority, scale] : scales) {
    const bool same = std::ranges::all_of(answer, [&](const Target& target) {
      return target.priority != priority || target.addresses.size() == scale.multiple;
    });
    if (same) scale.multiple = 1;
  }
  return scales;
}

std::uint32_t weight_of(const Target& target, const Scale& scale, std::uint32_t configured) {
  if (configured == 0) return 0;
  std::uint64_t weight = std::max<std::uint64_t>(target.weight, 1) * configured;
  if (target.weight != 0 && scale.has_zero) weight *= least_chance;
  if (scale.multiple != 1) weight = std::max<std::uint64_t>(weight * scale.multiple / target.addresses.size(), 1);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(weight, std::numeric_limits<std::uint32_t>::max()));
}

/// The endpoints of a service, or of one node.
class Endpoints {
 public:
  explicit Endpoints(Answers& answers) : answers_(answers) {}

  /// These are there whatever names say.
  void reserve(const std::vector<conf::Endpoint>& configured) {
    for (const conf::Endpoint& each : configured) {
      if (!each.dns) seen_.insert(each.address.to_string());
    }
  }
  void add_configured(const std::vector<conf::Endpoint>& endpoints) {
    for (const conf::Endpoint& each : endpoints) each.dns ? add_name(each) : all_.push_back(each);
  }
  void add_more(const std::vector<conf::Endpoint>& endpoints) {
    for (const conf::Endpoint& each : endpoints) each.dns ? add_name(each) : add(each);
  }
  std::vector<conf::Endpoint> take() { return std::move(all_); }

 private:
  void add(conf::Endpoint endpoint) {
    if (seen_.insert(endpoint.address.to_string()).second) all_.push_back(std::move(endpoint));
  }
  void add_name(const conf::Endpoint& endpoint) {
    const Answer answer = answers_.find(*endpoint.dns);
    const bool is_srv = endpoint.dns->kind == DnsName::Kind::srv;
    const auto scales = is_srv ? scales_of(answer) : std::map<std::uint16_t, Scale>{};
    const bool several = count_addresses(answer) > 1;
    for (const Target& target : answer) {
      for (const net::IpAddress& address : target.addresses) {
        conf::Endpoint copy = endpoint;
        copy.dns.reset();
        copy.host_name = host_name_of(*endpoint.dns);
        copy.address.ip = net::IpPort{address, is_srv ? target.port : endpoint.dns->port};
        if (several) copy.name += "/" + (is_srv ? copy.address.to_string() : address.to_string());
        if (is_srv) {
          copy.priority += target.priority;
          copy.weight = weight_of(target, scales.at(target.priority), endpoint.weight);
        }
        add(std::move(copy));
      }
    }
  }

  Answers& answers_;
  std::vector<conf::Endpoint> all_;
  std::set<std::string> seen_;
};

class Nodes {
 public:
  Nodes(const conf::Service& service, Answers& answers) : service_(service), answers_(answers) {}

  void reserve(const std::vector<conf::Node>& configured) {
    for (const conf::Node& each : configured) {
      if (!is_name(each)) seen_.insert(key_of(each));
    }
  }
  void add_configured(const std::vector<conf::Node>& nodes) {
    for (const conf::Node& each : nodes) is_name(each) ? add_name(each) : use(each);
  }
  void add_more(const std::vector<conf::Node>& nodes) {
    for (const conf::Node& each : nodes) is_name(each) ? add_name(each) : add(each);
  }
  std::vector<conf::Node> take() { return std::move(all_); }

 private:
  std::pair<std::string, std::uint16_t> key_of(const conf::Node& node) const {
    return {node.host, node.port ? *node.port : service_.port.value_or(0)};
  }
  void use(conf::Node node) {
    if (!node.endpoints.empty()) {
      Endpoints endpoints(answers_);
      endpoints.reserve(node.endpoints);
      endpoints.add_configured(node.endpoints);
      node.endpoints = endpoints.take();
      if (node.endpoints.empty()) return;
    }
    all_.push_back(std::move(node));
  }
  void add(conf::Node node) {
    if (!node.endpoints.empty() || seen_.insert(key_of(node)).second) use(std::move(node));
  }
  void add_name(const conf::Node& node) {
    for (const Target& target : answers_.find(name_of(node))) {
      for (const net::IpAddress& address : target.addresses) {
        conf::Node copy = node;
        copy.host = address.to_string();
        copy.host_name = host_name_of(name_of(node));
        add(std::move(copy));
      }
    }
  }

  const conf::Service& service_;
  Answers& answers_;
  std::vector<conf::Node> all_;
  std::set<std::pair<std::string, std::uint16_t>> seen_;
};

}  // namespace

std::vector<conf::DnsName> names_in(const conf::Service& service, const conf::EndpointsFile& file) {
  std::vector<DnsName> names;
  const auto add_endpoints = [&](const std::vector<conf::Endpoint>& endpoints) {
    for (const conf::Endpoint& each : endpoints) {
      if (each.dns) names.push_back(*each.dns);
    }
  };
  const auto add_nodes = [&](const std::vector<conf::Node>& nodes) {
    for (const conf::Node& each : nodes) {
      if (is_name(each)) names.push_back(name_of(each));
      add_endpoints(each.endpoints);
    }
  };
  add_nodes(service.nodes);
  add_endpoints(service.endpoints);
  add_nodes(file.nodes);
  add_endpoints(file.endpoints);
  return names;
}

Substituted substitute(const conf::Service& service, const conf::EndpointsFile& file, const FindAnswer& find) {
  Answers answers(find);
  Nodes nodes(service, answers);
  nodes.reserve(service.nodes);
  nodes.add_configured(service.nodes);
  nodes.add_more(file.nodes);
  Endpoints endpoints(answers);
  endpoints.reserve(service.endpoints);
  endpoints.add_configured(service.endpoints);
  endpoints.add_more(file.endpoints);
  return {{nodes.take(), endpoints.take()}, answers.left_out()};
}

}  // namespace telltale::proxy
