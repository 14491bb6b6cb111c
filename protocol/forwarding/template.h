#pragma once

#include "protocol/forwarding/request_facts.h"
#include "protocol/proxy_protocol/tlv_names.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::forwarding {

/// What a `${name}` of a template stands for.
enum class TemplateVariable : std::uint8_t {
  none,  ///< the piece is a literal
  client_address,
  client_port,
  client_provenance,
  peer_address,
  peer_port,
  destination_address,
  destination_port,
  listener_name,
  tls_sni,
  tls_version,
  tls_cipher,
  tls_alpn,
  tls_client_cert_verified,  ///< `true`, or `false` when there was none
  tls_client_cert_subject,
  tls_client_cert_issuer,
  tls_client_cert_serial,
  tls_client_cert_sans,  ///< with `, ` between them
  tls_client_cert_fingerprint,
  request_id,
  request_method,
  request_scheme,
  request_host,
  request_authority,
  request_path,
  tlv,  ///< `tlv.NAME`
};

/// Every name but those of the TLVs, for "did you mean". A TLV is `tlv.` and what parse_tlv_selector() reads.
std::span<const std::string_view> template_variables();
/// Whether its value may differ from one request of a connection to the next, whoever the client is: `request.…`.
bool is_request_variable(std::string_view name);

struct TemplateFault {
  enum class Kind : std::uint8_t {
    unclosed,            ///< `${` without `}`
    unknown_variable,    ///< `name`
    unknown_tlv,         ///< `name`, without the `tlv.`
    control_character,   ///< in the text itself
    too_many_variables,  ///< more than Template::max_variables
  };
  Kind kind;
  std::size_t offset;     ///< in the template's text
  std::string_view name;  ///< a view into it
};

/// Text with variables, taken apart once and filled in for each request: literals and the values of an explicit table.
/// A variable that has no value is empty text. Immutable; filling in does not allocate but for the growth of its
/// output.
class Template {
 public:
  static constexpr std::size_t max_variables = 16;

  Template() = default;
  /// `faults` gets everything that is wrong with the text, in its order; the template is of use only if there is
  /// nothing.
  Template(std::string_view text, std::vector<TemplateFault>& faults);

  const std::string& text() const { return text_; }
  /// Whether a TLV is among its variables.
  bool uses_tlvs() const;
  /// Whether one is that speaks of the client's TLS connection to us: `tls.…`.
  bool uses_tls() const;
  /// Whether one of these speaks of its certificate: `tls.client_cert.…`.
  bool uses_client_cert() const;

  /// Appends the value as it comes.
  void append_to(std::string& out, const RequestFacts& facts) const;

  /// Appends the value as it may stand in a header field: without white space around it. False, and nothing appended,
  /// when nothing is left of it or it has a control character other than a tab (RFC 9110 5.5): a value that would end
  /// the line, or that half of the readers drop, is no value.
  bool append_field_value(std::string& out, const RequestFacts& facts) const;

 private:
  struct Piece {
    std::uint32_t begin = 0, size = 0;  ///< of a literal, in text_
    TemplateVariable variable = TemplateVariable::none;
    proxy_protocol::TlvSelector tlv{};
  };
  void add_variable(const struct TemplatePiece& piece, std::vector<TemplateFault>& faults);

  std::string text_;
  std::vector<Piece> pieces_;
};

}  // namespace telltale::forwarding
