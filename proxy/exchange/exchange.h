#pragma once

#include "protocol/forwarding/propagate.h"
#include "proxy/exchange/downstream_side.h"
#include "proxy/exchange/failure.h"
#include "proxy/exchange/local_reply.h"
#include "proxy/exchange/retry.h"
#include "proxy/exchange/worker_context.h"
#include "proxy/net/event_loop.h"
#include "proxy/upstream/http1_upstream.h"

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace telltale::proxy {

/// What the client's connection is good for after an exchange; whether it was told to go on is its side's to know. cut:
/// the response could not be finished.
enum class After : std::uint8_t { keep_alive, close, cut };

/// One request and its response (proxy/README.md tells the way). Knows no HTTP version of the client's side. Reused
/// from one request to the next, so that its buffers keep their capacity. Worker's thread only.
class Exchange {
 public:
  explicit Exchange(WorkerContext& worker) : worker_(worker) {}

  /// Serves the request whose head `client` has.
  Awaitable<After> run(DownstreamSide& client, const ConnectionContext& connection);

  /// For a head that could not be parsed or did not come in time: answers with its status, logs; then close.
  Awaitable<> refuse(DownstreamSide& client, const ConnectionContext& connection, Failure failure);

 private:
  static constexpr unsigned max_interim_heads = 32;  ///< more is a flood: 502
  static constexpr auto never = EventLoop::Clock::time_point::max();
  /// Of a scratch buffer each, at most: then whoever else is ready has a turn (nginx's sendfile_max_chunk is for the
  /// same: one fast connection must not seize its worker).
  static constexpr unsigned pieces_per_turn = 16;

  // Decide: plain functions (exchange.cc).
  void begin(DownstreamSide& client, const ConnectionContext& connection);
  bool decide();
  bool find_service();
  void check_assertion();
  void sign_client();
  forwarding::RequestFacts facts() const;
  bool keep_alive() const;
  bool gives_up_request() const;  ///< an error came before the request's end: its rest is not waited for

  // A connection for a try (open_upstream.cc).
  /// wait: for a turn; failed: at once, as a try does; none: there is nobody to try.
  enum class Opened : std::uint8_t { open, wait, failed, none };
  Opened open_upstream();
  bool pick_endpoint();
  void leave_endpoint();
  void begin_try();
  Connecting connect_to_endpoint() const;
  bool make_identity(std::string& proxy_header, std::string& identity) const;
  Awaitable<bool> wait_for_turn();
  void check_turn(boost::system::error_code error, EventLoop::Clock::time_point until);
  void release_permits();
  TrafficKind traffic() const;

  // How a try ended, and whether there is another (try_end.cc).
  void fail(Side side, Phase phase, boost::system::error_code error, Reason reason = Reason::none);
  void request_failed(Phase phase, boost::system::error_code error);
  void upstream_failed(Phase phase, boost::system::error_code error);
  void client_failed(Phase phase, boost::system::error_code error);
  bool may_retry();
  bool grant_retry(TryEnd end);
  bool is_replayable() const;
  TryFacts try_facts() const;
  bool has_head() const { return head_at_ != EventLoop::Clock::time_point(); }  ///< a final one, in this try
  bool drops_response();
  bool drain_response();
  void settle_upstream();
  void report_try(const conf::Ejection& ejection);
  void judge_backend();
  bool is_verified_as_now() const;

  // Act: sequences (relay.cc).
  Awaitable<> talk();
  Awaitable<bool> establish();
  Awaitable<bool> secure();
  Awaitable<> send_reply();
  Awaitable<> pump_request();
  Awaitable<> stop_pump();

  void stage_request();
  void upload_now();
  bool awaits_continue() const;
  bool is_clients_turn() const;
  void time_response();
  void time_upload();
  // How long things may take, at most what is left of timeouts.total (timing.cc).
  std::chrono::milliseconds within_total(std::chrono::milliseconds wait) const {
    return deadline_ == never ? wait : rest_of_total(wait);
  }
  std::chrono::milliseconds rest_of_total(std::chrono::milliseconds wait) const;
  bool is_total_over() const { return worker_.loop.now() >= deadline_; }
  std::chrono::milliseconds input_timeout() const;   ///< without an octet from the client, when one is due
  std::chrono::milliseconds output_timeout() const;  ///< until the client takes more
  std::chrono::milliseconds upload_timeout() const;  ///< until upstream takes more
  std::chrono::milliseconds answer_timeout() const;  ///< until upstream sends a head, or more
  Progress forward_request_piece();
  bool too_large() const;
  void count_refusal();
  const http::HeaderBlock& request_trailers();                     ///< those that may go on
  enum class Wait : std::uint8_t { none, backend, client, turn };  ///< turn: others are ready too
  void expect_response();
  Wait forward_response();
  Progress forward_head();
  Progress forward_body();
  bool flush_client();
  void stage_response();
  Phase response_phase() const;
  void note_end(Side side);
  Side ended_by() const;
  void finish();
  void write_record();
  void record_for_explain();

  WorkerContext& worker_;
  DownstreamSide* client_ = nullptr;
  const ConnectionContext* connection_ = nullptr;
  const conf::Route* route_ = nullptr;
  LocalService* service_ = nullptr;
  ServiceMetrics* metrics_ = nullptr;
  const conf::ServiceTimeouts* timeouts_ = nullptr;        ///< the route's, else the service's
  const conf::Retries* retries_ = nullptr;                 ///< likewise
  LocalEndpoint* endpoint_ = nullptr;                      ///< the one that is asked, or was last
  std::array<std::uint32_t, max_retry_attempts> tried_{};  ///< Endpoint::index of those that failed
  unsigned retry_count_ = 0;                               ///< beyond stale connections; entries of tried_
  unsigned tries_ = 0;
  Permit request_permit_;
  RetryPermit retry_permit_;
  Turn turn_;

  forwarding::ClientAddress resolved_;
  std::string assertion_;  ///< that this request's client is signed with; empty: it is not
  http1::ResponseHead response_;
  http::HeaderBlock trailers_;
  Http1Upstream upstream_;
  std::optional<LocalReply> reply_;
  Failure failure_;
  unsigned status_ = 0;  ///< sent to the client; 0: none yet
  unsigned interim_heads_ = 0;
  bool head_refused_ = false;

  bool connecting_ = false;
  bool continued_ = false;          ///< the client was told 100
  bool body_touched_ = false;       ///< something of the request's body was taken from the client
  bool request_sent_ = false;       ///< every octet of it went upstream
  bool response_read_ = false;      ///< the backend's last octet of it is here
  bool response_complete_ = false;  ///< the client has it
  bool client_delayed_ = false;     ///< TryFacts::client_delayed
  bool client_full_ = false;        ///< the client has not taken what was written: nothing more is read for it
  bool tunnel_ = false;
  Side tunnel_end_ = Side::none;  ///< whose end was the first
  bool retry_stale_ = false;      ///< the pooled connection had ended: it is no try
  bool retry_granted_ = false;    ///< and the response is dropped
  bool pump_running_ = false;
  bool pump_stopping_ = false;
  bool upload_broken_ = false;  ///< upstream takes no more of the request; its response may still come
  Readiness pump_done_;

  WorkerContext::RequestId id_{};
  EventLoop::Clock::time_point began_{}, try_began_{}, sent_at_{}, head_at_{};
  EventLoop::Clock::time_point deadline_ = never;  ///< timeouts.total
  std::chrono::nanoseconds connect_duration_{};
};

}  // namespace telltale::proxy
