#pragma once

#include "proxy/net/stream.h"
#include "tests/unit/proxy/health/certificates.h"
#include "tests/unit/proxy/net/socket_pair.h"

#include <boost/asio/error.hpp>
#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace telltale::proxy::test {

/// A backend that speaks TLS with one certificate; it keeps its sessions in tickets.
class TlsBackend {
 public:
  explicit TlsBackend(const Certificate& certificate, int version = TLS1_3_VERSION)
      : context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free) {
    SSL_CTX_set_max_proto_version(context_.get(), version);
    SSL_CTX_set_num_tickets(context_.get(), 1);
    certificate.use_in(context_.get());
  }

  SSL_CTX* context() const { return context_.get(); }
  SslHandle accept() const {
    SslHandle ssl(SSL_new(context_.get()));
    SSL_set_accept_state(ssl.get());
    return ssl;
  }

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
};

/// A connection to one, over a socket pair.
struct TlsConnection {
  TlsConnection(EventLoop& loop, const TlsBackend& backend, SslHandle connecting) {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    server = Stream(Descriptor::open(loop, UniqueFd(fds[0]), Descriptor::Initially::ready));
    client = Stream(Descriptor::open(loop, UniqueFd(fds[1]), Descriptor::Initially::ready));
    // Nobody waits here: the loop is to note what it finds out all the same.
    for (Stream* each : {&server, &client}) each->descriptor().input();
    SslHandle accepting = backend.accept();
    server_ssl = accepting.get();
    server.start_tls(std::move(accepting));
    client.start_tls(std::move(connecting));
    bool served = false, connected = false;
    run_until(loop, [&] {
      const auto would_block = boost::asio::error::would_block;
      if (!served) served = server.tls()->handshake() != would_block;
      if (!connected) error = client.tls()->handshake();
      connected = connected || error != would_block;
      return connected && (served || error);
    });
    if (error) return;
    // What comes behind the handshake, as tickets do, is before this.
    EXPECT_EQ(server.write("!").size, 1u);
    std::string got;
    run_until(loop, [&] { return (got += client.read().octets) == "!"; });
  }
  bool resumed() const { return SSL_session_reused(client.tls()->ssl()) == 1; }

  Stream server, client;
  SSL* server_ssl = nullptr;
  boost::system::error_code error;  ///< of the client's handshake
};

}  // namespace telltale::proxy::test
