#pragma once

#include "protocol/forwarding/client_address.h"
#include "protocol/proxy_protocol/header.h"
#include "protocol/proxy_protocol/serializer.h"
#include "protocol/proxy_protocol/tlv_names.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::forwarding {

/// append: the trusted incoming list + the hop that spoke to us. replace: the client alone. remove: none leaves.
/// pass: whatever came, joined to one line, untrusted or not. off (Forwarded only): we add none, and a believed one
/// goes on as it came.
enum class ListMode : std::uint8_t { off, append, replace, remove, pass };

struct ForwardedOptions {
  ListMode mode = ListMode::off;
  bool write_for = true, write_by = false, write_host = false,
       write_proto = true;  ///< `parameters: [for, by, host, proto]`
  bool ports = false;       ///< `ports: true`
};

/// How one service's backends are told who the client is (identity.md, "What is told to the backend").
struct Propagate {
  ListMode x_forwarded_for = ListMode::append;
  ForwardedOptions forwarded;
  bool x_forwarded_proto = false, x_forwarded_host = false, x_forwarded_port = false;
  bool x_real_ip = false;
  bool via = true;  ///< `Via: 1.1 telltale`, RFC 9110 7.6.3
  bool proxy_protocol = false;
  proxy_protocol::Version proxy_version = proxy_protocol::Version::v2;
  std::vector<proxy_protocol::TlvType> tlvs;  ///< of alpn, authority, unique_id, crc32c, ssl, netns; v2 only
  std::vector<proxy_protocol::TlvSelector> pass_tlvs;  ///< received ones that go on; whole TLVs; v2 only
  std::uint16_t tlv_padding = 0;  ///< the header's length is made a multiple of this with a NOOP; 0: as it is
};

/// What the builders need of one request besides its fields.
struct RequestFacts {
  const PeerInfo& peer;
  const ClientAddress& client;
  std::string_view scheme;  ///< "http" or "https": what the client spoke to us
  std::string_view host;    ///< the authority the request was for
  unsigned http_minor = 1;  ///< for Via
};

/// Whether a received field goes on to the backend. False for every identity field that must not: all of them from an
/// untrusted hop; from a trusted hop, all but the configured one (and proto/host/port beside it). Fields that
/// append_identity_fields() will write itself are not kept either: exactly one line leaves.
bool keeps_field(http::FieldId id, std::string_view name, const HeaderTrust& trust, const ClientAddress& client,
                 const Propagate& propagate);

/// Appends the identity fields, each as `Name: value\r\n`, to a request head under construction. `fields` are those
/// received. Allocates only when `out` must grow.
void append_identity_fields(std::string& out, const http::HeaderBlock& fields, const HeaderTrust& trust,
                            const Propagate& propagate, const RequestFacts& facts);

/// The PROXY header that an upstream connection for this request must open with, but for its unique_id, padding and
/// crc32c: from the client (resolved) to the destination the client aimed at. Its serialised form is the identity in the
/// connection pool's key. A client without an address gives LOCAL / UNKNOWN.
proxy_protocol::Header make_proxy_header(const Propagate& propagate, const RequestFacts& facts);

}  // namespace telltale::forwarding
