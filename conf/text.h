#pragma once

#include "conf/model.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The text forms of values in the configuration file, both ways. Pure.
namespace telltale::conf {

/// A value that was read, or what is wrong with its text and what would be right.
template <class T>
struct Parsed {
  std::optional<T> value;
  std::string problem;  ///< after the quoted text: `"5" has no unit`
  std::string hint;
};

/// `250ms`, `5s`, `10m`, `3h`.
Parsed<Milliseconds> parse_duration(std::string_view text);
std::string format_duration(Milliseconds duration);

/// `64KiB`, `1MiB`, `10GiB`, or a number of bytes.
Parsed<std::uint64_t> parse_size(std::string_view text);
std::string format_size(std::uint64_t bytes);

/// A decimal number without sign.
Parsed<std::uint64_t> parse_integer(std::string_view text);
/// Octal permission bits: `0660`, `660`, `0o660`.
Parsed<unsigned> parse_mode(std::string_view text);
std::string format_mode(unsigned mode);

/// `host:port` with a numeric host, `[v6]:port`, `:port`, `unix:/path`.
Parsed<Address> parse_address(std::string_view text);
/// A port of every interface, or an IP address and port.
Parsed<Address> parse_socket(std::string_view text);
/// Where a backend is: an address, or a name that has to be looked up.
struct Backend {
  Address address;             ///< not set where there is a name
  std::optional<DnsName> dns;  ///< of kind `address`
  std::string to_string() const;
};
/// An address with a host and a port, `name:port`, or `unix:/path`.
Parsed<Backend> parse_backend(std::string_view text);
/// An IP address, or a host name, in lower case.
Parsed<std::string> parse_host(std::string_view text);
/// `10.0.0.0/8`, or one address.
Parsed<net::Cidr> parse_cidr(std::string_view text);

/// `503`, or `500-599`.
Parsed<StatusRange> parse_statuses(std::string_view text);
std::string format_statuses(const StatusRange& range);

/// For messages: in double quotes, control characters escaped, long text cut.
std::string quote(std::string_view text);
/// A YAML (and JSON) double-quoted scalar.
std::string quote_yaml(std::string_view text);

/// C0, DEL and C1 control characters: never right in a name, a path or a header value.
bool has_control(std::string_view text);
/// The offset of the first octet that is not part of well-formed UTF-8 (RFC 3629); npos if there is none.
std::size_t find_bad_utf8(std::string_view text);
/// A field name, RFC 9110 5.6.2.
bool is_token(std::string_view text);
/// Visible ASCII and single blanks: what a header value of ours may be.
bool is_header_value(std::string_view text);
/// Starts with `/`; visible ASCII without blanks, RFC 3986.
bool is_request_target(std::string_view text);
std::string to_lower(std::string_view text);
/// Whether this reads as a DNS name: labels of letters, digits, `-` and `_`, the last one not a number.
bool is_host_name(std::string_view text);
/// Likewise, or with a dot at its end: such a name is never looked for in other domains.
bool is_dns_name(std::string_view text);
/// A host name, an IPv4 address, or an IPv6 address in brackets.
bool is_host(std::string_view text);
/// A host, or host:port.
bool is_authority(std::string_view text);

}  // namespace telltale::conf
