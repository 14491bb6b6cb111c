#pragma once

#include "protocol/assertion/key_set.h"
#include "protocol/net/ip_address.h"

#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The signed assertion of who the client is: what `X-Telltale-Client` (and a PROXY v2 TLV) hold. Its one text form:
///
///     v1;kid=KEY-ID;t=SECONDS;c=ADDRESS:PORT;a=AUTHORITY;s=MAC
///
/// - every field is there, once, in this order, without blanks; `;` occurs in none of them;
/// - KEY-ID: which key signed, 1 to 32 of A-Z a-z 0-9 `.` `_` `-`;
/// - SECONDS: when, since 1970 UTC, decimal without leading zeros, at most 11 digits;
/// - ADDRESS: the client's, RFC 5952 text, IPv6 in brackets, IPv4-mapped as IPv4; PORT: 0 when it is not known;
/// - AUTHORITY: the host (and port, if given) that the request was for, in lower case; may be empty (HTTP/1.0);
/// - MAC: base64url without padding of the HMAC-SHA256 of every octet before `;s=`.
///
/// One statement has one text: anything that is not written exactly so is malformed. Pure: time and keys are passed in.
namespace telltale::assertion {

inline constexpr std::size_t max_size = 512;  ///< the longest text that can be well formed is shorter

struct Statement {
  std::string_view key_id;
  std::int64_t time = 0;  ///< seconds since 1970 UTC
  net::IpPort client;
  std::string_view authority;
};

/// Views into the text it was parsed from.
struct Parsed {
  Statement statement;
  std::string_view signed_part;
  Mac mac;
};
/// nullopt: not well formed. Says nothing of whether it is true.
std::optional<Parsed> parse(std::string_view text);

/// Appends the signed text for now, this client and this authority. False, and nothing appended: the authority or the
/// time cannot be written, or OpenSSL refused. Allocates only when `out` must grow.
bool append_signed(std::string& out, Keyring& keys, std::int64_t time, const net::IpPort& client,
                   std::string_view authority);

/// For how long an assertion is believed: from clock_skew before its time to max_age after it, both ends included.
/// Within that window it can be replayed by whoever has seen it, for the same authority only.
struct Window {
  std::chrono::seconds max_age{30};
  std::chrono::seconds clock_skew{5};  ///< how far the signer's clock may be ahead of ours
};

enum class Verdict : std::uint8_t {
  valid,
  malformed,
  unknown_key,      ///< none of our keys has its key id
  bad_signature,    ///< something in it was changed, or signed with another key of that id
  other_authority,  ///< signed for another host
  expired,
  not_yet_valid,  ///< from the future: one of the two clocks is wrong
};
inline constexpr std::size_t verdict_count = 7;
std::string_view to_string(Verdict verdict);  ///< `bad_signature`
boost::system::error_code make_error_code(Verdict verdict);

/// The verdict, in the order above: nothing is said of what an unsigned text claims. `authority` nullopt: not compared.
/// Constant time in the MAC.
Verdict verify(const Parsed& assertion, Keyring& keys, std::int64_t now, const Window& window,
               std::optional<std::string_view> authority);

}  // namespace telltale::assertion

template <>
struct boost::system::is_error_code_enum<telltale::assertion::Verdict> : std::true_type {};
