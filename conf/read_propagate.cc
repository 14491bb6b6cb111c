#include "conf/read.h"
#include "conf/read_template.h"
#include "conf/suggest.h"
#include "protocol/forwarding/obfuscation.h"

#include <algorithm>

namespace telltale::conf {
namespace {

/// One of the row's words, or a fixed identifier.
void read_node_name(ObjectReader& reader, std::string_view parameter, bool written, forwarding::NodeName& name) {
  std::string text;
  if (!reader.read(parameter, text)) return;
  if (const auto form = from_word<forwarding::NodeName::Form>(text)) {
    name.form = *form;
  } else if (forwarding::is_obfuscated_identifier(text)) {
    name.form = forwarding::NodeName::Form::fixed;
    name.identifier = std::move(text);
  } else {
    const auto& words = Words<forwarding::NodeName::Form>::list;
    reader.error(
        parameter, quote(text) + " is neither a way to name a node nor an identifier (RFC 7239 6.3)",
        did_you_mean(text, words,
                     "address, unknown, per_connection, per_process, or `_` and letters, digits, `.`, `_`, `-`"));
    return;
  }
  if (!written) {
    reader.warning(parameter, "has no effect: `parameters` does not name `" + std::string(parameter) + "`",
                   "parameters: [for, by, proto]");
  }
}

void read_forwarded(ObjectReader& propagate, forwarding::ForwardedOptions& forwarded) {
  std::string word;
  if (propagate.read_word_instead("forwarded", word)) {
    if (const auto mode = from_word<forwarding::ListMode>(word)) forwarded.mode = *mode;
    return;
  }
  propagate.object("forwarded", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(propagate.context(), node, path, schema::forwarded);
    reader.read("mode", forwarded.mode);
    reader.read("ports", forwarded.ports);
    read_extensions(reader, forwarded.extensions);
    std::vector<std::string> parameters;
    if (reader.read("parameters", parameters)) {
      if (parameters.empty()) reader.error("parameters", "an element must say something", "[for, proto]");
      const auto has = [&](std::string_view name) { return std::ranges::find(parameters, name) != parameters.end(); };
      forwarded.write_for = has("for"), forwarded.write_by = has("by");
      forwarded.write_host = has("host"), forwarded.write_proto = has("proto");
    }
    using enum forwarding::ListMode;
    if (!forwarded.extensions.empty() && forwarded.mode != append && forwarded.mode != replace) {
      reader.warning("extensions",
                     "has no effect: with `mode: " + std::string(word_of(forwarded.mode)) + "` no element is written");
    }
    read_node_name(reader, "for", forwarded.write_for, forwarded.for_name);
    read_node_name(reader, "by", forwarded.write_by, forwarded.by_name);
  });
}

void warn_of_pass(ObjectReader& reader, std::string_view field, forwarding::ListMode mode) {
  if (mode != forwarding::ListMode::pass) return;
  reader.warning(field, "`pass` lets through whatever a client wrote, forged or not",
                 "append keeps what a trusted hop wrote");
}

/// Why a received TLV cannot go on; empty: it can.
std::string passing_problem(const proxy_protocol::TlvSelector& selector, const forwarding::Propagate& propagate,
                            std::string& hint) {
  using proxy_protocol::TlvType;
  if (selector.type == TlvType::ssl && selector.place != proxy_protocol::TlvSelector::Place::value) {
    hint = "`tlvs: [ssl]`";
    return " is a part of the SSL TLV, which goes on as a whole";
  }
  if (selector.type == TlvType::crc32c || selector.type == TlvType::noop) {
    hint = selector.type == TlvType::crc32c ? "`tlvs: [crc32c]` writes one" : "`tlv_padding` writes one";
    return " is of the header that it came in, and never goes on";
  }
  if (std::ranges::find(propagate.tlvs, selector.type) != propagate.tlvs.end()) {
    hint = "remove it here or there";
    return " is written by `tlvs` already";
  }
  if (std::ranges::find(propagate.custom_tlvs, selector.type, &forwarding::TlvTemplate::type) !=
      propagate.custom_tlvs.end()) {
    hint = "remove it here or there";
    return " is written by `custom_tlvs` already";
  }
  if (std::ranges::find(propagate.pass_tlvs, selector) != propagate.pass_tlvs.end()) return " is given twice";
  return {};
}

void read_passed_tlvs(ObjectReader& reader, forwarding::Propagate& propagate) {
  Field row = *find_field(schema::propagate, "pass_tlvs");
  row.type = Type::text;
  reader.each("pass_tlvs", [&](const YamlNode& item, const Path& path, std::size_t) {
    std::string name;
    if (!read_value(reader.context(), item, path, row, name)) return;
    const auto selector = proxy_protocol::parse_tlv_selector(name);
    std::string hint;
    if (!selector) {
      hint = did_you_mean(name, proxy_protocol::tlv_names(), std::string(any_tlv_hint));
      if (name == "ssl") hint = "`tlvs: [ssl]` passes it on";
    }
    const std::string problem =
        selector ? passing_problem(*selector, propagate, hint) : std::string(" is not the name of a TLV");
    if (!problem.empty()) return reader.context().diagnostics.error(item, path, quote(name) + problem, hint);
    propagate.pass_tlvs.push_back(*selector);
  });
}

/// Whether the PROXY header has this TLV without the assertion.
bool writes_tlv(const forwarding::Propagate& propagate, proxy_protocol::TlvType type) {
  return std::ranges::find(propagate.pass_tlvs, type, &proxy_protocol::TlvSelector::type) !=
             propagate.pass_tlvs.end() ||
         std::ranges::find(propagate.custom_tlvs, type, &forwarding::TlvTemplate::type) != propagate.custom_tlvs.end();
}

}  // namespace

void read_propagate(Context& context, const YamlNode& node, const Path& path, forwarding::Propagate& propagate) {
  ObjectReader reader(context, node, path, schema::propagate);
  reader.read("x_forwarded_for", propagate.x_forwarded_for);
  warn_of_pass(reader, "x_forwarded_for", propagate.x_forwarded_for);
  read_forwarded(reader, propagate.forwarded);
  warn_of_pass(reader, "forwarded", propagate.forwarded.mode);
  reader.read("x_forwarded_proto", propagate.x_forwarded_proto);
  reader.read("x_forwarded_host", propagate.x_forwarded_host);
  reader.read("x_forwarded_port", propagate.x_forwarded_port);
  reader.read("x_real_ip", propagate.x_real_ip);
  reader.read("x_forwarded_client_cert", propagate.x_forwarded_client_cert);
  reader.read("via", propagate.via);
  std::string source;
  if (reader.read("source_address", source)) propagate.transparent_source = source == "transparent";
  std::string version = "off";
  const bool known = reader.read("proxy_protocol", version) || !reader.has("proxy_protocol");
  propagate.proxy_protocol = version != "off";
  if (version == "v1") propagate.proxy_version = proxy_protocol::Version::v1;
  read_header_templates(reader, propagate.headers);
  read_custom_tlvs(reader, propagate.custom_tlvs);
  read_assertion(reader, propagate.assertion);
  std::vector<std::string> tlvs;
  reader.read("tlvs", tlvs);
  for (const std::string& each : tlvs) {
    propagate.tlvs.push_back(std::ranges::find(tlv_words, each, &TlvWord::word)->type);
  }
  read_passed_tlvs(reader, propagate);
  const std::uint8_t signed_tlv = propagate.assertion ? propagate.assertion->tlv : 0;
  if (signed_tlv != 0 && writes_tlv(propagate, proxy_protocol::TlvType{signed_tlv})) {
    reader.error("assertion", "its `tlv` is one of `pass_tlvs` or `custom_tlvs` too", "another of 0xE0 to 0xEF");
  }
  reader.read("tlv_padding", propagate.tlv_padding);
  if (!known || version == "v2") return;
  const auto needs_v2 = [&](std::string_view field) {
    reader.error(field, "only a PROXY header of version 2 has TLVs", "add `proxy_protocol: v2`");
  };
  if (!propagate.tlvs.empty()) needs_v2("tlvs");
  if (signed_tlv != 0) needs_v2("assertion");
  if (!propagate.pass_tlvs.empty()) needs_v2("pass_tlvs");
  if (propagate.tlv_padding > 0) needs_v2("tlv_padding");
  if (!propagate.custom_tlvs.empty()) needs_v2("custom_tlvs");
}

}  // namespace telltale::conf
