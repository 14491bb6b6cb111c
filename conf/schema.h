#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The one table of the configuration file: the validator walks it, and the JSON Schema and the reference in
/// conf/README.md are printed from it.
namespace telltale::conf {

enum class Type : std::uint8_t {
  text,       ///< any string without control characters
  prose,      ///< any string; octets of a body
  format,     ///< a template: ${…} is left for its own variables
  boolean,    ///< true, false
  integer,    ///< min..max
  size,       ///< 64KiB; min..max in bytes
  duration,   ///< 5s; min..max in milliseconds
  mode,       ///< octal permissions
  word,       ///< one of `words`
  words,      ///< a list of them
  names,      ///< a list of texts
  texts,      ///< a map of free names to texts, up to `max`
  address,    ///< host:port, [v6]:port, :port, unix:/path
  addresses,  ///< a list of IP addresses with ports
  socket,     ///< a port, or an IP address with one
  backend,    ///< an address, or a host name and a port
  host,       ///< an IP address or a host name
  statuses,   ///< a list of status codes and of ranges of them
  ranges,     ///< a list of CIDRs, addresses, and the word unix
  object,     ///< one `object`
  objects,    ///< a list of `object`
  endpoints,  ///< a list of backends or `object`
  templates,  ///< a map of free names to templates, up to `max`
};

struct Object;

/// In the order in which the rows of the table are best read.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
struct Field {
  std::string_view name;
  Type type = Type::text;
  std::string_view words = {};  ///< `a|b|c`: the choice of a word; beside another type, words that may stand instead
  std::uint64_t min = 0, max = UINT64_MAX;
  const Object* object = nullptr;
  std::string_view fallback = {};  ///< the default as it would be written; empty: none, or `meaning` tells it
  std::string_view meaning = {};
  bool required = false;
};

struct Object {
  std::string_view name;  ///< in the reference: `services[].nodes[]`
  std::string_view title;
  std::span<const Field> fields;
  std::string_view one_of = {};  ///< `service|routes`: exactly one of these fields must be given
};

namespace schema {
extern const Object root, admin, log, access_log, drain, dns;
extern const Object listener, client_ip, assertion_trust, proxy_protocol_rule, listener_limits, listener_timeouts;
extern const Object listener_tls, certificate, client_certificates, hsts;
extern const Object route, match, client_cert_match, redirect, respond;
extern const Object service, service_tls, client_certificate, node, endpoint, balance, session_affinity;
extern const Object health, health_expect, health_tls, ejection;
extern const Object propagate, forwarded, assertion;
extern const Object service_timeouts, retries, circuit_breakers, pool;
extern const Object endpoints_file;  ///< not of this file, but of those that `endpoints_file` names
}  // namespace schema

/// Every object of the file, from the root down.
std::span<const Object* const> all_objects();

/// The types that a PROXY header leaves to applications, of which a signed assertion may have one.
inline constexpr std::string_view assertion_tlv_words =
    "off|0xE0|0xE1|0xE2|0xE3|0xE4|0xE5|0xE6|0xE7|0xE8|0xE9|0xEA|0xEB|0xEC|0xED|0xEE|0xEF";

/// Most fields that any object has.
inline constexpr std::size_t max_fields = 24;

const Field* find_field(const Object& object, std::string_view name);

/// `a|b|c` in parts.
std::vector<std::string_view> split_words(std::string_view words);

/// What may be written for a field, as the reference says it: `duration, 1ms to 24h`.
std::string describe_type(const Field& field);

/// Names that the design has and this version has not.
bool is_planned(std::string_view field);

}  // namespace telltale::conf
