#include "proxy/routing/tlv_table.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <unordered_set>

namespace telltale::proxy {
namespace {

using Selectors = std::vector<proxy_protocol::TlvSelector>;

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
  values.reserve(match.tlvs.size());
  for (const conf::TlvCondition& each : match.tlvs) values.push_back(each.octets);
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

}  // namespace

TlvTable::TlvTable(const std::vector<const conf::Route*>& routes) {
  std::map<Selectors, Entries> by_selectors;
  for (const conf::Route* route : routes) {
    Selectors selectors;
    for (const conf::TlvCondition& each : route->match.tlvs) selectors.push_back(each.selector);
    by_selectors[std::move(selectors)].add(route);
  }
  for (auto& [selectors, entries] : by_selectors) {
    groups_.push_back({selectors, HashIndex<const conf::Route*>(entries.take())});
  }
  std::ranges::sort(groups_, std::ranges::greater(), [](const Group& group) { return group.selectors.size(); });
}

const conf::Route* TlvTable::match(std::string_view section) const {
  if (section.empty()) return nullptr;
  const conf::Route* best = nullptr;
  std::size_t asked_for = 0;
  for (const Group& group : groups_) {
    if (group.selectors.size() < asked_for) break;
    const conf::Route* route = match(group, section);
    // Routes lie in the order of the file.
    if (route == nullptr || (best != nullptr && std::ranges::less()(best, route))) continue;
    best = route;
    asked_for = group.selectors.size();
  }
  return best;
}

const conf::Route* TlvTable::match(const Group& group, std::string_view section) {
  std::array<std::string_view, conf::max_tlv_conditions> found;
  for (std::size_t i = 0; i < group.selectors.size(); ++i) {
    const auto value = find_tlv(section, group.selectors[i]);
    if (!value) return nullptr;
    found[i] = *value;
  }
  const auto values = std::span(found).first(group.selectors.size());
  const auto* route = group.routes.find(hash_of(values), [values](std::string_view key) { return equal(key, values); });
  return route != nullptr ? *route : nullptr;
}

}  // namespace telltale::proxy
