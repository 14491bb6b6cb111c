#pragma once

#include "protocol/net/ip_address.h"
#include "protocol/proxy_protocol/crc32c.h"
#include "protocol/proxy_protocol/parser.h"
#include "protocol/proxy_protocol/serializer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::proxy_protocol {

/// Everything a caller can see of one parse.
struct Seen {
  Parser::Status status = Parser::Status::need_more;
  boost::system::error_code error;
  Header header;
  std::size_t consumed = 0;  ///< of the whole input
  std::string payload;       ///< what the caller goes on with: buffered() and what was not consumed
  friend bool operator==(const Seen&, const Seen&) = default;
};

inline std::ostream& operator<<(std::ostream& out, const Seen& seen) {
  return out << "status " << static_cast<int>(seen.status) << ", error '" << seen.error.message() << "', consumed "
             << seen.consumed << ", source " << (seen.header.source ? seen.header.source->to_string() : "-")
             << ", TLVs " << seen.header.tlvs.size() << ", payload " << seen.payload.size();
}

/// Feeds the pieces in turn, each from memory of exactly its size so that a sanitizer sees any read beyond it.
inline Seen feed_pieces(const std::vector<std::string_view>& pieces, std::size_t max_v2_length) {
  Parser parser(max_v2_length);
  Seen seen;
  std::size_t next = 0;
  std::size_t used = 0;
  for (; next < pieces.size() && seen.status == Parser::Status::need_more; ++next) {
    const auto memory = std::make_unique<char[]>(pieces[next].size());
    std::copy(pieces[next].begin(), pieces[next].end(), memory.get());
    const auto outcome = parser.feed({memory.get(), pieces[next].size()});
    EXPECT_LE(outcome.consumed, pieces[next].size());
    EXPECT_TRUE(outcome.status != Parser::Status::need_more || outcome.consumed == pieces[next].size());
    seen.status = outcome.status;
    seen.consumed += outcome.consumed;
    used = outcome.consumed;
  }
  if (seen.status == Parser::Status::no_signature) {
    EXPECT_EQ(used, 0u);
    seen.payload = parser.buffered();
    seen.consumed = 0;
  }
  if (seen.status == Parser::Status::failed) seen.consumed = 0;
  if (seen.status == Parser::Status::complete || seen.status == Parser::Status::no_signature) {
    seen.payload += pieces[next - 1].substr(used);
    for (; next < pieces.size(); ++next) seen.payload += pieces[next];
  }
  seen.error = parser.error();
  seen.header = parser.header();
  return seen;
}

/// Parses `input` whole, in two pieces cut at every octet, and octet by octet; all must see the same.
inline Seen parse_every_way(std::string_view input, std::size_t max_v2_length = Parser::default_max_v2_length) {
  const Seen whole = feed_pieces({input}, max_v2_length);
  for (std::size_t cut = 0; cut <= input.size(); ++cut)
    EXPECT_EQ(feed_pieces({input.substr(0, cut), input.substr(cut)}, max_v2_length), whole) << "cut at " << cut;
  std::vector<std::string_view> octets;
  for (std::size_t i = 0; i < input.size(); ++i) octets.push_back(input.substr(i, 1));
  EXPECT_EQ(feed_pieces(octets, max_v2_length), whole) << "octet by octet";
  return whole;
}

inline std::string octets(std::initializer_list<int> values) {
  std::string out;
  for (int value : values) out += static_cast<char>(value);
  return out;
}

inline const std::string v2_signature = octets({0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a});

/// A v2 header as its octets say, right or wrong.
inline std::string v2_header(int version_command, int family_transport, std::string_view body) {
  return v2_signature +
         octets({version_command, family_transport, static_cast<int>(body.size() >> 8),
                 static_cast<int>(body.size() & 0xff)}) +
         std::string(body);
}

inline std::string tlv(int type, std::string_view value) {
  return octets({type, static_cast<int>(value.size() >> 8), static_cast<int>(value.size() & 0xff)}) +
         std::string(value);
}

/// The same header with the checksum TLV that begins at `offset` made right.
inline std::string with_right_crc32c(std::string header, std::size_t offset) {
  header.replace(offset + 3, 4, 4, '\0');
  const std::uint32_t crc = Crc32c().update(header).finish();
  for (std::size_t i = 0; i < 4; ++i) header[offset + 3 + i] = static_cast<char>(crc >> (24 - 8 * i));
  return header;
}

inline net::IpPort ip_port(std::string_view text) { return net::parse_ip_port(text).value(); }

}  // namespace telltale::proxy_protocol
