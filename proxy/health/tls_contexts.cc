#include "proxy/health/tls_contexts.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <new>
#include <sys/stat.h>
#include <system_error>

namespace telltale::proxy {
namespace {

constexpr unsigned char alpn[] = "\x08http/1.1";

std::string reason_of_last_error() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason != nullptr ? reason : "unknown error";
}

}  // namespace

void TlsContexts::Freer::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }

TlsContexts::TlsContexts() = default;
TlsContexts::~TlsContexts() = default;

boost::system::result<SSL_CTX*, TlsContexts::Error> TlsContexts::get(const conf::BackendTls& settings) {
  const bool has_file = settings.verify != conf::TlsVerify::none && !settings.ca_file.empty();
  Context& known = contexts_[{settings.verify, has_file ? settings.ca_file : std::string()}];
  struct stat file{};
  if (has_file && ::stat(settings.ca_file.c_str(), &file) != 0) {
    if (known.context) return known.context.get();  // is being replaced
    return Error{settings.ca_file + ": " + std::system_category().message(errno)};
  }
  const std::int64_t time = file.st_mtim.tv_sec * 1'000'000'000 + file.st_mtim.tv_nsec;
  if (known.context && known.file_time == time && known.file_id == file.st_ino) return known.context.get();

  ERR_clear_error();
  std::unique_ptr<SSL_CTX, Freer> made(SSL_CTX_new(TLS_client_method()));
  if (!made) throw std::bad_alloc();
  SSL_CTX* context = made.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // One receive for a record, which is enough for most answers; and no buffer while nothing comes.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_protos(context, alpn, sizeof alpn - 1);
  if (settings.verify != conf::TlsVerify::none) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    if (has_file && SSL_CTX_load_verify_file(context, settings.ca_file.c_str()) != 1) {
      std::string why = reason_of_last_error();
      if (known.context) return known.context.get();
      return Error{settings.ca_file + ": " + why};
    }
    if (!has_file) SSL_CTX_set_default_verify_paths(context);
  }
  known = {std::move(made), time, file.st_ino};
  return known.context.get();
}

}  // namespace telltale::proxy
