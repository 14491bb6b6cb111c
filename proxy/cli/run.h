#pragma once

#include <string>

namespace telltale::proxy {

inline constexpr const char* default_config_path = "/etc/telltale/telltale.yaml";

struct RunOptions {
  std::string config_path = default_config_path;
  std::string tls_key_log;  ///< a file; empty: none
};

/// `telltale run`: serves until a signal ends it. Returns the exit code; says on standard error what went wrong.
int run_proxy(const RunOptions& options);

}  // namespace telltale::proxy
