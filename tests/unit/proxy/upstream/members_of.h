#pragma once

#include "tests/unit/proxy/upstream/built.h"

#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace telltale::proxy::test {

// What the members of a service are made of.
inline conf::Address at(std::uint8_t last, std::uint16_t port) {
  return {net::IpPort{net::IpAddress::v4(10, 0, 0, last), port}, {}};
}

inline conf::Endpoint endpoint(std::uint8_t last, std::uint16_t port, std::uint32_t weight = 1) {
  conf::Endpoint e;
  e.address = at(last, port), e.weight = weight;
  return e;
}

inline conf::Node node(const std::string& host, std::vector<conf::Endpoint> endpoints = {}) {
  conf::Node n;
  n.host = host;
  n.endpoints = std::move(endpoints);
  return n;
}

inline conf::Health http(std::optional<std::uint16_t> port = {}) {
  conf::Health h;
  h.port = port;
  return h;
}

struct Seen {
  std::vector<std::string> endpoints;  // where traffic goes
  std::vector<std::string> probes;     // what is probed
};

inline Seen seen(const Built& built) {
  Seen s;
  for (const auto& service : built.services) {
    for (const auto& e : service->set().endpoints) s.endpoints.push_back(e->address_text);
  }
  for (const auto& target : built.sets->probe_targets()) {
    s.probes.push_back(target.name + " " + target.address.to_string());
  }
  return s;
}

using Texts = std::vector<std::string>;

/// What DNS makes of a node `n`: one for each address.
inline std::vector<conf::Node> addresses_of_n(std::initializer_list<const char*> hosts) {
  std::vector<conf::Node> all;
  for (const char* host : hosts) all.emplace_back(node(host)).name = "n";
  return all;
}

}  // namespace telltale::proxy::test
