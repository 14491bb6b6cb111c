#pragma once

#include "protocol/tls/client_hello.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::tls {

/// Everything a caller can see of one scan.
struct Seen {
  ClientHelloPeek::Status status = ClientHelloPeek::Status::need_more;
  std::size_t size = 0;
  boost::system::error_code error;
  std::string server_name;
  std::vector<std::string> alpn;
  std::uint16_t legacy_version = 0;
  std::uint16_t highest_version = 0;
  bool session_ticket = false, pre_shared_key = false, early_data = false;
  friend bool operator==(const Seen&, const Seen&) = default;
};

inline std::ostream& operator<<(std::ostream& out, const Seen& seen) {
  out << "status " << static_cast<int>(seen.status) << ", size " << seen.size << ", error '" << seen.error.message()
      << "', name '" << seen.server_name << "', ALPN";
  for (const std::string& name : seen.alpn) out << ' ' << name;
  return out << std::hex << ", legacy " << seen.legacy_version << ", highest " << seen.highest_version << std::dec
             << ", ticket " << seen.session_ticket << ", PSK " << seen.pre_shared_key << ", early data "
             << seen.early_data;
}

/// From memory of exactly that size, so that a sanitizer sees any read beyond it, and any view of what was shown
/// before.
inline Seen scan_once(ClientHelloPeek& peek, std::string_view octets) {
  const auto memory = std::make_unique<char[]>(octets.size());
  std::copy(octets.begin(), octets.end(), memory.get());
  const auto outcome = peek.scan({memory.get(), octets.size()});
  Seen seen{outcome.status, outcome.size, peek.error()};
  if (outcome.status != ClientHelloPeek::Status::done) return seen;
  const ClientHello& hello = peek.hello();
  seen.server_name = hello.server_name.view();
  for (const std::string_view name : hello.alpn) seen.alpn.emplace_back(name);
  seen.legacy_version = hello.legacy_version;
  seen.highest_version = hello.highest_version;
  seen.session_ticket = hello.session_ticket;
  seen.pre_shared_key = hello.pre_shared_key;
  seen.early_data = hello.early_data;
  return seen;
}

/// Shows the first `step` octets, then `step` more, and so on. The verdict stays, and no hello is done with fewer
/// octets than were said to be needed.
inline Seen scan_in_steps(std::string_view octets, std::size_t step, const ClientHelloLimits& limits) {
  ClientHelloPeek peek(limits);
  Seen seen;
  for (std::size_t shown = std::min(step, octets.size());; shown = std::min(shown + step, octets.size())) {
    const std::size_t needed = seen.size;
    seen = scan_once(peek, octets.substr(0, shown));
    EXPECT_TRUE(seen.status != ClientHelloPeek::Status::done || shown >= needed);
    if (seen.status != ClientHelloPeek::Status::need_more) break;
    EXPECT_GT(seen.size, shown);
    EXPECT_LE(seen.size, limits.max_octets);
    EXPECT_GE(seen.size, needed);
    if (shown == octets.size()) break;
  }
  EXPECT_EQ(scan_once(peek, octets), seen) << "asked again";
  return seen;
}

/// Whole, cut in two at every octet, and octet by octet; all must see the same.
inline Seen scan_every_way(std::string_view octets, const ClientHelloLimits& limits = {}) {
  ClientHelloPeek peek(limits);
  const Seen whole = scan_once(peek, octets);
  EXPECT_EQ(scan_once(peek, octets), whole) << "asked again";
  for (std::size_t cut = 0; cut < octets.size(); ++cut) {
    peek.reset();
    const Seen prefix = scan_once(peek, octets.substr(0, cut));
    if (prefix.status != ClientHelloPeek::Status::need_more) {
      EXPECT_EQ(prefix, whole) << "the first " << cut;
    }
    if (whole.status == ClientHelloPeek::Status::done) {
      EXPECT_EQ(prefix.status == ClientHelloPeek::Status::need_more, cut < whole.size) << cut;
    }
    EXPECT_EQ(scan_once(peek, octets), whole) << "cut at " << cut;
  }
  EXPECT_EQ(scan_in_steps(octets, 1, limits), whole) << "octet by octet";
  return whole;
}

inline std::string number(std::size_t value, std::size_t octets) {
  std::string out;
  while (octets-- > 0) out += static_cast<char>(value >> (8 * octets) & 0xff);
  return out;
}
inline std::string u8(std::size_t value) { return number(value, 1); }
inline std::string u16(std::size_t value) { return number(value, 2); }
/// Behind their length in 1 or 2 octets.
inline std::string vector8(std::string_view octets) { return u8(octets.size()) + std::string(octets); }
inline std::string vector16(std::string_view octets) { return u16(octets.size()) + std::string(octets); }

inline std::string extension(std::size_t type, std::string_view data) { return u16(type) + vector16(data); }
inline std::string name_entry(std::size_t type, std::string_view name) { return u8(type) + vector16(name); }
inline std::string server_name_extension(std::string_view name) { return extension(0, vector16(name_entry(0, name))); }
inline std::string alpn_extension(std::string_view list) { return extension(16, vector16(list)); }
inline std::string versions_extension(std::string_view list) { return extension(43, vector8(list)); }

/// A ClientHello's fields as its octets say, right or wrong; the lengths are those of what they hold.
struct Fields {
  std::size_t version = 0x0303;
  std::string random = std::string(32, 'r');
  std::string session_id = std::string(32, 's');
  std::string cipher_suites = "\x13\x01\x13\x02";
  std::string compression_methods = std::string(1, '\0');
  std::optional<std::string> extensions = "";
  std::string trailing;
};
inline std::string body(const Fields& fields) {
  return u16(fields.version) + fields.random + vector8(fields.session_id) + vector16(fields.cipher_suites) +
         vector8(fields.compression_methods) + (fields.extensions ? vector16(*fields.extensions) : "") +
         fields.trailing;
}
inline std::string message(std::string_view body, std::size_t type = 1) {
  return u8(type) + number(body.size(), 3) + std::string(body);
}
inline std::string record(std::string_view payload, std::size_t version = 0x0301, std::size_t type = 22) {
  return u8(type) + u16(version) + vector16(payload);
}
/// In records of `size` octets.
inline std::string records(std::string_view payload, std::size_t size) {
  std::string out;
  for (std::size_t at = 0; at < payload.size(); at += size) out += record(payload.substr(at, size));
  return out;
}
inline std::string hello_with(std::string_view extensions) {
  return record(message(body({.extensions = std::string(extensions)})));
}

}  // namespace telltale::tls
