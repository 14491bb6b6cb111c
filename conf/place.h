#pragma once

#include "conf/yaml_tree.h"

#include <cstddef>
#include <string_view>

namespace telltale::conf {

/// Where octet `offset` of a scalar's text stands in the file, as a place for a finding: quotes, escapes and the
/// indentation of a block scalar of one line are accounted for. The scalar's own place where that cannot be told, as in
/// text that is folded over lines.
YamlNode place_within(std::string_view file, const YamlNode& scalar, std::size_t offset);

}  // namespace telltale::conf
