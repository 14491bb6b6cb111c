#pragma once

#include "proxy/net/descriptor.h"

#include <boost/system/error_code.hpp>
#include <openssl/bio.h>
#include <openssl/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace telltale::proxy {

struct IoResult;
struct ReadResult;

struct SslFreer {
  void operator()(SSL* ssl) const;
};
using SslHandle = std::unique_ptr<SSL, SslFreer>;

/// TLS between a Stream and its descriptor: OpenSSL over a BIO of our own. Received octets go from the socket into
/// OpenSSL's record buffer; records to send are gathered in one buffer of the loop and leave with one system call, and
/// only what the kernel does not take at once is kept here. So an idle connection has no buffer of ours, and a write
/// never blocks within OpenSSL, which would have to see the same octets again. Loop's thread only.
class TlsChannel {
 public:
  /// `received`: octets that were read from the descriptor before. `ssl` knows its role.
  TlsChannel(SslHandle ssl, Descriptor& descriptor, std::string_view received);
  ~TlsChannel();
  TlsChannel(const TlsChannel&) = delete;
  TlsChannel& operator=(const TlsChannel&) = delete;

  /// Until it succeeds: would_block means wait for output if wants_write(), else for input. The alert that says why
  /// the handshake failed has been sent, as far as the kernel took it.
  boost::system::error_code handshake();
  bool wants_write() const { return !pending_.empty(); }

  // As the Stream's. An end without close_notify is the error tls_truncated(). Of what was written the last octet is
  // told as written only when all of it left: who has more to say, or waits for the end, comes back with it.
  ReadResult read(std::size_t limit);
  IoResult write(std::string_view first, std::string_view second, bool more_follows);
  /// Octets came that read() has not seen.
  bool has_pending() const;
  /// Takes in what is nobody's data: session tickets, new keys. False: data came, which stays, or the end.
  bool is_silent();
  /// Says close_notify, as far as the kernel takes it. Only after a handshake, and once.
  void end(bool close_follows);

  const SSL* ssl() const { return ssl_.get(); }

 private:
  boost::system::error_code error_of(int returned);
  boost::system::error_code send(std::string_view octets, std::size_t& sent, bool more_follows);
  boost::system::error_code flush(bool more_follows);
  boost::system::error_code flush_pending(bool more_follows);
  std::size_t encrypt(std::string_view first, std::string_view second);
  static int bio_read(BIO* bio, char* out, int size);
  static int bio_write(BIO* bio, const char* octets, int size);
  static long bio_ctrl(BIO* bio, int command, long number, void* pointer);
  static const BIO_METHOD* bio_method();

  Descriptor& descriptor_;
  SslHandle ssl_;
  std::string received_;                ///< before the handshake, by whoever read then
  std::string pending_;                 ///< records that the kernel did not take
  boost::system::error_code io_error_;  ///< of the last receive
  boost::system::error_code failure_;   ///< for good; of a read that had octets to give first
  bool held_back_ = false;              ///< an octet that was not told as written: its record is in pending_, or left
  bool established_ = false;
  bool tickets_wait_ = false;  ///< pending_ is session tickets, which were not tried to be sent
  bool ended_ = false;
};

}  // namespace telltale::proxy
