#pragma once

#include "conf/loader.h"

#include <vector>

namespace telltale::proxy {

/// Appends what a valid configuration needs of this machine and does not find: `check` runs where the proxy will run,
/// or somewhere else, so a missing capability is a warning; keys, certificates, authorities and endpoints files that
/// cannot be used are an error.
void check_preconditions(const conf::Model& model, std::vector<conf::Diagnostic>& findings);

}  // namespace telltale::proxy
