#include "proxy/observe/access_log_format.h"

#include "protocol/forwarding/template_pieces.h"
#include "proxy/observe/escape.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace telltale::proxy {
namespace {

constexpr std::size_t field_count = static_cast<std::size_t>(AccessField::count_);
// clang-format off
constexpr std::array<std::string_view, field_count> field_names = {
    "time",     "request_id",  "client",         "client_port",  "provenance",    "peer",       "listener",
    "route",    "service",     "node",           "endpoint",     "method",        "host",       "target",
    "protocol", "status",      "bytes_received", "bytes_sent",   "duration_ms",   "connect_ms", "response_ms",
    "tries",    "reused",      "user_agent",     "failure_side", "failure_phase", "failure",    "client_refused",
    "reason",   "ended_by", "tls.version", "tls.cipher",     "tls.sni",      "tls.alpn",
    "tls.client_verified", "tls.client_subject", "tls.client_sans", "tls.client_fingerprint"};
// clang-format on
constexpr auto first_tls_field = static_cast<std::size_t>(AccessField::tls_version);
constexpr auto first_certificate_field = static_cast<std::size_t>(AccessField::tls_client_subject);

void append_number(LineBuilder& out, std::uint64_t value) {
  char text[20];
  out.append(text, static_cast<std::size_t>(std::to_chars(text, text + sizeof text, value).ptr - text));
}

/// Milliseconds with three decimals: what the clock can tell, and no floating point.
void append_milliseconds(LineBuilder& out, std::chrono::nanoseconds duration) {
  const auto count = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  const auto microseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0));
  append_number(out, microseconds / 1000);
  const auto rest = static_cast<unsigned>(microseconds % 1000);
  const char fraction[] = {'.', static_cast<char>('0' + rest / 100), static_cast<char>('0' + rest / 10 % 10),
                           static_cast<char>('0' + rest % 10)};
  out.append(fraction, sizeof fraction);
}

void append_hex(LineBuilder& out, std::uint64_t value) {
  char text[16];
  for (int i = 15; i >= 0; --i, value >>= 4) text[i] = "0123456789abcdef"[value & 0xf];
  out.append(text, sizeof text);
}

/// How a value is written in JSON: strings in quotes, null for nothing.
struct JsonStyle {
  LineBuilder& out;
  void nothing() { out += "null"; }
  void string(std::string_view text) {
    if (text.empty()) return nothing();
    out += '"';
    append_json_escaped(out, text);
    out += '"';
  }
  void list(std::span<const std::string> texts) {
    out += '[';
    for (const std::string& text : texts) {
      if (&text != &texts.front()) out += ',';
      string(text);
    }
    out += ']';
  }
  void open() { out += '"'; }  // around a value known to need no escape
  void close() { out += '"'; }
};

/// How a value is written in text: escaped, `-` for nothing.
struct TextStyle {
  LineBuilder& out;
  void nothing() { out += '-'; }
  void string(std::string_view text) { text.empty() ? nothing() : append_text_escaped(out, text); }
  void list(std::span<const std::string> texts) {
    if (texts.empty()) return nothing();
    for (const std::string& text : texts) {
      if (&text != &texts.front()) out += ", ";
      string(text);
    }
  }
  void open() {}
  void close() {}
};

void append_address(LineBuilder& out, const net::IpAddress& address) {
  char text[net::IpAddress::max_text_size];
  out.append(text, address.format(text));
}

template <class Style>
void write_address(Style style, const std::optional<net::IpAddress>& address) {
  style.open();
  if (address) {
    append_address(style.out, *address);
  } else {
    style.out += "unix";
  }
  style.close();
}

template <class Style>
void write_peer(Style style, const forwarding::PeerInfo* peer) {
  if (peer == nullptr) return style.nothing();
  style.open();
  if (const auto& socket = peer->socket_peer) {
    if (socket->address.is_v6()) style.out += '[';
    append_address(style.out, socket->address);
    style.out += socket->address.is_v6() ? "]:" : ":";
    append_number(style.out, socket->port);
  } else {
    style.out += "unix";
  }
  style.close();
}

template <class Style>
void write_request_id(Style style, const AccessRecord& record) {
  if ((record.request_id_high | record.request_id_low) == 0) return style.nothing();
  style.open();
  append_hex(style.out, record.request_id_high);
  append_hex(style.out, record.request_id_low);
  style.close();
}

template <class Style>
void write_milliseconds(Style style, std::chrono::nanoseconds duration) {
  if (duration.count() <= 0) return style.nothing();
  append_milliseconds(style.out, duration);
}

template <class Style>
void write_failure(Style style, const AccessRecord& record) {
  if (!record.failure_detail.empty()) return style.string(record.failure_detail);
  style.string(describe(record.failure));
}

/// Why the signed assertion was not believed, and why the forwarding header was not, or not to its end: the reason and
/// what it was said of. Of an assertion nothing is told: elsewhere, or later, it may be valid.
template <class Style>
void write_refusal(Style style, const forwarding::ClientAddress* client) {
  if (client == nullptr || client->rejected.empty()) return style.nothing();
  std::string text;
  if (const auto* refusal = forwarding::assertion_refusal_of(*client)) text = forwarding::to_string(refusal->reason);
  if (const auto* refusal = forwarding::refusal_of(*client)) {
    text.append(text.empty() ? "" : "; ").append(forwarding::to_string(refusal->reason));
    if (!refusal->token.empty()) text.append(": ").append(refusal->token);
  }
  style.string(text);
}

/// Of the certificate that the client proved.
template <class Style>
void write_client_cert(Style style, AccessField field, const forwarding::TlsFacts* tls) {
  if (tls == nullptr) return style.nothing();
  const forwarding::ClientCertificate* certificate = tls->client_cert;
  if (field == AccessField::tls_client_verified) {
    style.out += certificate != nullptr ? "true" : "false";
  } else if (certificate == nullptr) {
    style.nothing();
  } else if (field == AccessField::tls_client_sans) {
    style.list(certificate->sans);
  } else {
    style.string(field == AccessField::tls_client_subject ? certificate->subject : certificate->fingerprint);
  }
}

std::string_view name_of_end(Side side) {
  switch (side) {
    case Side::downstream:
      return "client";
    case Side::upstream:
      return "backend";
    case Side::proxy:
      return "proxy";
    case Side::none:
      break;
  }
  return {};
}

template <class Style>
void write_field(Style style, AccessField field, const AccessRecord& record, Timestamp& timestamp) {
  switch (field) {
    case AccessField::time:
      style.open();
      style.out += timestamp.format(record.time);
      return style.close();
    case AccessField::request_id:
      return write_request_id(style, record);
    case AccessField::client:
      return record.client != nullptr ? write_address(style, record.client->address) : style.nothing();
    case AccessField::client_port:
      if (record.client == nullptr || record.client->port == 0) return style.nothing();
      return append_number(style.out, record.client->port);
    case AccessField::provenance:
      return record.client != nullptr ? style.string(to_string(record.client->provenance)) : style.nothing();
    case AccessField::peer:
      return write_peer(style, record.peer);
    case AccessField::listener:
      return style.string(record.listener);
    case AccessField::route:
      return style.string(record.route);
    case AccessField::service:
      return style.string(record.service);
    case AccessField::node:
      return style.string(record.node);
    case AccessField::endpoint:
      return style.string(record.endpoint);
    case AccessField::method:
      return style.string(record.method);
    case AccessField::host:
      return style.string(record.host);
    case AccessField::target:
      return style.string(record.target);
    case AccessField::protocol:
      return style.string(record.protocol);
    case AccessField::status:
      return append_number(style.out, record.status);
    case AccessField::bytes_received:
      return append_number(style.out, record.bytes_received);
    case AccessField::bytes_sent:
      return append_number(style.out, record.bytes_sent);
    case AccessField::duration_ms:
      return append_milliseconds(style.out, record.duration);
    case AccessField::connect_ms:
      return write_milliseconds(style, record.connect_duration);
    case AccessField::response_ms:
      return write_milliseconds(style, record.response_duration);
    case AccessField::tries:
      return append_number(style.out, record.tries);
    case AccessField::reused:
      style.out += record.reused_connection ? "true" : "false";
      return;
    case AccessField::user_agent:
      return style.string(record.user_agent);
    case AccessField::failure_side:
      return record.failure ? style.string(to_string(record.failure.side)) : style.nothing();
    case AccessField::failure_phase:
      return record.failure ? style.string(to_string(record.failure.phase)) : style.nothing();
    case AccessField::failure:
      return write_failure(style, record);
    case AccessField::client_refused:
      return write_refusal(style, record.client);
    case AccessField::reason:
      return style.string(to_string(reason_of(record.failure)));
    case AccessField::ended_by:
      return style.string(name_of_end(record.ended_by));
    case AccessField::tls_version:
      return record.tls != nullptr ? style.string(record.tls->version) : style.nothing();
    case AccessField::tls_cipher:
      return record.tls != nullptr ? style.string(record.tls->cipher) : style.nothing();
    case AccessField::tls_sni:
      return record.tls != nullptr ? style.string(record.tls->sni) : style.nothing();
    case AccessField::tls_alpn:
      return record.tls != nullptr ? style.string(record.tls->alpn) : style.nothing();
    case AccessField::tls_client_verified:
    case AccessField::tls_client_subject:
    case AccessField::tls_client_sans:
    case AccessField::tls_client_fingerprint:
      return write_client_cert(style, field, record.tls);
    case AccessField::count_:
      return;
  }
}

/// The text of a received TLV. Only for connections that have some: the room for it is kept for the next one.
std::string_view tlv_text(std::string_view value, const proxy_protocol::TlvSelector& selector) {
  thread_local std::string text;
  text.clear();
  proxy_protocol::append_tlv_value(text, value, selector);
  return text;
}

void append_json_tlvs(LineBuilder& out, const forwarding::PeerInfo& peer) {
  bool any = false;
  for (const proxy_protocol::NamedTlv& named : proxy_protocol::named_tlvs()) {
    if (!named.listed) continue;
    const auto value = proxy_protocol::find_tlv(peer.tlvs, named.selector);
    if (!value) continue;
    out += any ? ",\"" : ",\"tlvs\":{\"";
    any = true;
    out += named.name;
    out += "\":\"";
    append_json_escaped(out, tlv_text(*value, named.selector));
    out += '"';
  }
  if (any) out += '}';
}

void append_json_tls(LineBuilder& out, const AccessRecord& record, Timestamp& timestamp) {
  out += ",\"tls\":{";
  const std::size_t end = record.tls->client_cert != nullptr ? field_count : first_certificate_field;
  for (std::size_t i = first_tls_field; i < end; ++i) {
    out += i == first_tls_field ? "\"" : ",\"";
    out += field_names[i].substr(field_names[i].find('.') + 1);
    out += "\":";
    write_field(JsonStyle{out}, static_cast<AccessField>(i), record, timestamp);
  }
  out += '}';
}

void append_text_tlv(LineBuilder& out, const forwarding::PeerInfo* peer, const proxy_protocol::TlvSelector& selector) {
  const auto value = peer != nullptr ? proxy_protocol::find_tlv(peer->tlvs, selector) : std::nullopt;
  if (!value) return TextStyle{out}.nothing();
  TextStyle{out}.string(tlv_text(*value, selector));
}

/// `{"time":`, `,"request_id":`, … made once.
std::array<std::string, field_count> make_json_keys() {
  std::array<std::string, field_count> keys;
  for (std::size_t i = 0; i < field_count; ++i) {
    keys[i] = (i == 0 ? "{\"" : ",\"") + std::string(field_names[i]) + "\":";
  }
  return keys;
}

}  // namespace

std::span<const std::string_view> access_field_names() { return field_names; }

void append_json_line(LineBuilder& out, const AccessRecord& record, Timestamp& timestamp) {
  static const std::array<std::string, field_count> keys = make_json_keys();
  const JsonStyle style{out};
  for (std::size_t i = 0; i < first_tls_field; ++i) {
    out += keys[i];
    write_field(style, static_cast<AccessField>(i), record, timestamp);
  }
  if (record.tls != nullptr) append_json_tls(out, record, timestamp);
  if (record.peer != nullptr && !record.peer->tlvs.empty()) append_json_tlvs(out, *record.peer);
  out += "}\n";
}

AccessTemplate::AccessTemplate(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);  // YAML's `|` leaves one
  std::string literal;
  forwarding::TemplatePieces pieces(text);
  for (forwarding::TemplatePiece piece; pieces.next(piece);) {
    switch (piece.kind) {
      case forwarding::TemplatePiece::Kind::literal:
        literal += piece.text;
        break;
      case forwarding::TemplatePiece::Kind::variable:
        parts_.push_back(variable(std::move(literal), piece.text));
        literal.clear();
        break;
      case forwarding::TemplatePiece::Kind::unclosed:
        throw std::invalid_argument("access log template: ${ without }");
    }
  }
  literal += '\n';
  parts_.push_back({std::move(literal), AccessField::count_, std::nullopt});
}

AccessTemplate::Part AccessTemplate::variable(std::string literal, std::string_view name) {
  if (name.starts_with("tlv.")) {
    if (auto tlv = proxy_protocol::parse_tlv_selector(name.substr(4))) {
      return {std::move(literal), AccessField::count_, tlv};
    }
  }
  const auto found = std::find(field_names.begin(), field_names.end(), name);
  if (found == field_names.end()) {
    throw std::invalid_argument("access log template: unknown variable ${" + std::string(name) + "}");
  }
  return {std::move(literal), static_cast<AccessField>(found - field_names.begin()), std::nullopt};
}

void AccessTemplate::append_line(LineBuilder& out, const AccessRecord& record, Timestamp& timestamp) const {
  for (const Part& part : parts_) {
    out += part.literal;
    if (part.tlv) {
      append_text_tlv(out, record.peer, *part.tlv);
      continue;
    }
    write_field(TextStyle{out}, part.field, record, timestamp);
  }
}

}  // namespace telltale::proxy
