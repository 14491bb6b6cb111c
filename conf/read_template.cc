#include "conf/read_template.h"

#include "conf/place.h"
#include "conf/suggest.h"
#include "conf/text.h"
#include "protocol/forwarding/template_pieces.h"

#include <algorithm>

namespace telltale::conf {
namespace {

using forwarding::Template;
using forwarding::TemplateFault;
using forwarding::TemplatePiece;
using http::FieldId;

constexpr std::size_t max_template_octets = 4096;
constexpr std::string_view tlv_prefix = "tlv.";

std::string list_of(std::span<const std::string_view> names) {
  std::string all;
  for (const std::string_view each : names) all += (all.empty() ? "" : ", ") + std::string(each);
  return all;
}

/// Findings inside one template.
class TemplateReporter {
 public:
  TemplateReporter(Context& context, const YamlNode& node, const Path& path)
      : context_(context), node_(node), path_(path) {}

  void error(std::size_t offset, std::string message, std::string hint = {}) {
    context_.diagnostics.error(place(offset), path_, std::move(message), std::move(hint));
  }
  void unclosed(std::size_t offset) { error(offset, "a `${` without its `}`", "write $$ for a dollar"); }
  void unknown(std::size_t offset, std::string_view name, std::span<const std::string_view> known) {
    const bool shouts = !name.empty() && std::ranges::none_of(name, [](char c) { return c >= 'a' && c <= 'z'; });
    error(offset, "there is no variable " + quote(name),
          shouts ? "environment variables are not expanded in a template; its variables are " + list_of(known) +
                       ", tlv.NAME"
                 : did_you_mean(name, known, "the variables are " + list_of(known) + ", tlv.NAME"));
  }
  void report(const TemplateFault& fault) {
    switch (fault.kind) {
      case TemplateFault::Kind::unclosed:
        return unclosed(fault.offset);
      case TemplateFault::Kind::unknown_variable:
        return unknown(fault.offset, fault.name, forwarding::template_variables());
      case TemplateFault::Kind::unknown_tlv:
        return error(fault.offset, "there is no TLV " + quote(fault.name),
                     did_you_mean(fault.name, proxy_protocol::tlv_names(), std::string(any_tlv_hint)));
      case TemplateFault::Kind::control_character:
        return error(fault.offset, quote(fault.name) + ": a control character cannot be sent",
                     "a template is one line of text");
      case TemplateFault::Kind::too_many_variables:
        return error(fault.offset, "more variables than a template may have",
                     "at most " + std::to_string(Template::max_variables));
    }
  }

 private:
  /// Finding the column reads the file from its start: not worth it for a file that is all errors.
  YamlNode place(std::size_t offset) const {
    if (context_.diagnostics.list().size() < 200) return place_within(context_.file, node_, offset);
    YamlNode whole;
    whole.line = node_.line, whole.column = node_.column;
    return whole;
  }

  Context& context_;
  const YamlNode& node_;
  const Path& path_;
};

/// nullopt: reported.
std::optional<Template> read_template(Context& context, const YamlNode& node, const Path& path) {
  if (node.kind != YamlNode::Kind::scalar) {
    context.diagnostics.error(node, path, "a template is wanted here",
                              "text with variables, in double quotes: \"${client.address}\"");
    return std::nullopt;
  }
  if (node.text.size() > max_template_octets) {
    context.diagnostics.error(node, path, "the template is too long",
                              "at most " + std::to_string(max_template_octets) + " octets");
    return std::nullopt;
  }
  TemplateReporter reporter(context, node, path);
  std::vector<TemplateFault> faults;
  Template out(node.text, faults);
  for (const TemplateFault& fault : faults) reporter.report(fault);
  if (!faults.empty()) return std::nullopt;
  return out;
}

/// Why Telltale has to write this field itself, if it has.
std::string_view owner_of(FieldId id) {
  switch (id) {
    case FieldId::connection:
    case FieldId::transfer_encoding:
    case FieldId::te:
    case FieldId::trailer:
    case FieldId::upgrade:
    case FieldId::keep_alive:
    case FieldId::proxy_connection:
    case FieldId::http2_settings:
      return "it manages the connection to the backend (RFC 9110 7.6.1)";
    case FieldId::content_length:
      return "it says where the body ends (RFC 9112 6.3)";
    case FieldId::expect:
      return "it is settled hop by hop (RFC 9110 10.1.1)";
    case FieldId::proxy_authenticate:
    case FieldId::proxy_authorization:
      return "it is between a client and a proxy (RFC 9110 11.7)";
    case FieldId::host:
      return "it says what the request is for: two of them, or another one, would be read as another request";
    case FieldId::via:
      return "`via` writes it";
    case FieldId::forwarded:
      return "`forwarded` writes it";
    case FieldId::x_forwarded_for:
      return "`x_forwarded_for` writes it";
    case FieldId::x_forwarded_proto:
      return "`x_forwarded_proto` writes it";
    case FieldId::x_forwarded_host:
      return "`x_forwarded_host` writes it";
    case FieldId::x_forwarded_port:
      return "`x_forwarded_port` writes it";
    case FieldId::x_real_ip:
      return "`x_real_ip` writes it";
    case FieldId::x_telltale_client:
      return "it is the signed assertion's";
    default:
      return {};
  }
}

bool check_header_name(Context& context, const YamlNode& key, const Path& path,
                       const std::vector<forwarding::HeaderTemplate>& others) {
  if (!is_token(key.text)) {
    context.diagnostics.error(key, path, quote(key.text) + " is not a header name", "like X-Client");
    return false;
  }
  if (const auto why = owner_of(http::field_id(key.text)); !why.empty()) {
    context.diagnostics.error(key, path, quote(key.text) + " cannot be written by a template: " + std::string(why));
    return false;
  }
  for (const forwarding::HeaderTemplate& other : others) {
    if (!http::folded_equal(other.name, key.text)) continue;
    context.diagnostics.error(key, path, quote(key.text) + " is the same header as " + quote(other.name),
                              "letter case, and `_` for `-`, make no other header: backends fold them");
    return false;
  }
  return true;
}

/// `0xE1` and the like.
std::optional<proxy_protocol::TlvType> custom_tlv_type(std::string_view text) {
  if (text.size() != 4 || !(text.starts_with("0xE") || text.starts_with("0xe"))) return std::nullopt;
  const char digit = to_lower(text.substr(3))[0];
  if (digit >= '0' && digit <= '9') return static_cast<proxy_protocol::TlvType>(0xe0 + (digit - '0'));
  if (digit >= 'a' && digit <= 'f') return static_cast<proxy_protocol::TlvType>(0xea + (digit - 'a'));
  return std::nullopt;
}

/// A connection's first request would speak for all that follow on it.
bool check_for_connection(Context& context, const YamlNode& node, const Path& path) {
  TemplateReporter reporter(context, node, path);
  bool right = true;
  forwarding::TemplatePieces pieces(node.text);
  for (TemplatePiece piece; pieces.next(piece);) {
    if (piece.kind != TemplatePiece::Kind::variable || !forwarding::is_request_variable(piece.text)) continue;
    right = false;
    reporter.error(
        piece.offset,
        "${" + std::string(piece.text) + "} is of one request, and a PROXY header is for all of a connection",
        piece.text == "request.id" ? "`tlvs: [unique_id]` gives each connection an id of its own"
                                   : "a header can have it: `headers`");
  }
  return right;
}

bool check_extension_name(Context& context, const YamlNode& key, const Path& path,
                          const std::vector<forwarding::ForwardedExtension>& others) {
  if (!is_token(key.text)) {
    context.diagnostics.error(key, path, quote(key.text) + " is not the name of a parameter", "a token, like secret");
    return false;
  }
  const std::string lower = to_lower(key.text);
  if (lower == "for" || lower == "by" || lower == "host" || lower == "proto") {
    context.diagnostics.error(key, path, quote(key.text) + " is one of the four that `parameters` chooses");
    return false;
  }
  for (const forwarding::ForwardedExtension& other : others) {
    if (!http::folded_equal(other.name, key.text)) continue;
    context.diagnostics.error(key, path, quote(key.text) + " is the same parameter as " + quote(other.name));
    return false;
  }
  return true;
}

}  // namespace

bool check_variables(Context& context, const YamlNode& node, const Path& path, std::string_view text,
                     std::span<const std::string_view> known) {
  TemplateReporter reporter(context, node, path);
  bool right = true;
  forwarding::TemplatePieces pieces(text);
  for (TemplatePiece piece; pieces.next(piece);) {
    const bool is_tlv = piece.text.starts_with(tlv_prefix);
    const std::string_view tlv = is_tlv ? piece.text.substr(tlv_prefix.size()) : std::string_view();
    if (piece.kind == TemplatePiece::Kind::literal || (is_tlv && proxy_protocol::parse_tlv_selector(tlv)) ||
        std::ranges::find(known, piece.text) != known.end()) {
      continue;
    }
    right = false;
    if (piece.kind == TemplatePiece::Kind::unclosed) {
      reporter.unclosed(piece.offset);
    } else if (is_tlv) {
      reporter.report({TemplateFault::Kind::unknown_tlv, piece.offset, tlv});
    } else {
      reporter.unknown(piece.offset, piece.text, known);
    }
  }
  return right;
}

void read_header_templates(ObjectReader& propagate, std::vector<forwarding::HeaderTemplate>& headers) {
  Context& context = propagate.context();
  propagate.entries("headers", [&](const YamlNode& key, const YamlNode& value, const Path& path) {
    const bool named = check_header_name(context, key, path, headers);
    auto text = read_template(context, value, path);
    if (named && text) headers.push_back({key.text, std::move(*text)});
  });
}

void read_custom_tlvs(ObjectReader& propagate, std::vector<forwarding::TlvTemplate>& tlvs) {
  Context& context = propagate.context();
  propagate.entries("custom_tlvs", [&](const YamlNode& key, const YamlNode& value, const Path& path) {
    const auto type = custom_tlv_type(key.text);
    const bool again = type && std::ranges::find(tlvs, *type, &forwarding::TlvTemplate::type) != tlvs.end();
    if (!type) {
      context.diagnostics.error(key, path, quote(key.text) + " is not a TLV type for applications", "0xE0 to 0xEF");
    } else if (again) {
      context.diagnostics.error(key, path, quote(key.text) + " is given twice");
    }
    auto text = read_template(context, value, path);
    const bool right = text && check_for_connection(context, value, path);
    if (type && !again && right) tlvs.push_back({*type, std::move(*text)});
  });
}

void read_extensions(ObjectReader& forwarded, std::vector<forwarding::ForwardedExtension>& extensions) {
  Context& context = forwarded.context();
  forwarded.entries("extensions", [&](const YamlNode& key, const YamlNode& value, const Path& path) {
    const bool named = check_extension_name(context, key, path, extensions);
    auto text = read_template(context, value, path);
    if (named && text) extensions.push_back({key.text, std::move(*text)});
  });
}

}  // namespace telltale::conf
