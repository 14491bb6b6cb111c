#pragma once

#include "conf/model.h"
#include "protocol/assertion/key_set.h"
#include "proxy/explain/explanation.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace telltale::proxy {

/// A connection and a request that nobody made.
struct OfflineRequest {
  std::optional<net::IpPort> peer;   ///< nullopt: a Unix socket's; port 0: not known
  std::optional<net::IpPort> local;  ///< what it aimed at; nullopt: where the listener listens
  std::string proxy_octets;          ///< the PROXY headers as they would come
  std::string method = "GET", path = "/";
  std::optional<std::string> host;   ///< nullopt: localhost
  std::vector<std::string> headers;  ///< `Name: value`, without line breaks
  /// A signed assertion is judged with these keys at this time; null: it is not, for this reason.
  assertion::Keyring* keys = nullptr;
  std::int64_t now = 0;  ///< seconds since 1970 UTC
  std::string not_judged = "there are no keys";
};

/// What `listener` (an index) would do with it: the octets go through the PROXY phase, the request parser, the
/// resolver, the route table and the writers of the data path. Pure but for memory.
Explanation explain_offline(const conf::Model& model, std::size_t listener, const OfflineRequest& request);

}  // namespace telltale::proxy
