// The server's side of a TLS handshake, on a socket, as a listener has it. Either any octets come: then there is no
// handshake. Or those of a real client, of which some were changed on the way: then what is read is what the client
// said, or a part of it from the beginning.
#include "proxy/net/stream.h"
#include "proxy/tls/server_contexts.h"
#include "tests/unit/proxy/health/certificates.h"

#include <boost/asio/error.hpp>
#include <openssl/ssl.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace {

using namespace telltale;
using namespace telltale::proxy;

constexpr std::string_view said = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

void require(bool condition) {
  if (!condition) std::abort();
}

std::shared_ptr<const Certificate> make_certificate(const std::string& name) {
  const test::Certificate made({.common_name = name, .names = "DNS:" + name});
  const test::TemporaryFile file(made.pem() + made.key_pem());
  return read_certificate({file.path(), file.path(), {}});
}

conf::ListenerTls configuration() {
  conf::ListenerTls tls;
  tls.alpn = {"h2", "http/1.1"};
  return tls;
}

const ServerContexts& server() {
  static const ServerContexts contexts(
      configuration(), "web",
      ServerContexts::Certificates{make_certificate("a.example"), make_certificate("*.b.example")}, nullptr,
      TicketKeys::make());
  return contexts;
}

/// What the peer of the server writes and reads, without waiting.
struct Wire {
  explicit Wire(EventLoop& loop) {
    int fds[2];
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    stream = Stream(Descriptor::open(loop, UniqueFd(fds[0]), Descriptor::Initially::ready));
    stream.descriptor().input();  // nobody waits here: the loop is to note what it finds out all the same
    stream.start_tls(server().accept());
    peer = UniqueFd(fds[1]);
  }
  void write(std::string_view octets) { require(::write(peer.get(), octets.data(), octets.size()) >= 0); }
  std::string read() {
    std::string out(65536, '\0');
    const ssize_t got = ::read(peer.get(), out.data(), out.size());
    out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return out;
  }
  Stream stream;
  UniqueFd peer;
};

/// The server, which goes on as far as it can.
struct Server {
  explicit Server(EventLoop& loop) : wire(loop) {}

  void step(EventLoop& loop) {
    loop.run_once(std::chrono::milliseconds{0});
    while (!failed) {
      if (!established) {
        const auto error = wire.stream.tls()->handshake();
        established = !error;
        failed = error && error != boost::asio::error::would_block;
        if (error) return;
      }
      const ReadResult got = wire.stream.read();
      failed = got.error && got.error != boost::asio::error::would_block;
      if (got.error) return;
      received.append(got.octets);
    }
  }

  Wire wire;
  std::string received;
  bool established = false, failed = false;
};

void send_raw(EventLoop& loop, std::string_view octets, std::size_t piece) {
  Server server(loop);
  // Who has failed reads no more, and then the socket is full.
  for (; !octets.empty() && !server.failed; octets.remove_prefix(std::min(piece, octets.size()))) {
    server.wire.write(octets.substr(0, piece));
    server.step(loop);
  }
  ::shutdown(server.wire.peer.get(), SHUT_WR);
  server.step(loop);
  // Nobody guesses a Finished.
  require(!server.established && server.failed && server.received.empty());
}

struct ContextFreer {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

SSL_CTX* client_context() {
  static const std::unique_ptr<SSL_CTX, ContextFreer> context(SSL_CTX_new(TLS_client_method()));
  return context.get();
}

/// Octets of what the client sends: three say where, and what it is combined with.
std::size_t change(std::string& octets, std::size_t sent, const std::uint8_t* changes, std::size_t size) {
  std::size_t made = 0;
  for (std::size_t i = 0; i + 3 <= size; i += 3) {
    const std::size_t at = std::size_t{changes[i]} << 8 | changes[i + 1];
    if (at < sent || at >= sent + octets.size() || changes[i + 2] == 0) continue;
    octets[at - sent] = static_cast<char>(octets[at - sent] ^ changes[i + 2]);
    ++made;
  }
  return made;
}

void send_changed(EventLoop& loop, std::uint8_t options, const std::uint8_t* changes, std::size_t size) {
  Server server(loop);
  const std::unique_ptr<SSL, SslFreer> client(SSL_new(client_context()));
  if ((options & 1) != 0) SSL_set_max_proto_version(client.get(), TLS1_2_VERSION);
  if ((options & 2) != 0) {
    char name[] = "x.b.example";
    SSL_ctrl(client.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name);
  }
  if ((options & 4) != 0) SSL_set_alpn_protos(client.get(), reinterpret_cast<const unsigned char*>("\x08http/1.1"), 9);
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(client.get(), in, out);
  SSL_set_connect_state(client.get());
  std::size_t sent = 0, made = 0;
  bool written = false;
  for (int flight = 0; flight < 8; ++flight) {
    if (SSL_do_handshake(client.get()) == 1 && !std::exchange(written, true)) {
      SSL_write(client.get(), said.data(), static_cast<int>(said.size()));
    }
    std::string octets(65536, '\0');
    const int got = BIO_read(out, octets.data(), static_cast<int>(octets.size()));
    octets.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    made += change(octets, sent, changes, size);
    sent += octets.size();
    server.wire.write(octets);
    server.step(loop);
    const std::string answer = server.wire.read();
    BIO_write(in, answer.data(), static_cast<int>(answer.size()));
  }
  require(said.starts_with(server.received));
  if (made == 0) require(server.established && !server.failed && server.received == said);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static EventLoop loop;
  if (size == 0) return 0;
  // The first octet: with its highest bit what changes a client's octets, else how large the pieces are.
  if ((data[0] & 0x80) != 0) {
    send_changed(loop, data[0], data + 1, size - 1);
  } else if (size < 32768) {
    send_raw(loop, {reinterpret_cast<const char*>(data + 1), size - 1}, std::size_t{data[0]} * 16 + 1);
  }
  return 0;
}
