#pragma once

#include "conf/model.h"
#include "conf/published_ranges.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::conf {

enum class Severity { error, warning };

/// One finding, with its place: `file:line:column: error: services[0].nodes[1].address: …`, the line, a caret, a hint.
struct Diagnostic {
  Severity severity;
  std::size_t line = 0, column = 0;  ///< from 1; 0 when the file as a whole is meant
  std::string path;                  ///< services[0].nodes[1].address
  std::string message;               ///< what is wrong
  std::string hint;                  ///< what would be right; may be empty
};

struct LoadResult {
  std::shared_ptr<const Model> model;   ///< null iff there is an error
  std::vector<Diagnostic> diagnostics;  ///< all of them, in the order of the file
  std::string text;                     ///< the source, for the carets
  bool has_errors() const;
  bool has_warnings() const;
};

/// Reads a ranges file; load_ranges() but for tests.
using RangesLoader = std::function<RangesResult(const std::string& path)>;

using Environment = std::function<std::optional<std::string>(std::string_view)>;

/// Parses, expands ${ENV} and ${ENV:-default}, validates and resolves. Never throws for what the text says. Pure but
/// for `environment` (the process's by default) and the file that `ranges:` names.
LoadResult load_text(std::string text, const Environment& environment = {}, const RangesLoader& ranges = load_ranges);
/// Likewise, from a file; an unreadable file is a diagnostic.
LoadResult load_file(const std::string& path, const Environment& environment = {});

/// Every diagnostic as people read it.
std::string render(const LoadResult& result, std::string_view file_name);

/// The JSON Schema of the configuration file (draft 2020-12), from the table that the validator walks.
std::string json_schema();

/// The tables of conf/README.md, from the same table.
std::string reference_markdown();

}  // namespace telltale::conf
