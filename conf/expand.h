#pragma once

#include "conf/model.h"

#include <string>

namespace telltale::conf {

/// why: what a preset filled in, and what a published list holds, is said beside the fields.
enum class Comments : bool { none, why };

/// The whole model as a configuration file: every field with its value, variables replaced, shorthands written out.
/// Loading it gives an equal model. Published lists stay names, so that they are followed as before.
std::string expand(const Model& model, Comments comments = Comments::none);

}  // namespace telltale::conf
