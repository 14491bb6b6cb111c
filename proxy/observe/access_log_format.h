#pragma once

#include "protocol/proxy_protocol/tlv_names.h"
#include "proxy/observe/access_record.h"
#include "proxy/observe/line_builder.h"
#include "proxy/observe/timestamp.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::proxy {

/// The fields of a line, in the order in which JSON shows them. field_names has their names.
enum class AccessField : std::uint8_t {
  time,
  request_id,
  client,
  client_port,
  provenance,
  peer,
  listener,
  route,
  service,
  node,
  endpoint,
  method,
  host,
  target,
  protocol,
  status,
  bytes_received,
  bytes_sent,
  duration_ms,
  connect_ms,
  response_ms,
  tries,
  reused,
  user_agent,
  failure_side,
  failure_phase,
  failure,
  client_refused,
  reason,
  ended_by,
  tls_version,
  tls_cipher,
  tls_sni,
  tls_alpn,
  tls_client_verified,
  tls_client_subject,
  tls_client_sans,
  tls_client_fingerprint,
  count_
};
std::span<const std::string_view> access_field_names();

/// Appends `record` as one JSON object and a newline. Behind the fields comes `tls`, if the client spoke TLS to us: an
/// object of those of that name, and of those about its certificate when it has one; then `tlvs`, if the connection has
/// any of those that named_tlvs() lists: an object of their texts by name.
void append_json_line(LineBuilder& out, const AccessRecord& record, Timestamp& timestamp);

/// A text template, taken apart once. Its variables are the fields, and `tlv.NAME` with a name that
/// parse_tlv_selector() knows. Throws std::invalid_argument for an unknown variable or an unclosed `${`.
class AccessTemplate {
 public:
  explicit AccessTemplate(std::string_view text);
  /// Appends the line and a newline.
  void append_line(LineBuilder& out, const AccessRecord& record, Timestamp& timestamp) const;

 private:
  struct Part {
    std::string literal;                      ///< comes first
    AccessField field = AccessField::count_;  ///< count_: none
    std::optional<proxy_protocol::TlvSelector> tlv = {};
  };
  static Part variable(std::string literal, std::string_view name);
  std::vector<Part> parts_;
};

}  // namespace telltale::proxy
