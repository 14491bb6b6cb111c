#pragma once

#include "protocol/proxy_protocol/header.h"

#include <boost/system/error_code.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace telltale::proxy_protocol {

/// Why a header was refused; each is a distinct label in metrics and logs. Values of error_category().
enum class Error {
  v1_malformed = 1,     ///< not `PROXY TCP4|TCP6|UNKNOWN …\r\n`
  v1_too_long,          ///< no CRLF within 107 octets
  v1_bad_address,       ///< an address or port that is none, or of the other family
  v2_bad_version,       ///< high nibble of octet 13 is not 2
  v2_bad_command,       ///< neither LOCAL nor PROXY
  v2_bad_family,        ///< unassigned family or transport
  v2_length_too_short,  ///< below the family's minimum
  v2_length_too_long,   ///< above the cap
  v2_bad_tlv,           ///< a TLV runs past the header's length, or breaks its own (crc32c, unique_id, ssl)
  v2_bad_crc32c,        ///< checksum present and wrong
};
inline constexpr std::size_t error_count = static_cast<std::size_t>(Error::v2_bad_crc32c);
const boost::system::error_category& error_category();
boost::system::error_code make_error_code(Error error);
/// Its name, for metric labels: "v1_malformed".
std::string_view error_label(Error error);

/// Reads one PROXY header, v1 or v2, from octets that come in any cut; the verdict does not depend on the cut. Pure: no
/// clock, no I/O; not thread safe. After `complete`, `no_signature` or `failed` it must be reset before it is fed
/// again. A header that comes in one piece allocates for TLVs and paths alone, whose capacity is kept across reset().
class Parser {
 public:
  /// v1: 107 octets at most (spec 2.1). v2: 16 + the declared length, which is capped at this.
  static constexpr std::size_t default_max_v2_length = 4096;

  explicit Parser(std::size_t max_v2_length = default_max_v2_length) : max_v2_length_(max_v2_length) {}

  enum class Status {
    need_more,     ///< a prefix of a header so far
    complete,      ///< header() is valid
    no_signature,  ///< not a PROXY header: buffered() + this input are payload; nothing is lost, nothing consumed
    failed,        ///< a signature, then something wrong: error(); nothing of this input is consumed
  };
  struct Outcome {
    Status status;
    std::size_t consumed;  ///< octets of this input that belong to the header; the rest is the caller's
  };

  Outcome feed(std::string_view octets);

  const Header& header() const { return header_; }
  Header& header() { return header_; }
  boost::system::error_code error() const { return error_; }
  /// Octets taken by earlier feeds. On no_signature they are payload that goes before the last input (of which then
  /// nothing is consumed); on a timeout or a close half-way they show what had come.
  std::string_view buffered() const { return buffer_; }
  void reset();

 private:
  std::size_t max_v2_length_;
  std::string buffer_;
  Header header_;
  boost::system::error_code error_;
};

}  // namespace telltale::proxy_protocol

template <>
struct boost::system::is_error_code_enum<telltale::proxy_protocol::Error> : std::true_type {};
