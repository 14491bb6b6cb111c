#include "proxy/health/body_patterns.h"

#include <re2/re2.h>

namespace telltale::proxy {

BodyPatterns::BodyPatterns() = default;
BodyPatterns::~BodyPatterns() = default;

bool BodyPatterns::found(const std::string& pattern, std::string_view body) {
  auto& compiled = compiled_[pattern];
  if (!compiled) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(1 << 20);  // of the automaton that it builds as it goes: 8 MB otherwise
    compiled = std::make_unique<re2::RE2>(pattern, options);
  }
  return compiled->ok() && re2::RE2::PartialMatch(re2::StringPiece(body.data(), body.size()), *compiled);
}

}  // namespace telltale::proxy
