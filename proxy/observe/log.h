#pragma once

#include "conf/model.h"

namespace telltale::proxy {

/// Makes spdlog's default logger what the configuration says: one line a message, `human` (`2026-01-31T23:59:59.999Z
/// info  text`, coloured on a terminal) or `json` (`{"time":…,"level":…,"message":…}`), to standard error or appended
/// to a file. Whatever a message holds, it stays one line: controls are escaped, also for human eyes.
/// From here on SIGPIPE is ignored: a reader of this log or of the access log that goes away must not take us with it.
/// Throws std::system_error when the file cannot be opened; logging is then as it was. Before threads start, and again
/// on a reload, from one thread; messages may come from any thread meanwhile.
void setup_logging(const conf::Log& conf);

/// SIGUSR1: opens the file anew, because it was moved away. If that fails, says so in the old file and stays there.
/// Nothing to do for standard error. Thread safe.
void reopen_log();

}  // namespace telltale::proxy
