#pragma once

#include "proxy/discovery/resolver.h"

#include <chrono>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace telltale::proxy::test {

inline net::IpAddress ip(std::string_view text) {
  const auto address = net::IpAddress::parse(text);
  if (!address) throw std::invalid_argument(std::string(text));
  return *address;
}

inline std::vector<net::IpAddress> ips(std::initializer_list<const char*> texts) {
  std::vector<net::IpAddress> all;
  for (const char* text : texts) all.push_back(ip(text));
  return all;
}

inline DnsReply addresses(std::initializer_list<const char*> texts, int ttl_seconds = 30) {
  return {.ttl = std::chrono::seconds(ttl_seconds), .addresses = ips(texts)};
}
inline DnsReply services(std::vector<dns::SrvRecord> records, int ttl_seconds = 30) {
  return {.ttl = std::chrono::seconds(ttl_seconds), .services = std::move(records)};
}
inline DnsReply failed(LookupOutcome outcome) { return {.outcome = outcome}; }

inline const DnsReply no_data = failed(LookupOutcome::no_data);
inline const DnsReply no_such_name = failed(LookupOutcome::no_such_name);
inline const DnsReply timed_out = failed(LookupOutcome::timed_out);
inline const DnsReply server_failed = failed(LookupOutcome::server_failed);

}  // namespace telltale::proxy::test
