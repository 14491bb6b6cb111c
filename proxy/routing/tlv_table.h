#pragma once

#include "conf/model.h"
#include "proxy/routing/hash_index.h"

#include <string_view>
#include <vector>

namespace telltale::proxy {

/// The routes of one host and path that ask for TLVs. One that asks for more of them goes before one that asks for
/// fewer, else the first one stands. The cost grows with the number of different sets of TLVs asked for, not with that
/// of their values. Immutable; no allocation in match().
class TlvTable {
 public:
  explicit TlvTable(const std::vector<const conf::Route*>& routes);  ///< of one array, in its order
  /// `section` holds the TLVs of the connection. nullptr: no route asks for what it has.
  const conf::Route* match(std::string_view section) const;

 private:
  /// Routes that ask for the same TLVs, by the values that these must have.
  struct Group {
    std::vector<proxy_protocol::TlvSelector> selectors;
    HashIndex<const conf::Route*> routes;
  };
  static const conf::Route* match(const Group& group, std::string_view section);

  std::vector<Group> groups_;
};

}  // namespace telltale::proxy
