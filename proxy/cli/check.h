#pragma once

#include <iosfwd>
#include <string>

namespace telltale::proxy {

struct CheckOptions {
  std::string file = "/etc/telltale/telltale.yaml";
  bool expand = false;  ///< print the resolved model to `out`
  bool strict = false;  ///< warnings count
};

/// `telltale check`: every finding to `err`, then one line that sums up: to `out` when the file can be used, else to
/// `err`. With `expand` a usable model is printed to `out` as YAML, alone, and that line goes to `err`. Returns the
/// exit code: 0 clean, 1 warnings under `strict`, 2 errors. Binds and connects nothing.
int run_check(const CheckOptions& options, std::ostream& out, std::ostream& err);

struct SchemaOptions {
  bool markdown = false;  ///< the reference tables instead of the JSON Schema
};

/// `telltale schema`. Returns 0.
int run_schema(const SchemaOptions& options, std::ostream& out);

}  // namespace telltale::proxy
