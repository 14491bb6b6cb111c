#pragma once

#include "conf/model_service.h"
#include "proxy/net/stream.h"

#include <boost/system/error_code.hpp>
#include <openssl/bio.h>
#include <openssl/types.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace telltale::proxy {

/// The peer's end of a TLS connection by the name that it must prove to have, and that is sent to it (SNI, RFC 6066).
struct TlsPeer {
  std::string name;                       ///< a DNS name; not set for an address, which is never sent
  std::optional<net::IpAddress> address;  ///< then the certificate must have it (RFC 9110 4.3.5)
  conf::TlsVerify verify = conf::TlsVerify::full;
};
/// `tls.sni`, or else `host` without its port.
TlsPeer tls_peer(const conf::BackendTls& tls, std::string_view host);

/// Our end of one TLS connection over `stream`, which must outlive it and stay where it is. Nothing here waits: what
/// would block says so, and wants_write() what to wait for. Errors are in words (net/tls_error.h):
/// "certificate has expired". Control thread only: OpenSSL's error queue is used between calls of one function alone.
class TlsClient {
 public:
  /// Refers to no more of `context` than OpenSSL counts.
  TlsClient(SSL_CTX* context, const TlsPeer& peer, Stream& stream);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  boost::system::error_code handshake();
  /// Into `room`. eof after a close_notify, or after an end without one: a probe loses nothing by it.
  IoResult read(std::span<char> room);
  /// After would_block, again with the same octets, wherever they are by then.
  IoResult write(std::string_view octets);

  bool wants_write() const { return wants_write_; }
  /// Octets came that read() has not seen.
  bool has_pending() const;

 private:
  struct Freer {
    void operator()(SSL* ssl) const;
  };
  boost::system::error_code error_of(int returned);
  static int bio_read(BIO* bio, char* out, int size);
  static int bio_write(BIO* bio, const char* octets, int size);
  static long bio_ctrl(BIO* bio, int command, long number, void* pointer);
  static const BIO_METHOD* bio_method();

  Stream& stream_;
  boost::system::error_code io_error_;  // of the stream, in the present call
  std::unique_ptr<SSL, Freer> ssl_;
  bool wants_write_ = false;
};

}  // namespace telltale::proxy
