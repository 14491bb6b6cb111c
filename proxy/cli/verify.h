#pragma once

#include "protocol/assertion/assertion.h"

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

namespace telltale::proxy {

struct VerifyOptions {
  std::string assertion;
  std::string key_file;  ///< empty: none, so that nothing can be valid
  assertion::Window window;
  std::optional<std::string> authority;  ///< lower case; nullopt: not compared
  std::int64_t now = 0;                  ///< seconds since 1970 UTC
};

/// `telltale verify`: what the assertion says, and the verdict, to `out`; a key file that cannot be used to `err`.
/// Returns the exit code: 0 valid, 1 not, 64 for the key file.
int run_verify(const VerifyOptions& options, std::ostream& out, std::ostream& err);

}  // namespace telltale::proxy
