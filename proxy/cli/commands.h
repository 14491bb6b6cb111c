#pragma once

namespace telltale::proxy {

/// The command line: `telltale COMMAND`. Returns the exit code (exit_codes.h).
int run_command(int argc, char** argv);

}  // namespace telltale::proxy
