#pragma once

#include "proxy/health/probe_connection.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct nghttp2_session;

namespace telltale::proxy {

/// What came of a unary gRPC call, as gRPC over HTTP/2 carries it.
struct GrpcAnswer {
  unsigned http_status = 0;  ///< 0: no head came
  std::string content_type;
  std::optional<unsigned> grpc_status;
  std::string grpc_message;    ///< as it came, percent-encoded
  std::string octets;          ///< the body: a frame, if all is well
  bool too_long = false;       ///< the body went beyond the limit
  std::uint32_t h2_error = 0;  ///< what the stream was closed with (RFC 9113 7); 0: in good order
};

/// The client's side of one HTTP/2 connection (prior knowledge, RFC 9113 3.3) on which unary gRPC calls are made one
/// after the other. Octets in, octets out: whoever has the connection sends what output() gives and feeds what comes.
class GrpcClient final : public ProbeSession {
 public:
  /// Of an answer's body; of its head, HTTP/2 allows this many octets, too.
  static constexpr std::size_t max_answer_bytes = 16 * 1024;

  /// Begins with the connection preface.
  GrpcClient();
  ~GrpcClient() override;

  struct Call {
    std::string_view authority, path, request;  ///< request: in its frame
    std::chrono::milliseconds timeout;          ///< told to the server (grpc-timeout)
  };
  /// The call before must have ended. False: this connection takes no more calls (the peer is going away).
  bool call(const Call& call);
  /// Whether call() would.
  bool may_call() const;

  /// What is to be sent by now; empty: nothing. Valid until the next call of anything here.
  std::string_view output();
  /// False: that is not HTTP/2; the connection is of no use any more, once output() is sent.
  bool feed(std::string_view octets);

  /// The call has ended; by the peer, for good or bad.
  bool done() const { return done_; }
  /// Something of the answer came.
  bool any_answer() const { return answer_.http_status != 0; }
  const GrpcAnswer& answer() const { return answer_; }

 private:
  struct Callbacks;
  struct Freer {
    void operator()(nghttp2_session* session) const;
  };
  std::unique_ptr<nghttp2_session, Freer> session_;
  std::string output_;
  std::int32_t stream_ = 0;
  std::string request_;
  std::size_t request_sent_ = 0;
  bool done_ = true;
  GrpcAnswer answer_;
};

}  // namespace telltale::proxy
