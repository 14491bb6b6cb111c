#pragma once

#include "conf/model_service.h"
#include "proxy/health/answer_print.h"
#include "proxy/health/probe_history.h"
#include "proxy/net/stream.h"

#include <boost/system/error_code.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace telltale::proxy {

struct ProbeTarget;
struct ProbeTools;

/// What a probe keeps of its protocol between probes, beside the connection.
struct ProbeSession {
  virtual ~ProbeSession() = default;
};

/// The connection over which one target is probed, plain or TLS, kept between probes if the probe likes; and what the
/// last probe came to. Whoever sets the deadline calls expire(): that closes the connection, and the probe comes to its
/// end. It must stay where it is in memory. Control thread only.
class ProbeConnection {
 public:
  /// For the reason of a probe that came to nothing.
  enum class Phase : unsigned char { connect, handshake, send, receive };

  ProbeConnection();
  ~ProbeConnection();
  ProbeConnection(const ProbeConnection&) = delete;
  ProbeConnection& operator=(const ProbeConnection&) = delete;

  void begin() { expired_ = asked_ = false, phase_ = Phase::connect; }
  /// A fresh connection, with the PROXY header and the TLS handshake that the target asks for. False: it failed, and
  /// result() says how. Whether the probe can be made at all is settled before the target is asked.
  Awaitable<bool> open(const ProbeTarget& target, ProbeTools& tools);
  bool is_open() const { return stream_.is_open(); }
  /// Something came that has not been received, or the peer has closed.
  bool has_news() const;
  /// Whether the connection of an earlier probe is there and silent: closed by its peer, or with octets that nobody
  /// asked for, it is of no use, and is closed here.
  bool is_silent();
  void close();
  /// Closes, too.
  void expire();
  bool expired() const { return expired_; }

  /// All of it. operation_aborted once expired.
  Awaitable<boost::system::error_code> send(std::string_view octets);
  /// Asks what was asked before, if that may be done without more ado: over a kept plain connection that is silent,
  /// where the last answer is one that can be told by its print. False: it was not done.
  bool ask_again(std::string_view request);
  /// The request is out already.
  bool asked() const { return asked_; }
  /// Then: the wait for the answer. Completion: void(error_code): operation_aborted when closed.
  template <typename CompletionToken>
  void async_answer(CompletionToken&& token) {
    stream_.async_readable(std::forward<CompletionToken>(token));
  }
  /// Makes the octets received last the next ones to be received.
  void put_back(std::string_view octets) { stream_.unread(octets); }
  /// Some octets, valid until the next call or suspension. eof: the peer sends no more.
  Awaitable<ReadResult> receive();
  /// The same without a wait: would_block.
  ReadResult receive_now();

  /// Of the protocol; goes with the connection.
  template <class Session>
  Session* session() const {
    return static_cast<Session*>(session_.get());
  }
  void set_session(std::unique_ptr<ProbeSession> session) { session_ = std::move(session); }

  /// What the last probe came to.
  const ProbeResult& result() const { return result_; }
  void conclude(ProbeResult result, AnswerPrint print = {}) { result_ = std::move(result), print_ = print; }
  /// The probe ended with `error` in the present phase. Closes.
  void conclude_failure(const boost::system::error_code& error);
  /// Whether this is the answer that result() was concluded from.
  bool is_answered_as_before(std::string_view octets) const { return print_.is_of(octets); }

 private:
  Awaitable<boost::system::error_code> connect(const ProbeTarget& target, ProbeTools& tools);
  Awaitable<boost::system::error_code> shake_hands(SslHandle ssl);
  Awaitable<boost::system::error_code> wait(bool for_output);
  ProbeResult failure(const boost::system::error_code& error) const;

  Stream stream_;
  std::unique_ptr<ProbeSession> session_;
  bool expired_ = false;
  bool asked_ = false;
  bool dialed_ = false;  // this host let the connection go out: what fails from then on may come from elsewhere
  Phase phase_ = Phase::connect;
  AnswerPrint print_;
  ProbeResult result_;
};

/// Whether this says something of this process or host, not of the target. That something is forbidden does only when
/// connect() says so `at_once`, by a route or filter of our own; later it is what a router on the way, or the target's
/// host, answered (ICMPv6 "administratively prohibited" comes as EACCES).
bool is_own_fault(const boost::system::error_code& error, bool at_once);

/// What goes before the first octet of a probe: nothing, or a PROXY header that says that we speak for ourselves, v2
/// `LOCAL` or v1 `UNKNOWN` (health.md: never at a kube-proxy port).
std::string proxy_preamble(conf::ProxyOnProbe send_proxy);

}  // namespace telltale::proxy
