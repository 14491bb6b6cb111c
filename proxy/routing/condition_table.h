#pragma once

#include "conf/model.h"
#include "protocol/forwarding/request_facts.h"
#include "proxy/routing/hash_index.h"

#include <string_view>
#include <vector>

namespace telltale::proxy {

/// What conditions are held against. Views.
struct ConnectionTraits {
  std::string_view tlvs = {};                 ///< as PeerInfo has them
  const forwarding::TlsFacts* tls = nullptr;  ///< null: the client speaks no TLS
};

/// The routes of one host and path that ask something of a connection. One that asks for more goes before one that asks
/// for less, else the first one stands. The cost grows with the number of different sets of traits asked for, not with
/// that of their values. Immutable; no allocation in match().
class ConditionTable {
 public:
  explicit ConditionTable(const std::vector<const conf::Route*>& routes);  ///< of one array, in its order
  /// nullptr: no route asks for what it has.
  const conf::Route* match(const ConnectionTraits& connection) const;

 private:
  /// Routes that ask for the same traits, by the values that these must have.
  struct Group {
    std::vector<conf::ConnectionTrait> traits;
    HashIndex<const conf::Route*> routes;
  };
  static const conf::Route* match(const Group& group, const ConnectionTraits& connection);

  std::vector<Group> groups_;
};

}  // namespace telltale::proxy
