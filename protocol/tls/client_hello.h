#pragma once

#include "protocol/tls/alpn.h"
#include "protocol/tls/host_name.h"

#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace telltale::tls {

/// Why a ClientHello was refused; each is a distinct label in metrics and logs. Values of error_category().
enum class Error {
  record_type = 1,         ///< a record that is no handshake before the hello is complete
  record_length,           ///< an empty record, or one of more than 2^14 octets
  not_client_hello,        ///< the first handshake message is another one
  bad_version,             ///< legacy_version is SSL 3.0, older, or of no TLS
  bad_length,              ///< a field or list breaks its bounds, or has a length that its type does not allow
  trailing_octets,         ///< octets behind the extensions, or behind the message in its record
  duplicate_extension,     ///< two extensions of one type
  bad_server_name,         ///< the list is malformed or empty, or has two names of one type
  bad_host_name,           ///< the name is an address, ends in a dot, or is no host name otherwise
  bad_alpn,                ///< the list is malformed or empty
  bad_supported_versions,  ///< the list is malformed or empty
  psk_not_last,            ///< an extension behind pre_shared_key
  message_too_long,        ///< more than ClientHelloLimits::max_message_bytes (too_large)
  too_many_octets,         ///< needs more than ClientHelloLimits::max_octets (too_large)
};
inline constexpr std::size_t error_count = static_cast<std::size_t>(Error::too_many_octets);
const boost::system::error_category& error_category();
boost::system::error_code make_error_code(Error error);
/// Its name, for metric labels: "duplicate_extension".
std::string_view error_label(Error error);

/// ProtocolVersion as on the wire: 0x0303 is TLS 1.2, 0x0304 is TLS 1.3.
inline constexpr std::uint16_t tls_1_2 = 0x0303;
inline constexpr std::uint16_t tls_1_3 = 0x0304;

/// What a client says first (RFC 8446 4.1.2, RFC 5246 7.4.1.2), as far as it decides where a connection goes.
struct ClientHello {
  HostName server_name;  ///< empty: none
  /// As sent. Views into what scan() was given, or into the ClientHelloPeek.
  AlpnProtocols alpn;
  std::uint16_t legacy_version = 0;
  /// The best TLS version offered: of supported_versions if that is there (0: none that is TLS), else legacy_version
  /// but at most TLS 1.2 (RFC 8446 4.2.1).
  std::uint16_t highest_version = 0;
  bool session_ticket =
      false;  ///< a ticket of TLS 1.2 or older to resume from (RFC 5077 3.2), not just the wish for one
  bool pre_shared_key = false;  ///< the same of TLS 1.3
  bool early_data = false;      ///< 0-RTT data follows
};

/// Bounds of what has to be waited for and kept.
struct ClientHelloLimits {
  std::size_t max_message_bytes = 16 * 1024;  ///< of the handshake message with its head of 4 octets
  std::size_t max_octets = 20 * 1024;         ///< from the connection's first octet, heads of records included
};

/// Looks at the ClientHello that begins a connection, and leaves every octet where it is. The caller keeps what has
/// come and shows all of it each time there is more; the verdict does not depend on the cut, nor on how the message
/// lies in records. Pure: no clock, no I/O; not thread safe. A hello in one record is read where it lies, without
/// allocating; one that lies in several is gathered here, at most max_message_bytes.
class ClientHelloPeek {
 public:
  explicit ClientHelloPeek(const ClientHelloLimits& limits = {}) : limits_(limits) {}
  ClientHelloPeek(const ClientHelloPeek&) = delete;  // hello() may look into it
  ClientHelloPeek& operator=(const ClientHelloPeek&) = delete;

  enum class Status {
    need_more,  ///< the beginning of a ClientHello so far
    done,       ///< hello() is valid
    not_tls,    ///< no record of a handshake begins like this: plain text, a PROXY header, an SSL 2.0 hello, …
    malformed,  ///< begins as TLS, then something is wrong: error()
    too_large,  ///< above a limit: error()
  };
  struct Outcome {
    Status status;
    /// need_more: octets from the first one on that a hello like this takes at least, never above max_octets, so that a
    /// buffer of this size will do until then. done: what the hello takes, heads of records included.
    std::size_t size;
  };

  /// `octets`: everything since the first octet, what was shown before unchanged, though it may have moved. A verdict
  /// stays the same when it is asked for again, with the same octets or with more.
  Outcome scan(std::string_view octets);

  const ClientHello& hello() const { return hello_; }
  boost::system::error_code error() const { return error_; }
  /// For another connection; capacity is kept.
  void reset();

 private:
  Error check_message_size(std::string_view fragment, std::size_t length);
  Outcome read(std::string_view message, std::size_t size);
  Outcome fail(Error error);

  ClientHelloLimits limits_;
  std::size_t record_ = 0;        ///< where the record begins whose payload is not in gathered_ yet
  std::size_t message_size_ = 0;  ///< 0: not known yet
  std::string gathered_;          ///< payload of the records before that
  ClientHello hello_;
  boost::system::error_code error_;
};

}  // namespace telltale::tls

template <>
struct boost::system::is_error_code_enum<telltale::tls::Error> : std::true_type {};
