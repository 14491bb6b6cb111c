#pragma once

#include "tests/unit/proxy/health/certificates.h"
#include "tests/unit/proxy/health/fake_node.h"

#include <boost/asio/read.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace telltale::proxy::test {

/// A TLS server on a port of its own on the loopback, that answers each request head as a script says.
class TlsNode {
 public:
  struct Options {
    std::size_t preamble_bytes = 0;  ///< of octets before the handshake
    int max_version = TLS1_3_VERSION;
    bool asks_for_certificate = false;  ///< and insists
    std::string believes = {};          ///< whose certificate; PEM
  };

  TlsNode(boost::asio::io_context& io, const Certificate& certificate, FakeNode::Script script)
      : TlsNode(io, certificate, std::move(script), Options()) {}
  TlsNode(boost::asio::io_context& io, const Certificate& certificate, FakeNode::Script script, const Options& options)
      : state_(std::make_shared<State>(io, std::move(script), options)) {
    const std::string pem = certificate.pem(), key = certificate.key_pem();
    state_->context.use_certificate_chain(boost::asio::buffer(pem));
    state_->context.use_private_key(boost::asio::buffer(key), boost::asio::ssl::context::pem);
    SSL_CTX_set_max_proto_version(state_->context.native_handle(), options.max_version);
    SSL_CTX_set_client_hello_cb(state_->context.native_handle(), &note_alpn, state_.get());
    if (options.asks_for_certificate) {
      state_->context.set_verify_mode(boost::asio::ssl::verify_peer | boost::asio::ssl::verify_fail_if_no_peer_cert);
      if (!options.believes.empty()) {
        state_->context.add_certificate_authority(boost::asio::buffer(options.believes));
      }
    }
    boost::asio::co_spawn(io, accept(state_), boost::asio::detached);
  }
  ~TlsNode() {
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
    for (auto& stream : state_->streams) close(*stream);
  }

  conf::Address address() const {
    return {net::IpPort{net::IpAddress::v4(127, 0, 0, 1), state_->acceptor.local_endpoint().port()}, {}};
  }
  /// Closes the connections there are, without a close_notify; new ones are accepted.
  void drop_connections() {
    for (auto& stream : state_->streams) close(*stream);
  }
  std::size_t requests() const { return state_->requests; }
  std::size_t connections() const { return state_->streams.size(); }
  /// Of the last connection.
  const std::string& preamble() const { return state_->preamble; }
  const std::string& sni() const { return state_->sni; }
  const std::string& alpn() const { return state_->alpn; }

 private:
  using tcp = boost::asio::ip::tcp;
  using Stream = boost::asio::ssl::stream<tcp::socket>;
  struct State {
    State(boost::asio::io_context& i, FakeNode::Script s, const Options& o)
        : io(i),
          context(boost::asio::ssl::context::tls_server),
          acceptor(i, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
          script(std::move(s)),
          options(o) {}
    boost::asio::io_context& io;
    boost::asio::ssl::context context;
    tcp::acceptor acceptor;
    FakeNode::Script script;
    Options options;
    std::size_t requests = 0;
    std::string preamble, sni, alpn;
    std::vector<std::shared_ptr<Stream>> streams;
  };

  static boost::asio::awaitable<void> accept(std::shared_ptr<State> state) {
    for (;;) {
      auto [error, socket] = co_await state->acceptor.async_accept(boost::asio::as_tuple(boost::asio::use_awaitable));
      if (error) co_return;
      state->streams.push_back(std::make_shared<Stream>(std::move(socket), state->context));
      boost::asio::co_spawn(state->io, serve(state, state->streams.back()), boost::asio::detached);
    }
  }

  static void close(Stream& stream) {
    boost::system::error_code ignored;
    stream.lowest_layer().close(ignored);
  }

  static int note_alpn(SSL* ssl, int*, void* of) {
    const unsigned char* protocols = nullptr;
    std::size_t size = 0;
    SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &protocols, &size);
    static_cast<State*>(of)->alpn.assign(reinterpret_cast<const char*>(protocols), size);
    return SSL_CLIENT_HELLO_SUCCESS;
  }

  static boost::asio::awaitable<void> serve(std::shared_ptr<State> state, std::shared_ptr<Stream> stream) {
    constexpr auto token = boost::asio::as_tuple(boost::asio::use_awaitable);
    state->preamble.resize(state->options.preamble_bytes);
    co_await boost::asio::async_read(stream->next_layer(), boost::asio::buffer(state->preamble), token);
    const auto [failed] = co_await stream->async_handshake(Stream::server, token);
    if (failed) co_return close(*stream);
    const char* name = SSL_get_servername(stream->native_handle(), TLSEXT_NAMETYPE_host_name);
    state->sni = name != nullptr ? name : "";
    std::string received;
    for (;;) {
      char octets[4096];
      const auto [error, size] = co_await stream->async_read_some(boost::asio::buffer(octets), token);
      if (error) co_return;
      received.append(octets, size);
      if (!received.ends_with("\r\n\r\n")) continue;
      ++state->requests;
      const FakeNode::Answer answer = state->script(std::exchange(received, {}));
      if (!answer.octets.empty()) co_await boost::asio::async_write(*stream, boost::asio::buffer(answer.octets), token);
      if (answer.then == FakeNode::Then::close) co_return close(*stream);
    }
  }

  std::shared_ptr<State> state_;
};

}  // namespace telltale::proxy::test
