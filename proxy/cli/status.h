#pragma once

#include <string>
#include <string_view>

namespace telltale::proxy {

struct StatusOptions {
  std::string admin = "127.0.0.1:9901";  ///< host:port, [v6]:port or unix:/path
  bool quiet = false;                    ///< only whether it is ready
};

/// `telltale status`: asks the admin server's /readyz and /services and prints whether it is ready and, unless `quiet`,
/// who serves, in which state, since when and why. 0: ready, 1: not ready or not there, 64: a bad address. For people,
/// and for container health checks, where there is no curl.
int run_status(const StatusOptions& options);

/// The services of a /services page for people, a paragraph each. Empty: it is no such page.
std::string services_as_text(std::string_view json);

}  // namespace telltale::proxy
