#include "proxy/cli/check.h"

#include "conf/expand.h"
#include "conf/loader.h"
#include "proxy/server/preconditions.h"

#include <algorithm>
#include <ostream>

namespace telltale::proxy {
namespace {

std::string count(std::size_t number, std::string_view what) {
  return std::to_string(number) + " " + std::string(what) + (number == 1 ? "" : "s");
}

std::string summary(const conf::LoadResult& result) {
  const auto errors = static_cast<std::size_t>(
      std::ranges::count(result.diagnostics, conf::Severity::error, &conf::Diagnostic::severity));
  const std::size_t warnings = result.diagnostics.size() - errors;
  if (errors > 0) return count(errors, "error") + ", " + count(warnings, "warning");
  const std::string what =
      count(result.model->listeners.size(), "listener") + ", " + count(result.model->services.size(), "service");
  return "ok: " + what + (warnings > 0 ? ", " + count(warnings, "warning") : "");
}

}  // namespace

int run_check(const CheckOptions& options, std::ostream& out, std::ostream& err) {
  conf::LoadResult result = conf::load_file(options.file);
  if (result.model != nullptr) check_preconditions(*result.model, result.diagnostics);
  err << conf::render(result, options.file);
  const bool usable = result.model != nullptr && !result.has_errors();
  if (usable && options.expand) out << conf::expand(*result.model, conf::Comments::why);
  (usable && !options.expand ? out : err) << options.file << ": " << summary(result) << '\n';
  if (!usable) return 2;
  return options.strict && result.has_warnings() ? 1 : 0;
}

int run_schema(const SchemaOptions& options, std::ostream& out) {
  out << (options.markdown ? conf::reference_markdown() : conf::json_schema());
  return 0;
}

}  // namespace telltale::proxy
