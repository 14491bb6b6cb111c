#pragma once

#include "conf/model.h"

#include <string>

namespace telltale::conf {

/// The whole model as a configuration file: every field with its value, variables replaced, shorthands written out.
/// Loading it gives an equal model.
std::string expand(const Model& model);

}  // namespace telltale::conf
