#include "protocol/forwarding/propagate.h"

#include "protocol/forwarding/client_cert_field.h"
#include "protocol/forwarding/forwarded.h"
#include "protocol/forwarding/identity_headers.h"
#include "protocol/forwarding/list.h"
#include "protocol/forwarding/own_element.h"
#include "protocol/forwarding/passed_tlvs.h"
#include "protocol/forwarding/ssl_tlv.h"
#include "protocol/forwarding/x_forwarded_for.h"
#include "protocol/http/header_block.h"

#include <array>
#include <optional>

namespace telltale::forwarding {
namespace {

using http::FieldId;
using http::HeaderBlock;

constexpr std::string_view pseudonym = "telltale";

// A field line that is begun with its first element and dropped again if there is none.
class FieldLine {
 public:
  FieldLine(std::string& out, std::string_view name) : out_(out), begin_(out.size()) {
    out_ += name;
    out_ += ": ";
    value_ = out_.size();
  }
  FieldLine(const FieldLine&) = delete;
  FieldLine& operator=(const FieldLine&) = delete;
  ~FieldLine() {
    if (out_.size() == value_) {
      out_.resize(begin_);
    } else {
      out_ += "\r\n";
    }
  }

  void separate() {
    if (out_.size() != value_) out_ += ", ";
  }
  void add(std::string_view element) {
    if (element.empty()) return;
    separate();
    out_ += element;
  }
  void add(const std::optional<net::IpAddress>& address) {
    separate();
    if (address) {
      address->append_to(out_);
    } else {
      out_ += "unknown";
    }
  }

 private:
  std::string& out_;
  std::size_t begin_;
  std::size_t value_;
};

std::optional<net::IpAddress> hop_address(const PeerInfo& peer) {
  if (!peer.hop()) return std::nullopt;
  return peer.hop()->address;
}

/// Whether the signed client is to be told before the hop that speaks to us: not where the PROXY header beside the
/// assertion names the same one.
bool tells_asserted(const RequestFacts& facts) {
  if (facts.client.provenance != Provenance::assertion) return false;
  return !facts.peer.proxy_source || facts.peer.proxy_source->address != facts.client.address;
}

// `pass`, and Via: every line as it came, joined (RFC 9110 5.3).
void add_lines(FieldLine& line, const HeaderBlock& fields, FieldId id) {
  if (!fields.has(id)) return;
  for (const HeaderBlock::Field field : fields) {
    if (field.id == id) line.add(trim_ows(field.value));
  }
}

void add_believed_entries(FieldLine& line, const HeaderBlock& fields, const HeaderTrust& trust) {
  for (const HeaderBlock::Field field : fields) {
    if (!is_believed_header(field.id, field.name, trust)) continue;
    std::string_view rest = field.value;
    while (true) {
      const std::size_t comma = rest.find(',');
      line.add(trim_ows(rest.substr(0, comma)));
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
}

// The well-formed end of the believed list. A malformed element and all that is left of it goes: a backend that reads
// from the left would let an open quote there swallow what trusted hops and we have written.
void add_believed_elements(FieldLine& line, const HeaderBlock& fields, const HeaderTrust& trust) {
  std::array<std::string_view, max_list_entries> kept;
  std::size_t count = 0;
  ElementsFromRight elements(fields, trust, ListSyntax::quoted);
  ForwardedElement parsed;
  while (count < kept.size() && elements.next(kept[count]) && parse_forwarded_element(kept[count], parsed)) ++count;
  while (count > 0) line.add(kept[--count]);
}

bool believes(const HeaderTrust& trust, const ClientAddress& client, HeaderTrust::Kind kind, FieldId field) {
  return client.header_believed && trust.kind == kind && trust.field == field;
}

void append_x_forwarded_for(std::string& out, const HeaderBlock& fields, const HeaderTrust& trust, ListMode mode,
                            const RequestFacts& facts) {
  FieldLine line(out, "X-Forwarded-For");
  switch (mode) {
    case ListMode::append:
      if (facts.client.provenance == Provenance::assertion) {
        // Signed: it stands for whatever list came with it.
        if (tells_asserted(facts)) line.add(facts.client.address);
      } else if (fields.has(FieldId::x_forwarded_for) &&
                 believes(trust, facts.client, HeaderTrust::Kind::x_forwarded_for, FieldId::x_forwarded_for)) {
        add_believed_entries(line, fields, trust);
      }
      line.add(hop_address(facts.peer));
      break;
    case ListMode::replace:
      line.add(facts.client.address);
      break;
    case ListMode::pass:
      add_lines(line, fields, FieldId::x_forwarded_for);
      break;
    case ListMode::remove:
    case ListMode::off:
      break;
  }
}

void add_own_element(FieldLine& line, std::string& out, const ForwardedOptions& options,
                     const std::optional<net::IpPort>& for_node, const RequestFacts& facts) {
  const std::size_t before = out.size();
  line.separate();
  if (!append_own_element(out, options, for_node, facts)) out.resize(before);
}

// Signed: it stands for whatever list came with it. No more is known of the hop that signed.
void append_asserted_element(FieldLine& line, std::string& out, const ForwardedOptions& options,
                             const RequestFacts& facts) {
  if (!options.write_for || !facts.client.address) return;
  line.separate();
  append_for(out, options, net::IpPort{*facts.client.address, facts.client.port}, facts);
}

void append_forwarded(std::string& out, const HeaderBlock& fields, const HeaderTrust& trust,
                      const ForwardedOptions& options, const RequestFacts& facts) {
  if (options.mode == ListMode::off || options.mode == ListMode::remove) return;
  FieldLine line(out, "Forwarded");
  switch (options.mode) {
    case ListMode::append:
      if (facts.client.provenance == Provenance::assertion) {
        if (tells_asserted(facts)) append_asserted_element(line, out, options, facts);
      } else if (fields.has(FieldId::forwarded) &&
                 believes(trust, facts.client, HeaderTrust::Kind::forwarded, FieldId::forwarded)) {
        add_believed_elements(line, fields, trust);
      }
      add_own_element(line, out, options, facts.peer.hop(), facts);
      break;
    case ListMode::replace: {
      std::optional<net::IpPort> client;
      if (facts.client.address) client = net::IpPort{*facts.client.address, facts.client.port};
      add_own_element(line, out, options, client, facts);
      break;
    }
    case ListMode::pass:
      add_lines(line, fields, FieldId::forwarded);
      break;
    case ListMode::remove:
    case ListMode::off:
      break;
  }
}

// What a trusted hop said in one of the siblings of the configured header. Of several lines the last one: the hop
// nearest to us writes last, a client first.
std::string_view from_trusted_hop(const HeaderBlock& fields, FieldId id, const ClientAddress& client) {
  std::string_view value;
  if (!client.header_believed || !fields.has(id)) return value;
  for (const HeaderBlock::Field field : fields) {
    if (field.id == id && is_real_name(field.name)) value = field.value;
  }
  return trim_ows(value);
}

// The lower-case scheme, or empty for anything that is none of a web request's.
std::string_view known_scheme(std::string_view text) {
  for (const std::string_view scheme : {"http", "https", "ws", "wss"}) {
    if (http::folded_equal(text, scheme)) return scheme;
  }
  return {};
}

// One host with an optional port, by its octets: nothing that ends a list element, a parameter, a string or an
// authority, no control, no space, no octet above ASCII.
bool is_plausible_host(std::string_view text) {
  for (const char c : text) {
    if (c <= 0x20 || c >= 0x7f) return false;
    if (std::string_view(",;\"'\\<>/?#@").find(c) != std::string_view::npos) return false;
  }
  return !text.empty() && text.size() <= 255 + 6;
}

bool is_port(std::string_view text) { return parse_port(text).value_or(0) != 0; }

void append_proto_host_port(std::string& out, const HeaderBlock& fields, const Propagate& propagate,
                            const RequestFacts& facts) {
  std::string_view proto = known_scheme(from_trusted_hop(fields, FieldId::x_forwarded_proto, facts.client));
  if (proto.empty() && propagate.x_forwarded_proto) proto = facts.scheme;
  if (!proto.empty()) FieldLine(out, "X-Forwarded-Proto").add(proto);

  std::string_view host = from_trusted_hop(fields, FieldId::x_forwarded_host, facts.client);
  if (!is_plausible_host(host)) host = propagate.x_forwarded_host ? facts.host : std::string_view{};
  if (is_plausible_host(host)) FieldLine(out, "X-Forwarded-Host").add(host);

  const std::string_view port = from_trusted_hop(fields, FieldId::x_forwarded_port, facts.client);
  if (is_port(port)) {
    FieldLine(out, "X-Forwarded-Port").add(port);
  } else if (propagate.x_forwarded_port && facts.peer.destination() && facts.peer.destination()->port != 0) {
    // Five digits: no allocation.
    FieldLine(out, "X-Forwarded-Port").add(std::to_string(facts.peer.destination()->port));
  }
}

void append_client_cert(std::string& out, const HeaderBlock& fields, ListMode mode, const RequestFacts& facts) {
  if (mode == ListMode::off) return;
  FieldLine line(out, "X-Forwarded-Client-Cert");
  if (mode == ListMode::append && facts.client.header_believed && fields.has(FieldId::x_forwarded_client_cert)) {
    for (const HeaderBlock::Field field : fields) {
      if (field.id != FieldId::x_forwarded_client_cert || !is_real_name(field.name)) continue;
      if (is_whole_client_cert_list(field.value)) line.add(trim_ows(field.value));
    }
  }
  if (facts.tls == nullptr || facts.tls->client_cert == nullptr) return;
  line.separate();
  append_client_cert_element(out, *facts.tls->client_cert);
}

// RFC 9110 7.6.3: the version received, and who received it.
void append_via(std::string& out, const HeaderBlock& fields, unsigned http_minor) {
  FieldLine line(out, "Via");
  add_lines(line, fields, FieldId::via);
  line.separate();
  out += http_minor == 0 ? "1.0 " : "1.1 ";
  out += pseudonym;
}

bool is_templated(std::string_view name, const Propagate& propagate) {
  for (const HeaderTemplate& header : propagate.headers) {
    if (http::folded_equal(name, header.name)) return true;
  }
  return false;
}

void append_custom_tlvs(std::string& tlvs, const Propagate& propagate, const RequestFacts& facts) {
  std::string value;
  for (const TlvTemplate& each : propagate.custom_tlvs) {
    value.clear();
    each.value.append_to(value, facts);
    if (!value.empty() && value.size() <= max_custom_tlv_size) proxy_protocol::append_tlv(tlvs, each.type, value);
  }
}

/// What we saw of TLS ourselves goes before what the hop in front was told of its own.
void append_ssl(std::string& tlvs, const RequestFacts& facts) {
  if (facts.tls != nullptr && facts.tls->terminated) return append_ssl_tlv(tlvs, *facts.tls);
  pass_tlv(tlvs, proxy_protocol::TlvType::ssl, facts.peer.tlvs);
}

/// What the client agreed on; a request is HTTP whether that was said or not.
void append_alpn(std::string& tlvs, const RequestFacts& facts) {
  std::string_view alpn = facts.tls != nullptr ? facts.tls->alpn : std::string_view();
  if (alpn.empty() && facts.http_minor != RequestFacts::no_http) alpn = "http/1.1";
  if (!alpn.empty()) proxy_protocol::append_tlv(tlvs, proxy_protocol::TlvType::alpn, alpn);
}

/// The request's, and of a connection without requests what its client asked for by SNI.
void append_authority(std::string& tlvs, const RequestFacts& facts) {
  std::string_view authority = facts.host_name();
  if (authority.empty() && facts.tls != nullptr) authority = facts.tls->sni;
  if (!authority.empty()) proxy_protocol::append_tlv(tlvs, proxy_protocol::TlvType::authority, authority);
}

}  // namespace

bool keeps_field(FieldId id, std::string_view name, const HeaderTrust& trust, const ClientAddress& client,
                 const Propagate& propagate) {
  if (id == FieldId::via) return !propagate.via;
  if (!propagate.headers.empty() && is_templated(name, propagate)) return false;
  if (!is_identity_name(id, name, trust)) return true;
  if (!client.header_believed || !is_believed_header(id, name, trust)) return false;
  switch (id) {
    case FieldId::forwarded:
      return propagate.forwarded.mode == ListMode::off;
    case FieldId::x_forwarded_for:
      return propagate.x_forwarded_for == ListMode::off;
    case FieldId::x_forwarded_proto:
    case FieldId::x_forwarded_host:
    case FieldId::x_forwarded_port:
      return false;  // append_identity_fields() writes what is good of them
    case FieldId::x_real_ip:
      if (propagate.x_real_ip) return false;
      break;
    case FieldId::x_forwarded_client_cert:
      if (propagate.x_forwarded_client_cert != ListMode::off) return false;
      break;
    default:
      break;
  }
  // A single address that the resolver refused (garbage, or on several lines) is not worth a backend's belief either.
  return trust.kind != HeaderTrust::Kind::single_address || client.provenance == Provenance::header;
}

bool keeps_trailer(FieldId id, std::string_view name, const HeaderTrust& trust, const Propagate& propagate) {
  return !is_identity_name(id, name, trust) && !is_templated(name, propagate);
}

void append_identity_fields(std::string& out, const HeaderBlock& fields, const HeaderTrust& trust,
                            const Propagate& propagate, const RequestFacts& facts) {
  append_x_forwarded_for(out, fields, trust, propagate.x_forwarded_for, facts);
  append_forwarded(out, fields, trust, propagate.forwarded, facts);
  append_proto_host_port(out, fields, propagate, facts);
  if (propagate.x_real_ip && facts.client.address) FieldLine(out, "X-Real-IP").add(facts.client.address);
  append_client_cert(out, fields, propagate.x_forwarded_client_cert, facts);
  if (propagate.assertion && propagate.assertion->header) FieldLine(out, "X-Telltale-Client").add(facts.assertion);
  if (propagate.via) append_via(out, fields, facts.http_minor);
  for (const HeaderTemplate& header : propagate.headers) {
    const FieldLine line(out, header.name);
    header.value.append_field_value(out, facts);  // nothing: the line is dropped
  }
}

proxy_protocol::Header make_proxy_header(const Propagate& propagate, const RequestFacts& facts) {
  proxy_protocol::Header header;
  header.version = propagate.proxy_version;
  const auto& destination = facts.peer.destination();
  if (!facts.client.address || !destination)
    return header;  // LOCAL: there is no null address to invent (CVE-2024-23327)

  header.command = proxy_protocol::Command::proxy;
  header.transport = proxy_protocol::Transport::stream;
  header.source = net::IpPort{*facts.client.address, facts.client.port};
  header.destination = destination;
  const bool is_v4 = header.source->address.is_v4() && destination->address.is_v4();
  header.family = is_v4 ? proxy_protocol::Family::inet : proxy_protocol::Family::inet6;
  if (header.version != proxy_protocol::Version::v2) return header;
  for (const proxy_protocol::TlvType type : propagate.tlvs) {
    if (type == proxy_protocol::TlvType::alpn) {
      append_alpn(header.tlvs, facts);
    } else if (type == proxy_protocol::TlvType::authority) {
      append_authority(header.tlvs, facts);
    } else if (type == proxy_protocol::TlvType::ssl) {
      append_ssl(header.tlvs, facts);
    } else if (type == proxy_protocol::TlvType::netns) {
      pass_tlv(header.tlvs, type, facts.peer.tlvs);
    }
  }
  append_custom_tlvs(header.tlvs, propagate, facts);
  pass_tlvs(header.tlvs, propagate.pass_tlvs, facts.peer.tlvs);
  return header;
}

}  // namespace telltale::forwarding
