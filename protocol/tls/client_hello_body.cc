#include "protocol/tls/client_hello_body.h"

#include <algorithm>
#include <bitset>

namespace telltale::tls {
namespace {

constexpr std::size_t random_size = 32;
constexpr std::size_t max_session_id_size = 32;

/// RFC 8446 4.2, those that are looked into. All others, GREASE (RFC 8701) and ECH among them, are stepped over.
enum class Extension : std::uint16_t {
  server_name = 0,
  application_layer_protocol_negotiation = 16,
  session_ticket = 35,
  pre_shared_key = 41,
  early_data = 42,
  supported_versions = 43,
};

// RFC 8446 D.5: SSL 3.0 and older must be refused.
bool is_tls(std::uint16_t version) { return version >> 8 == 3 && version != 0x0300; }

/// Takes fields off the front. A field that is cut off is empty or 0, and so is each one after it.
class Reader {
 public:
  explicit Reader(std::string_view octets) : rest_(octets) {}

  std::string_view take(std::size_t size) {
    cut_off_ = cut_off_ || size > rest_.size();
    if (cut_off_) return {};
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  /// A vector behind 1 or 2 octets that say its length (RFC 8446 3.4).
  std::string_view vector8() { return take(u8()); }
  std::string_view vector16() { return take(u16()); }

  bool cut_off() const { return cut_off_; }
  bool at_end() const { return rest_.empty(); }
  /// Neither too little nor too much.
  bool filled() const { return !cut_off_ && rest_.empty(); }

 private:
  unsigned number(std::size_t size) {
    unsigned value = 0;
    for (const char c : take(size)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }

  std::string_view rest_;
  bool cut_off_ = false;
};

// RFC 6066 3. Names of types to come begin with their length, too.
Error read_server_name(std::string_view data, ClientHello& hello) {
  Reader extension(data);
  Reader list(extension.vector16());
  if (!extension.filled() || list.at_end()) return Error::bad_server_name;
  constexpr std::uint8_t host_name = 0;
  std::bitset<256> seen;
  while (!list.at_end()) {
    const std::uint8_t type = list.u8();
    const std::string_view name = list.vector16();
    if (list.cut_off() || seen.test(type)) return Error::bad_server_name;
    seen.set(type);
    if (type == host_name && !hello.server_name.assign(name)) return Error::bad_host_name;
  }
  return Error{};
}

// RFC 7301 3.1.
Error read_alpn(std::string_view data, ClientHello& hello) {
  Reader extension(data);
  const auto protocols = AlpnProtocols::parse(extension.vector16());
  if (!extension.filled() || !protocols) return Error::bad_alpn;
  hello.alpn = *protocols;
  return Error{};
}

// RFC 8446 4.2.1. What is not of TLS, GREASE among it, is ignored.
Error read_supported_versions(std::string_view data, ClientHello& hello) {
  Reader extension(data);
  const std::string_view versions = extension.vector8();
  if (!extension.filled() || versions.empty() || versions.size() % 2 != 0) return Error::bad_supported_versions;
  hello.highest_version = 0;
  for (Reader list(versions); !list.at_end();) {
    const std::uint16_t version = list.u16();
    if (is_tls(version)) hello.highest_version = std::max(hello.highest_version, version);
  }
  return Error{};
}

Error read_extension(std::uint16_t type, std::string_view data, ClientHello& hello) {
  switch (Extension{type}) {
    case Extension::server_name:
      return read_server_name(data, hello);
    case Extension::application_layer_protocol_negotiation:
      return read_alpn(data, hello);
    case Extension::supported_versions:
      return read_supported_versions(data, hello);
    case Extension::session_ticket:
      hello.session_ticket = !data.empty();
      return Error{};
    case Extension::pre_shared_key:
      hello.pre_shared_key = true;
      return Error{};
    case Extension::early_data:
      hello.early_data = true;
      return data.empty() ? Error{} : Error::bad_length;
    default:
      return Error{};
  }
}

Error read_extensions(std::string_view extensions, ClientHello& hello) {
  // One bit for each type there is: as fast for a hello of thousands of extensions.
  std::bitset<1 << 16> seen;
  for (Reader reader(extensions); !reader.at_end();) {
    const std::uint16_t type = reader.u16();
    const std::string_view data = reader.vector16();
    if (reader.cut_off()) return Error::bad_length;
    if (seen.test(type)) return Error::duplicate_extension;
    seen.set(type);
    // RFC 8446 4.2.11: it is the last one, for its binders are over all that stands before them.
    if (hello.pre_shared_key) return Error::psk_not_last;
    if (const Error error = read_extension(type, data, hello); error != Error{}) return error;
  }
  return Error{};
}

}  // namespace

Error parse_client_hello(std::string_view body, ClientHello& hello) {
  Reader reader(body);
  hello.legacy_version = reader.u16();
  reader.take(random_size);
  const std::string_view session_id = reader.vector8();
  const std::string_view cipher_suites = reader.vector16();
  const std::string_view compression_methods = reader.vector8();
  if (reader.cut_off() || session_id.size() > max_session_id_size) return Error::bad_length;
  if (cipher_suites.empty() || cipher_suites.size() % 2 != 0 || compression_methods.empty()) return Error::bad_length;
  if (!is_tls(hello.legacy_version)) return Error::bad_version;
  hello.highest_version = std::min(hello.legacy_version, tls_1_2);
  // RFC 5246 7.4.1.2: there may be none at all.
  if (reader.at_end()) return Error{};
  const std::string_view extensions = reader.vector16();
  if (reader.cut_off()) return Error::bad_length;
  if (!reader.at_end()) return Error::trailing_octets;
  return read_extensions(extensions, hello);
}

}  // namespace telltale::tls
