#include "proxy/downstream/client_hello_phase.h"

#include "protocol/tls/client_hello.h"

#include <boost/asio/error.hpp>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace telltale::proxy {
namespace {

using Status = tls::ClientHelloPeek::Status;

/// With what its views look into: what is told of a connection may be asked for when it is gone.
struct OwnedFacts {
  forwarding::TlsFacts facts;
  std::string sni, alpn;
};

std::shared_ptr<const forwarding::TlsFacts> describe(const tls::ClientHello& hello) {
  auto owned = std::make_shared<OwnedFacts>();
  owned->sni = hello.server_name.view();
  for (const std::string_view name : hello.alpn) {
    owned->alpn.append(1, static_cast<char>(name.size())).append(name);
  }
  owned->facts.sni = owned->sni;
  if (const auto offered = tls::AlpnProtocols::parse(owned->alpn)) owned->facts.offered_alpn = *offered;
  owned->facts.terminated = false;
  const auto* facts = &owned->facts;
  return {std::move(owned), facts};
}

/// The first octets of one connection, kept until the verdict is there.
class FirstOctets {
 public:
  /// Octets that a hello has at most: no more need to be read for the verdict.
  static constexpr std::size_t limit = tls::ClientHelloLimits().max_octets;

  /// `octets` are lent; what has to wait is kept.
  Status add(std::string_view octets) {
    if (kept_.empty()) {
      const Status status = peek_.scan(octets).status;
      if (status == Status::need_more) kept_ = octets;
      return status;
    }
    kept_ += octets;
    return peek_.scan(kept_).status;
  }
  /// `last`: what add() was given the last time; empty: it is kept.
  void give_back(Stream& stream, std::string_view last) const { stream.unread(kept_.empty() ? last : kept_); }

  std::size_t size() const { return kept_.size(); }
  const tls::ClientHello& hello() const { return peek_.hello(); }
  boost::system::error_code error() const { return peek_.error(); }

 private:
  tls::ClientHelloPeek peek_;
  std::string kept_;
};

struct Ended {
  HelloVerdict verdict;
  std::string why;
};

Ended verdict_of(Status status, const FirstOctets& first) {
  switch (status) {
    case Status::done:
      return {HelloVerdict::hello, {}};
    case Status::malformed:
      return {HelloVerdict::malformed, "ClientHello: " + first.error().message()};
    case Status::too_large:
      return {HelloVerdict::too_large, "ClientHello: " + first.error().message()};
    default:
      return {HelloVerdict::not_tls, "no TLS: the first octets begin no ClientHello"};
  }
}

/// A wait or a read that ended otherwise than with octets.
Ended verdict_of(const boost::system::error_code& error, const FirstOctets& first) {
  if (error == boost::asio::error::timed_out) {
    return {HelloVerdict::timed_out, "no ClientHello within timeouts.header"};
  }
  // Who has sent its last octet may wait for an answer all the same.
  if (error == boost::asio::error::eof && first.size() > 0) {
    return {HelloVerdict::not_tls, "no TLS: the client ended within its ClientHello"};
  }
  return {HelloVerdict::closed, {}};
}

Awaitable<Ended> look(Stream& stream, FirstOctets& first) {
  for (;;) {
    const ReadResult got = stream.read(FirstOctets::limit - first.size());
    if (got.error == boost::asio::error::would_block) {
      const auto [error] = co_await stream.async_readable(as_result);
      if (!error) continue;
      first.give_back(stream, {});
      co_return verdict_of(error, first);
    }
    if (got.error) {
      first.give_back(stream, {});
      co_return verdict_of(got.error, first);
    }
    const Status status = first.add(got.octets);
    if (status == Status::need_more) continue;
    first.give_back(stream, got.octets);
    co_return verdict_of(status, first);
  }
}

}  // namespace

Awaitable<PeekedHello> peek_client_hello(Connection& connection) {
  ConnectionContext& context = connection.context();
  Stream& stream = connection.stream();
  stream.expires_after(context.listener->timeouts.header);
  // Not in an idle connection's frame.
  const auto first = std::make_unique<FirstOctets>();
  Ended ended = co_await look(stream, *first);
  stream.expires_never();
  context.metrics->hellos[static_cast<std::size_t>(ended.verdict)].add();
  if (ended.verdict == HelloVerdict::hello) context.tls = describe(first->hello());
  if (!ended.why.empty()) {
    spdlog::debug("listener {}: connection from {}: {}", context.listener->name,
                  context.peer.socket_peer ? context.peer.socket_peer->to_string() : "unix", ended.why);
  }
  co_return PeekedHello{ended.verdict != HelloVerdict::closed, std::move(ended.why)};
}

}  // namespace telltale::proxy
