#pragma once

#include "conf/loader.h"

#include <string>
#include <string_view>
#include <vector>

namespace telltale::conf {

struct ExpansionProblem {
  std::string message, hint;
};

/// Replaces `${NAME}` by the variable's value and `${NAME:-default}` by `default` when it is unset or empty. What was
/// put in is not looked at again. `$${` stands for `${`; any other `$` is itself. Every problem is added to `problems`.
std::string expand_environment(std::string_view text, const Environment& environment,
                               std::vector<ExpansionProblem>& problems);

/// That of this process.
Environment process_environment();

/// Writes text so that expand_environment() gives it back.
std::string escape_environment(std::string_view text);

}  // namespace telltale::conf
