#pragma once

#include "protocol/forwarding/client_address.h"
#include "protocol/forwarding/obfuscation.h"
#include "protocol/forwarding/request_facts.h"
#include "protocol/http1/head.h"
#include "proxy/exchange/failure.h"
#include "proxy/exchange/snapshot.h"
#include "proxy/observe/metrics.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace telltale::proxy {

/// What the decisions about one request, or about a connection that was closed before one, depended on: enough to
/// explain them again (proxy/explain/). Of the head only the identity fields, Via and Connection, no query; 1 KiB in
/// all, and as much of TLVs. Reused: in the steady state nothing is allocated.
class RecordedRequest {
 public:
  enum class Kind : std::uint8_t {
    request,       ///< its head was whole and right
    refused_head,  ///< answered because of its head
    closed,        ///< in the PROXY phase
  };

  Kind kind = Kind::request;
  std::chrono::system_clock::time_point time;
  std::uint64_t id_high = 0, id_low = 0;
  std::shared_ptr<const Snapshot> snapshot;
  std::size_t listener_index = 0;
  forwarding::PeerInfo peer;
  std::shared_ptr<const forwarding::TlsFacts> tls;           ///< null: the client spoke none
  std::optional<net::IpPort> asserted;                       ///< the client, when a signed assertion was believed
  std::vector<forwarding::RejectReason> assertion_refusals;  ///< why one was not, in a header and then in a TLV
  std::uint64_t connection_number = 0;
  const forwarding::ObfuscationKey* obfuscation_key = nullptr;  ///< the worker's
  std::string endpoint;                                         ///< address of the one that was asked last
  unsigned status = 0;                                          ///< 0: none was sent
  Failure failure;
  ProxyFailure cause = ProxyFailure::none;  ///< closed
  bool is_cut = false;                      ///< not everything had room

  /// Begins the record: with who sent it.
  void take_peer(const forwarding::PeerInfo& from);
  /// Takes what became of the signed assertions, if any came.
  void take_assertion(const forwarding::ClientAddress& client);
  /// Takes what is needed of a head; of a signed assertion only that it came, for whoever sees it can use it. `trust`
  /// says which fields are identity fields.
  void take_head(const http1::RequestHead& head, const forwarding::HeaderTrust& trust);
  /// What was taken. `out` is cleared first.
  void give_head(http1::RequestHead& out) const;

  /// Stands for the value of a field that is not kept.
  static constexpr std::string_view not_kept = "(not kept)";

 private:
  static constexpr std::size_t max_tlv_octets = 1024;
  static constexpr std::size_t text_capacity = 1024;
  static constexpr std::size_t max_pieces = 3 + 2 * 16;  // method, authority, path; names and values

  void add(std::string_view piece);
  bool has_room(std::size_t octets, std::size_t pieces) const {
    return text_size_ + octets <= text_capacity && pieces_ + pieces <= max_pieces;
  }

  std::array<std::uint16_t, max_pieces> sizes_{};
  std::array<char, text_capacity> text_;
  std::uint16_t text_size_ = 0;
  std::uint8_t pieces_ = 0;
  std::uint8_t minor_version_ = 1;
};

/// The last requests of one worker, in a ring. Worker's thread only.
class RequestRecorder {
 public:
  explicit RequestRecorder(std::size_t capacity) : ring_(capacity) {}

  /// The oldest record, to be written over.
  RecordedRequest& next() {
    RecordedRequest& slot = ring_[written_ % ring_.size()];
    ++written_;
    return slot;
  }
  /// At most `n`, the newest first.
  std::vector<RecordedRequest> last(std::size_t n) const;
  /// The one with this id; none, or one.
  std::vector<RecordedRequest> find(std::uint64_t id_high, std::uint64_t id_low) const;

 private:
  std::vector<RecordedRequest> ring_;
  std::uint64_t written_ = 0;
};

}  // namespace telltale::proxy
