#include "protocol/forwarding/template.h"

#include "protocol/forwarding/list.h"
#include "protocol/forwarding/template_pieces.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace telltale::forwarding {
namespace {

using enum TemplateVariable;

// In the order of TemplateVariable, from its second value on.
constexpr auto names = std::to_array<std::string_view>({
    "client.address",
    "client.port",
    "client.provenance",
    "peer.address",
    "peer.port",
    "destination.address",
    "destination.port",
    "listener.name",
    "tls.sni",
    "tls.version",
    "tls.cipher",
    "tls.alpn",
    "tls.client_cert.verified",
    "tls.client_cert.subject",
    "tls.client_cert.issuer",
    "tls.client_cert.serial",
    "tls.client_cert.sans",
    "tls.client_cert.fingerprint",
    "request.id",
    "request.method",
    "request.scheme",
    "request.host",
    "request.authority",
    "request.path",
});
static_assert(names.size() + 1 == static_cast<std::size_t>(tlv));
static_assert(names[static_cast<std::size_t>(request_path) - 1] == "request.path");

constexpr std::string_view tlv_prefix = "tlv.";

bool is_control(char c) {
  const auto octet = static_cast<unsigned char>(c);
  return (octet < 0x20 && c != '\t') || octet == 0x7f;
}

TemplateVariable find_variable(std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? none : static_cast<TemplateVariable>(found - names.begin() + 1);
}

void append_address(std::string& out, const std::optional<net::IpPort>& node) {
  if (node) node->address.append_to(out);
}

void append_port(std::string& out, unsigned port) {
  if (port == 0) return;
  char digits[5];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, port).ptr);
}
void append_port(std::string& out, const std::optional<net::IpPort>& node) {
  if (node) append_port(out, node->port);
}

void append_hex(std::string& out, std::uint64_t value) {
  char digits[16];
  for (std::size_t i = sizeof digits; i-- > 0; value >>= 4) digits[i] = "0123456789abcdef"[value & 0xf];
  out.append(digits, sizeof digits);
}

void append_request_id(std::string& out, const RequestFacts& facts) {
  if ((facts.id_high | facts.id_low) == 0) return;
  append_hex(out, facts.id_high);
  append_hex(out, facts.id_low);
}

void append_client_cert(std::string& out, TemplateVariable variable, const ClientCertificate& certificate) {
  switch (variable) {
    case tls_client_cert_subject:
      out += certificate.subject;
      return;
    case tls_client_cert_issuer:
      out += certificate.issuer;
      return;
    case tls_client_cert_serial:
      out += certificate.serial;
      return;
    case tls_client_cert_fingerprint:
      out += certificate.fingerprint;
      return;
    default:
      for (const std::string& san : certificate.sans) {
        if (&san != &certificate.sans.front()) out += ", ";
        out += san;
      }
      return;
  }
}

void append_tls(std::string& out, TemplateVariable variable, const TlsFacts& tls) {
  switch (variable) {
    case tls_sni:
      out += tls.sni;
      return;
    case tls_version:
      out += tls.version;
      return;
    case tls_cipher:
      out += tls.cipher;
      return;
    case tls_alpn:
      out += tls.alpn;
      return;
    case tls_client_cert_verified:
      out += tls.client_cert != nullptr ? "true" : "false";
      return;
    default:
      if (tls.client_cert != nullptr) append_client_cert(out, variable, *tls.client_cert);
      return;
  }
}

void append_variable(std::string& out, TemplateVariable variable, const proxy_protocol::TlvSelector& selector,
                     const RequestFacts& facts) {
  switch (variable) {
    case none:
      return;
    case client_address:
      if (facts.client.address) facts.client.address->append_to(out);
      return;
    case client_port:
      return append_port(out, facts.client.port);
    case client_provenance:
      out += to_string(facts.client.provenance);
      return;
    case peer_address:
      return append_address(out, facts.peer.socket_peer);
    case peer_port:
      return append_port(out, facts.peer.socket_peer);
    case destination_address:
      return append_address(out, facts.peer.destination());
    case destination_port:
      return append_port(out, facts.peer.destination());
    case listener_name:
      out += facts.listener;
      return;
    case tls_sni:
    case tls_version:
    case tls_cipher:
    case tls_alpn:
    case tls_client_cert_verified:
    case tls_client_cert_subject:
    case tls_client_cert_issuer:
    case tls_client_cert_serial:
    case tls_client_cert_sans:
    case tls_client_cert_fingerprint:
      if (facts.tls != nullptr) append_tls(out, variable, *facts.tls);
      return;
    case request_id:
      return append_request_id(out, facts);
    case request_method:
      out += facts.method;
      return;
    case request_scheme:
      out += facts.scheme;
      return;
    case request_host:
      out += facts.host_name();
      return;
    case request_authority:
      out += facts.host;
      return;
    case request_path:
      out += facts.target.substr(0, facts.target.find('?'));
      return;
    case tlv:
      proxy_protocol::append_tlv_text(out, facts.peer.tlvs, selector);
      return;
  }
}

}  // namespace

std::span<const std::string_view> template_variables() { return names; }
bool is_request_variable(std::string_view name) { return name.starts_with("request."); }

Template::Template(std::string_view text, std::vector<TemplateFault>& faults) : text_(text) {
  std::size_t variables = 0;
  TemplatePieces pieces(text);
  for (TemplatePiece piece; pieces.next(piece);) {
    switch (piece.kind) {
      case TemplatePiece::Kind::literal: {
        const auto control = std::find_if(piece.text.begin(), piece.text.end(), is_control);
        if (control != piece.text.end()) {
          const auto at = static_cast<std::size_t>(control - piece.text.begin());
          faults.push_back({TemplateFault::Kind::control_character, piece.offset + at, piece.text.substr(at, 1)});
        }
        // A piece of `$$` holds its first octet.
        pieces_.push_back({static_cast<std::uint32_t>(piece.offset), static_cast<std::uint32_t>(piece.text.size())});
        break;
      }
      case TemplatePiece::Kind::variable:
        if (++variables == max_variables + 1) {
          faults.push_back({TemplateFault::Kind::too_many_variables, piece.offset, piece.text});
        }
        add_variable(piece, faults);
        break;
      case TemplatePiece::Kind::unclosed:
        faults.push_back({TemplateFault::Kind::unclosed, piece.offset, piece.text});
        break;
    }
  }
}

void Template::add_variable(const TemplatePiece& piece, std::vector<TemplateFault>& faults) {
  Piece out;
  if (piece.text.starts_with(tlv_prefix)) {
    const std::string_view name = piece.text.substr(tlv_prefix.size());
    const auto selector = proxy_protocol::parse_tlv_selector(name);
    if (!selector) return faults.push_back({TemplateFault::Kind::unknown_tlv, piece.offset, name});
    out.variable = tlv;
    out.tlv = *selector;
  } else {
    out.variable = find_variable(piece.text);
    if (out.variable == none) {
      return faults.push_back({TemplateFault::Kind::unknown_variable, piece.offset, piece.text});
    }
  }
  pieces_.push_back(out);
}

bool Template::uses_tlvs() const {
  return std::any_of(pieces_.begin(), pieces_.end(), [](const Piece& piece) { return piece.variable == tlv; });
}

bool Template::uses_tls() const {
  return std::any_of(pieces_.begin(), pieces_.end(), [](const Piece& piece) {
    return piece.variable >= tls_sni && piece.variable <= tls_client_cert_fingerprint;
  });
}

bool Template::uses_client_cert() const {
  return std::any_of(pieces_.begin(), pieces_.end(), [](const Piece& piece) {
    return piece.variable >= tls_client_cert_verified && piece.variable <= tls_client_cert_fingerprint;
  });
}

void Template::append_to(std::string& out, const RequestFacts& facts) const {
  for (const Piece& piece : pieces_) {
    if (piece.variable == none) {
      out.append(text_, piece.begin, piece.size);
    } else {
      append_variable(out, piece.variable, piece.tlv, facts);
    }
  }
}

bool Template::append_field_value(std::string& out, const RequestFacts& facts) const {
  const std::size_t begin = out.size();
  append_to(out, facts);
  const std::string_view whole = std::string_view(out).substr(begin);
  const std::string_view value = trim_ows(whole);
  if (value.empty() || std::any_of(value.begin(), value.end(), is_control)) {
    out.resize(begin);
    return false;
  }
  const auto before = static_cast<std::size_t>(value.data() - whole.data());
  const std::size_t size = value.size();
  out.erase(begin, before);
  out.resize(begin + size);
  return true;
}

}  // namespace telltale::forwarding
