#include "proxy/health/tls_client.h"

#include "proxy/net/tls_error.h"

#include <boost/asio/error.hpp>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace telltale::proxy {
namespace {

using boost::system::error_code;

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  const auto colon = host.find(':');
  return host.find(':', colon + 1) == std::string_view::npos ? host.substr(0, colon) : host;
}

}  // namespace

TlsPeer tls_peer(const conf::BackendTls& tls, std::string_view host) {
  TlsPeer peer;
  peer.verify = tls.verify;
  const std::string_view name = tls.sni.empty() ? without_port(host) : tls.sni;
  peer.address = net::IpAddress::parse(name);
  if (!peer.address) peer.name = name;
  return peer;
}

TlsClient::TlsClient(SSL_CTX* context, const TlsPeer& peer, Stream& stream) : stream_(stream), ssl_(SSL_new(context)) {
  BIO* bio = BIO_new(bio_method());
  if (!ssl_ || bio == nullptr) {
    BIO_free(bio);
    throw std::bad_alloc();
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_connect_state(ssl_.get());
  if (!peer.name.empty()) {
    std::string sni = peer.name;  // SSL_set_tlsext_host_name() by what it is: the macro casts as C does
    SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, sni.data());
  }
  if (peer.verify != conf::TlsVerify::full) return;
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl_.get());
  X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (peer.address) {
    const auto octets = peer.address->octets();
    X509_VERIFY_PARAM_set1_ip(expected, octets.data(), octets.size());
  } else {
    X509_VERIFY_PARAM_set1_host(expected, peer.name.data(), peer.name.size());
  }
}

TlsClient::~TlsClient() = default;

void TlsClient::Freer::operator()(SSL* ssl) const { SSL_free(ssl); }

error_code TlsClient::handshake() {
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_.get());
  return done == 1 ? error_code() : error_of(done);
}

IoResult TlsClient::read(std::span<char> room) {
  ERR_clear_error();
  std::size_t size = 0;
  const int done = SSL_read_ex(ssl_.get(), room.data(), room.size(), &size);
  return done == 1 ? IoResult{size, {}} : IoResult{0, error_of(done)};
}

IoResult TlsClient::write(std::string_view octets) {
  ERR_clear_error();
  std::size_t size = 0;
  const int done = SSL_write_ex(ssl_.get(), octets.data(), octets.size(), &size);
  return done == 1 ? IoResult{size, {}} : IoResult{0, error_of(done)};
}

bool TlsClient::has_pending() const { return SSL_has_pending(ssl_.get()) == 1; }

error_code TlsClient::error_of(int returned) {
  const int kind = SSL_get_error(ssl_.get(), returned);
  if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
    wants_write_ = kind == SSL_ERROR_WANT_WRITE;
    return boost::asio::error::would_block;
  }
  if (kind == SSL_ERROR_ZERO_RETURN) return boost::asio::error::eof;
  if (const long verified = SSL_get_verify_result(ssl_.get());
      verified != X509_V_OK && SSL_get_verify_mode(ssl_.get()) != SSL_VERIFY_NONE) {
    return tls_verify_error(verified);
  }
  return take_tls_error(io_error_ ? io_error_ : error_code(boost::asio::error::eof));
}

int TlsClient::bio_read(BIO* bio, char* out, int size) {
  auto& self = *static_cast<TlsClient*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const ReadResult got = self.stream_.read(static_cast<std::size_t>(size));
  if (!got.error) {
    std::memcpy(out, got.octets.data(), got.octets.size());
    return static_cast<int>(got.octets.size());
  }
  if (got.error == boost::asio::error::would_block) {
    BIO_set_retry_read(bio);
    return -1;
  }
  self.io_error_ = got.error;
  return got.error == boost::asio::error::eof ? 0 : -1;
}

int TlsClient::bio_write(BIO* bio, const char* octets, int size) {
  auto& self = *static_cast<TlsClient*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const IoResult sent = self.stream_.write({octets, static_cast<std::size_t>(size)});
  if (!sent.error) return static_cast<int>(sent.size);
  if (sent.error == boost::asio::error::would_block) {
    BIO_set_retry_write(bio);
  } else {
    self.io_error_ = sent.error;
  }
  return -1;
}

long TlsClient::bio_ctrl(BIO* bio, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return static_cast<TlsClient*>(BIO_get_data(bio))->io_error_ == boost::asio::error::eof ? 1 : 0;
    default:
      return 0;
  }
}

const BIO_METHOD* TlsClient::bio_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    if (made == nullptr) throw std::bad_alloc();
    BIO_meth_set_read(made, &TlsClient::bio_read);
    BIO_meth_set_write(made, &TlsClient::bio_write);
    BIO_meth_set_ctrl(made, &TlsClient::bio_ctrl);
    return made;
  }();
  return method;
}

}  // namespace telltale::proxy
