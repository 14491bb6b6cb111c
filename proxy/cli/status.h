#pragma once

#include <string>

namespace telltale::proxy {

struct StatusOptions {
  std::string admin = "127.0.0.1:9901";  ///< host:port, [v6]:port or unix:/path
};

/// `telltale status`: asks the admin server's /readyz and prints its answer. 0: ready, 1: not ready or not there,
/// 64: a bad address. For container health checks, where there is no curl.
int run_status(const StatusOptions& options);

}  // namespace telltale::proxy
