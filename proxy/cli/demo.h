#pragma once

#include <cstdint>

namespace telltale::proxy {

struct DemoOptions {
  std::uint16_t port = 8080;  ///< if it is taken, any free one, and that is said
};

/// `telltale run --demo`: a listener on 127.0.0.1, two embedded echo backends as two nodes with health ports, and one
/// readable line for each request. Returns the exit code.
int run_demo(const DemoOptions& options);

}  // namespace telltale::proxy
