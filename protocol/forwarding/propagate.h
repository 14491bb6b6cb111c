#pragma once

#include "protocol/forwarding/client_address.h"
#include "protocol/forwarding/request_facts.h"
#include "protocol/forwarding/template.h"
#include "protocol/proxy_protocol/header.h"
#include "protocol/proxy_protocol/serializer.h"
#include "protocol/proxy_protocol/tlv_names.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::forwarding {

/// append: the trusted incoming list + the hop that spoke to us. replace: the client alone. remove: none leaves.
/// pass: whatever came, joined to one line, untrusted or not. off (Forwarded only): we add none, and a believed one
/// goes on as it came.
enum class ListMode : std::uint8_t { off, append, replace, remove, pass };

/// How a node of our own Forwarded element is named (RFC 7239 6).
struct NodeName {
  enum class Form : std::uint8_t {
    address,         ///< with its port if ports are wanted; `unknown` when there is none
    unknown,         ///< not told
    per_connection,  ///< obfuscated: one id for one address on one connection of the client
    per_process,     ///< obfuscated: one id for one address as long as the process runs
    fixed,           ///< `identifier`
  };
  Form form = Form::address;
  std::string identifier;  ///< of `fixed`: with its `_`
};

/// A parameter of our own element besides the four of RFC 7239; left out when its value is empty or has control
/// characters.
struct ForwardedExtension {
  std::string name;  ///< a token, none of the four
  Template value;
};

struct ForwardedOptions {
  ListMode mode = ListMode::off;
  bool write_for = true, write_by = false, write_host = false,
       write_proto = true;  ///< `parameters: [for, by, host, proto]`
  bool ports = false;       ///< `ports: true`
  NodeName for_name, by_name;
  std::vector<ForwardedExtension> extensions;
};

/// A header field of the request that we write, whatever was received.
struct HeaderTemplate {
  std::string name;
  Template value;
};

/// A TLV of an application, 0xE0 to 0xEF (PROXY protocol 2.2).
struct TlvTemplate {
  proxy_protocol::TlvType type;
  Template value;
};
/// A custom TLV longer than this is left out: a cut value would be another one, and receivers bound the whole header
/// (nginx at 4096 octets).
inline constexpr std::size_t max_custom_tlv_size = 1024;

/// A signed statement of who the client is (protocol/assertion), which a backend can believe from anywhere.
struct AssertionOptions {
  std::string key_file;
  std::size_t keys = 0;  ///< which of the configuration's key files: the worker's keys are in that order
  bool header = true;    ///< as `X-Telltale-Client`
  std::uint8_t tlv = 0;  ///< and in the PROXY v2 header under this type, 0xE0 to 0xEF; 0: not there
};

/// How one service's backends are told who the client is (identity.md, "What is told to the backend").
struct Propagate {
  ListMode x_forwarded_for = ListMode::append;
  ForwardedOptions forwarded;
  bool x_forwarded_proto = false, x_forwarded_host = false, x_forwarded_port = false;
  bool x_real_ip = false;
  /// off: none leaves. replace: one element for the certificate that the client proved to us. append: behind those that
  /// a trusted hop sent.
  ListMode x_forwarded_client_cert = ListMode::off;
  bool via = true;  ///< `Via: 1.1 telltale`, RFC 9110 7.6.3
  bool proxy_protocol = false;
  proxy_protocol::Version proxy_version = proxy_protocol::Version::v2;
  /// `source_address: transparent`: connections to the backends come from the client's own address.
  bool transparent_source = false;
  std::optional<AssertionOptions> assertion;
  std::vector<proxy_protocol::TlvType> tlvs;           ///< of alpn, authority, unique_id, crc32c, ssl, netns; v2 only
  std::vector<proxy_protocol::TlvSelector> pass_tlvs;  ///< received ones that go on; whole TLVs; v2 only
  std::uint16_t tlv_padding = 0;         ///< the header's length is made a multiple of this with a NOOP; 0: as it is
  std::vector<TlvTemplate> custom_tlvs;  ///< v2 only; without variables of the request
  std::vector<HeaderTemplate> headers;   ///< written in this order, in place of all that was received by that name
};

/// Whether a received field goes on to the backend. False for every identity field that must not: all of them from an
/// untrusted hop; from a trusted hop, all but the configured one (and proto/host/port beside it). Fields that
/// append_identity_fields() will write itself are not kept either: exactly one line leaves. A name in
/// propagate.headers (`_` and `-` the same, in any case) is never kept, so that no client can forge it.
bool keeps_field(http::FieldId id, std::string_view name, const HeaderTrust& trust, const ClientAddress& client,
                 const Propagate& propagate);

/// Whether a trailer field goes on to the backend: none that claims an identity, or a name of propagate.headers.
bool keeps_trailer(http::FieldId id, std::string_view name, const HeaderTrust& trust, const Propagate& propagate);

/// Appends the identity fields, each as `Name: value\r\n`, to a request head under construction. `fields` are those
/// received. Allocates only when `out` must grow.
void append_identity_fields(std::string& out, const http::HeaderBlock& fields, const HeaderTrust& trust,
                            const Propagate& propagate, const RequestFacts& facts);

/// The PROXY header that an upstream connection for this request must open with, but for its unique_id, assertion,
/// padding and crc32c: from the client (resolved) to the destination the client aimed at, with its custom TLVs. Its
/// serialised form is the identity in the connection pool's key. A client without an address gives LOCAL / UNKNOWN.
proxy_protocol::Header make_proxy_header(const Propagate& propagate, const RequestFacts& facts);

}  // namespace telltale::forwarding
