#pragma once

#include "conf/object_reader.h"
#include "protocol/forwarding/propagate.h"

#include <string_view>

/// The fields of `propagate` that hold templates.
namespace telltale::conf {

/// What is wrong with `${…}` in a template, at its own column, for who has other variables than forwarding::Template:
/// `known`, and `tlv.NAME`. False if there is anything.
bool check_variables(Context& context, const YamlNode& node, const Path& path, std::string_view text,
                     std::span<const std::string_view> known);

/// `propagate.headers`.
void read_header_templates(ObjectReader& propagate, std::vector<forwarding::HeaderTemplate>& headers);
/// `propagate.custom_tlvs`.
void read_custom_tlvs(ObjectReader& propagate, std::vector<forwarding::TlvTemplate>& tlvs);
/// `propagate.forwarded.extensions`.
void read_extensions(ObjectReader& forwarded, std::vector<forwarding::ForwardedExtension>& extensions);

}  // namespace telltale::conf
