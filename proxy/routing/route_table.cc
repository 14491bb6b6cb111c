#include "proxy/routing/route_table.h"

#include "proxy/routing/hash_index.h"
#include "proxy/routing/path_table.h"

#include <array>
#include <unordered_map>

namespace telltale::proxy {
namespace {

/// RFC 1035 2.3.4: a longer name is no host that could have been configured, and the walk over its labels has an end.
constexpr std::size_t max_host_octets = 255;
constexpr std::size_t max_labels = max_host_octets / 2 + 1;

constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// RFC 9110 4.2.3: hosts compare without regard to case. `key` is in lower case.
bool equal_host(std::string_view key, std::string_view host) {
  return std::equal(key.begin(), key.end(), host.begin(), host.end(), [](char a, char b) { return a == to_lower(b); });
}

/// The dot that makes a name absolute (RFC 1034 3.1) does not make it another host.
std::string_view without_root_dot(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

/// From the last octet to the first: so the hash of every suffix is met on the way to the hash of the whole.
std::uint64_t hash_backwards(std::string_view host) {
  RollingHash hash;
  for (std::size_t i = host.size(); i-- > 0;) hash.add(to_lower(host[i]));
  return hash.value();
}

/// Routes by host as they are collected, in the order of the file.
class HostGroups {
 public:
  void add(std::string_view host, const conf::Route* route) {
    std::string key(host);
    for (char& c : key) c = to_lower(c);
    const auto [at, is_new] = places_.try_emplace(std::move(key), groups_.size());
    if (is_new) groups_.push_back({at->first, {}});
    groups_[at->second].routes.push_back(route);
  }
  HashIndex<PathTable> build() {
    std::vector<HashIndex<PathTable>::Entry> entries;
    entries.reserve(groups_.size());
    for (const Group& group : groups_) {
      entries.push_back({hash_backwards(group.host), group.host, PathTable(group.routes)});
    }
    return HashIndex<PathTable>(std::move(entries));
  }

 private:
  struct Group {
    std::string host;
    std::vector<const conf::Route*> routes;
  };
  std::unordered_map<std::string, std::size_t> places_;
  std::vector<Group> groups_;
};

}  // namespace

struct RouteTable::Impl {
  HashIndex<PathTable> exact;
  HashIndex<PathTable> wildcards;  // by suffix, without `*.`
  PathTable any{{}};
};

RouteTable::RouteTable(const std::vector<conf::Route>& routes) : impl_(std::make_unique<Impl>()) {
  HostGroups exact, wildcards;
  std::vector<const conf::Route*> any;
  for (const conf::Route& route : routes) {
    const std::string_view host = without_root_dot(route.match.host);
    if (host.empty() || host == "*") {
      any.push_back(&route);
    } else if (host.starts_with("*.")) {
      wildcards.add(host.substr(2), &route);
    } else {
      exact.add(host, &route);
    }
  }
  impl_->exact = exact.build();
  impl_->wildcards = wildcards.build();
  impl_->any = PathTable(any);
}

RouteTable::~RouteTable() = default;

const conf::Route* RouteTable::match(std::string_view host, std::string_view path,
                                     const ConnectionTraits& connection) const {
  host = without_root_dot(host);
  if (host.empty() || host.size() > max_host_octets) return impl_->any.match(path, connection);

  std::array<const PathTable*, max_labels> suffixes;  // shortest first, only those that are configured
  std::size_t count = 0;
  RollingHash hash;
  for (std::size_t i = host.size(); i-- > 0;) {
    // A label must stand before the dot, and one after it.
    if (host[i] == '.' && i > 0 && host[i - 1] != '.' && i + 1 < host.size() && !impl_->wildcards.empty()) {
      const std::string_view suffix = host.substr(i + 1);
      const auto* found =
          impl_->wildcards.find(hash.value(), [suffix](std::string_view key) { return equal_host(key, suffix); });
      if (found) suffixes[count++] = found;
    }
    hash.add(to_lower(host[i]));
  }
  const auto* exact = impl_->exact.find(hash.value(), [host](std::string_view key) { return equal_host(key, host); });
  if (exact) {
    if (const conf::Route* route = exact->match(path, connection)) return route;
  }
  while (count > 0) {
    if (const conf::Route* route = suffixes[--count]->match(path, connection)) return route;
  }
  return impl_->any.match(path, connection);
}

std::size_t RouteTable::longest_probe() const {
  return std::max(impl_->exact.longest_probe(), impl_->wildcards.longest_probe());
}

}  // namespace telltale::proxy
