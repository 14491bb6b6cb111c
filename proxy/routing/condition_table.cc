#include "proxy/routing/condition_table.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>

namespace telltale::proxy {
namespace {

using conf::ConnectionTrait;
using Of = ConnectionTrait::Of;

/// A value's size goes before it, so that no two lists of values read the same.
std::array<char, 2> size_of(std::string_view value) {
  return {static_cast<char>(value.size() >> 8), static_cast<char>(value.size())};
}

std::uint64_t hash_of(std::span<const std::string_view> values) {
  RollingHash hash;
  for (const std::string_view value : values) {
    for (const char octet : size_of(value)) hash.add(octet);
    for (const char octet : value) hash.add(octet);
  }
  return hash.value();
}

bool equal(std::string_view key, std::span<const std::string_view> values) {
  for (const std::string_view value : values) {
    const auto size = size_of(value);
    if (!key.starts_with(std::string_view(size.data(), size.size())) || !key.substr(2).starts_with(value)) return false;
    key.remove_prefix(2 + value.size());
  }
  return key.empty();
}

std::vector<std::string_view> values_of(const conf::Match& match) {
  std::vector<std::string_view> values;
  values.reserve(match.conditions.size());
  for (const conf::Condition& each : match.conditions) values.push_back(each.octets);
  return values;
}

/// The entries of one group as they are collected.
class Entries {
 public:
  void add(const conf::Route* route) {
    const auto values = values_of(route->match);
    std::string key;
    for (const std::string_view value : values) {
      const auto size = size_of(value);
      key.append(size.data(), size.size()).append(value);
    }
    if (seen_.insert(key).second) entries_.push_back({hash_of(values), std::move(key), route});
  }
  std::vector<HashIndex<const conf::Route*>::Entry> take() { return std::move(entries_); }

 private:
  std::unordered_set<std::string> seen_;
  std::vector<HashIndex<const conf::Route*>::Entry> entries_;
};

/// The value of a trait that has one at most.
std::optional<std::string_view> value_of(const ConnectionTrait& trait, const ConnectionTraits& connection) {
  if (trait.of == Of::tlv) return find_tlv(connection.tlvs, trait.selector);
  if (connection.tls == nullptr) {
    if (trait.of == Of::client_cert_verified) return "false";
    return std::nullopt;
  }
  const forwarding::ClientCertificate* certificate = connection.tls->client_cert;
  switch (trait.of) {
    case Of::alpn:
      return connection.tls->alpn;
    case Of::client_cert_verified:
      return certificate != nullptr ? "true" : "false";
    case Of::client_cert_subject:
      if (certificate != nullptr) return certificate->subject;
      break;
    case Of::client_cert_fingerprint:
      if (certificate != nullptr) return certificate->fingerprint;
      break;
    default:
      break;
  }
  return std::nullopt;
}

/// Calls `use` with each value of a trait that may have several: of one connection one trait may.
template <class F>
bool each_value_of(const ConnectionTrait& trait, const ConnectionTraits& connection, F&& use) {
  if (connection.tls == nullptr) return false;
  const forwarding::TlsFacts& tls = *connection.tls;
  if (trait.of == Of::alpn && !tls.terminated) {
    for (const std::string_view name : tls.offered_alpn) use(name);
    return true;
  }
  if (trait.of == Of::client_cert_san && tls.client_cert != nullptr) {
    for (const std::string& san : tls.client_cert->sans) use(std::string_view(san));
    return true;
  }
  return false;
}

}  // namespace

ConditionTable::ConditionTable(const std::vector<const conf::Route*>& routes) {
  std::map<std::vector<ConnectionTrait>, Entries> by_traits;
  for (const conf::Route* route : routes) {
    std::vector<ConnectionTrait> traits;
    for (const conf::Condition& each : route->match.conditions) traits.push_back(each.trait);
    by_traits[std::move(traits)].add(route);
  }
  for (auto& [traits, entries] : by_traits) {
    groups_.push_back({traits, HashIndex<const conf::Route*>(entries.take())});
  }
  std::ranges::sort(groups_, std::ranges::greater(), [](const Group& group) { return group.traits.size(); });
}

const conf::Route* ConditionTable::match(const ConnectionTraits& connection) const {
  const conf::Route* best = nullptr;
  std::size_t asked_for = 0;
  for (const Group& group : groups_) {
    if (group.traits.size() < asked_for) break;
    const conf::Route* route = match(group, connection);
    // Routes lie in the order of the file.
    if (route == nullptr || (best != nullptr && std::ranges::less()(best, route))) continue;
    best = route;
    asked_for = group.traits.size();
  }
  return best;
}

const conf::Route* ConditionTable::match(const Group& group, const ConnectionTraits& connection) {
  std::array<std::string_view, conf::max_conditions> found;
  const auto values = std::span(found).first(group.traits.size());
  const conf::Route* best = nullptr;
  const auto look_up = [&] {
    const auto* route =
        group.routes.find(hash_of(values), [values](std::string_view key) { return equal(key, values); });
    if (route != nullptr && (best == nullptr || std::ranges::less()(*route, best))) best = *route;
  };
  std::size_t several = values.size();  // the place of the trait with several values
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (each_value_of(group.traits[i], connection, [](std::string_view) {})) {
      several = i;
    } else if (const auto value = value_of(group.traits[i], connection)) {
      found[i] = *value;
    } else {
      return nullptr;
    }
  }
  if (several == values.size()) {
    look_up();
  } else {
    each_value_of(group.traits[several], connection, [&](std::string_view value) {
      found[several] = value;
      look_up();
    });
  }
  return best;
}

}  // namespace telltale::proxy
