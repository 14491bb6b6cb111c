#pragma once

#include "proxy/cli/run.h"

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace telltale::proxy {

struct ExplainOptions {
  std::string config_path = default_config_path;
  std::string listener;                    ///< empty: the only one
  std::string peer, local;                 ///< ADDRESS[:PORT] or unix; ADDRESS:PORT or empty
  std::vector<std::string> proxy_headers;  ///< proxy_header_text.h
  std::string proxy_header_file;           ///< octets as they are, behind proxy_headers; empty: none
  std::vector<std::string> headers;        ///< `Name: value`
  std::string method = "GET", path = "/", host;
  std::string assertion_keys;  ///< a key file; empty: the listener's own
  std::int64_t now = 0;        ///< when the assertion comes, seconds since 1970 UTC
  bool json = false;
};

/// `telltale explain`: to `out` who the client of such a request would be, why, and what the backends would be told.
/// Returns the exit code: 0, whatever would become of the request; 64 for options that make no sense, 78 for a
/// configuration that cannot be used. Binds and connects nothing.
int run_explain(const ExplainOptions& options, std::ostream& out, std::ostream& err);

}  // namespace telltale::proxy
