#include "proxy/health/probe_connection.h"

#include "protocol/proxy_protocol/serializer.h"
#include "proxy/net/socket_address.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/error.hpp>

#include <cerrno>
#include <sys/socket.h>

namespace telltale::proxy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// Errors that say something of this process or host, not of the target.
bool own_fault(const error_code& error) {
  if (error.category() != boost::system::system_category()) return false;
  switch (error.value()) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EACCES:
    case EPERM:
      return true;
    default:
      return false;
  }
}

const char* to_string(ProbeConnection::Phase phase) {
  switch (phase) {
    case ProbeConnection::Phase::connect:
      return "connecting";
    case ProbeConnection::Phase::send:
      return "sending";
    case ProbeConnection::Phase::receive:
      return "waiting for the answer";
  }
  return "";
}

}  // namespace

ProbeAwaitable<error_code> ProbeConnection::open(const conf::Address& address) {
  phase_ = Phase::connect;
  close();
  if (expired_) co_return asio::error::operation_aborted;
  const SocketAddress target(address);
  const asio::generic::stream_protocol::endpoint endpoint(target.data(), target.size());
  error_code error;
  socket_.open(endpoint.protocol(), error);
  if (error) co_return error;
  const auto [connected] =
      co_await socket_.async_connect(endpoint, asio::as_tuple(asio::use_awaitable_t<ProbeExecutor>()));
  co_return expired_ ? asio::error::operation_aborted : connected;
}

bool ProbeConnection::reusable() {
  if (!socket_.is_open()) return false;
  char octet;
  const auto got = ::recv(socket_.native_handle(), &octet, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
  close();
  return false;
}

void ProbeConnection::close() {
  error_code ignored;
  socket_.close(ignored);
}

ProbeResult ProbeConnection::failure(const error_code& error) const {
  ProbeResult result;
  result.outcome = own_fault(error) ? ProbeOutcome::not_made : ProbeOutcome::unhealthy;
  if (expired_) {
    result.outcome = ProbeOutcome::unhealthy;
    result.reason = std::string("timed out ") + to_string(phase_);
  } else if (error == boost::beast::http::error::end_of_stream || error == asio::error::eof) {
    result.reason = "closed without an answer";
  } else if (error == boost::beast::http::error::partial_message) {
    result.reason = "closed before the end of its answer";
  } else if (error.category() == boost::system::system_category()) {
    result.reason = std::string(to_string(phase_)) + ": " + error.message();
  } else {
    result.reason = "not an HTTP answer: " + error.message();
  }
  return result;
}

std::string proxy_preamble(conf::ProxyOnProbe send_proxy) {
  std::string octets;
  if (send_proxy == conf::ProxyOnProbe::off) return octets;
  proxy_protocol::Header header;
  header.version = send_proxy == conf::ProxyOnProbe::v1 ? proxy_protocol::Version::v1 : proxy_protocol::Version::v2;
  header.command = proxy_protocol::Command::local;
  proxy_protocol::serialize(header, octets);
  return octets;
}

}  // namespace telltale::proxy
