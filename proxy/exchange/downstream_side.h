#pragma once

#include "protocol/forwarding/client_address.h"
#include "protocol/forwarding/request_facts.h"
#include "protocol/http1/head.h"
#include "proxy/exchange/snapshot.h"
#include "proxy/message/body.h"
#include "proxy/net/descriptor.h"
#include "proxy/observe/metrics.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

namespace telltale::proxy {

/// What an exchange needs to know of the connection its request came on.
struct ConnectionContext {
  std::shared_ptr<const Snapshot> snapshot;
  std::size_t listener_index = 0;
  const conf::Listener* listener = nullptr;
  ListenerMetrics* metrics = nullptr;
  std::atomic<std::size_t>* listener_connections = nullptr;  ///< of this listener, in all workers
  forwarding::PeerInfo peer;
  std::shared_ptr<const forwarding::TlsFacts> tls;  ///< null: the client speaks no TLS
  std::uint64_t number = 0;  ///< no other connection of this process has it, with overwhelming probability
};

/// A response on its way out, whoever made it.
struct OutgoingResponse {
  unsigned status = 200;
  std::string_view reason;                    ///< empty: the usual phrase
  const http::HeaderBlock* fields = nullptr;  ///< of the upstream response: hop-by-hop ones are left out here
  std::string_view extra_fields;              ///< ready lines `Name: value\r\n`
  std::string_view hsts;                      ///< likewise, in place of the upstream's; empty: that stands
  http1::BodyFraming body;
  bool keep_alive = true;
  bool close_follows = false;  ///< if not kept alive: without a wait, behind the last octet
};

/// The client's side of one exchange: an HTTP/1 session now, an HTTP/2 stream later. An exchange knows no more of it.
class DownstreamSide : public MessageSide {
 public:
  virtual const http1::RequestHead& request() const = 0;
  virtual std::string_view protocol() const = 0;  ///< for the access log: HTTP/1.1
  virtual bool request_complete() const = 0;      ///< every octet of the request was read
  virtual std::uint64_t body_octets_received() const = 0;
  virtual std::uint64_t body_octets_sent() const = 0;

  /// Stages a head; it leaves with the first body piece or flush(). False from then on: keep_alive() as decided.
  virtual void stage_response(const OutgoingResponse& response) = 0;
  /// Stages a 1xx head, if the client's protocol has them.
  virtual void stage_interim(const http1::ResponseHead& head) = 0;
  /// Chunks can be forwarded as they came.
  virtual bool takes_chunks() const = 0;
  /// The client's connection ended both ways: it can hear no answer.
  virtual bool broken() const = 0;
  /// When the client's connection breaks, waits on `upstream` end; nullptr unlinks.
  virtual void abort_with(Descriptor* upstream) = 0;
};

}  // namespace telltale::proxy
