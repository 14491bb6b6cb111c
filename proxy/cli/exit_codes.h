#pragma once

#include <sysexits.h>

namespace telltale::proxy {

/// sysexits.h, as service managers and scripts know them. `check` has its own: 0 clean, 1 warnings under --strict, 2.
inline constexpr int exit_ok = EX_OK;
inline constexpr int exit_usage = EX_USAGE;           // 64
inline constexpr int exit_system = EX_OSERR;          // 71
inline constexpr int exit_configuration = EX_CONFIG;  // 78

}  // namespace telltale::proxy
