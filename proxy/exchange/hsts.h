#pragma once

#include "conf/model.h"

#include <string>

namespace telltale::proxy {

/// The line for every response of a listener, `Strict-Transport-Security: …\r\n`; empty where it has none. RFC 6797 7.1
/// and 7.2: over TLS alone.
std::string hsts_line(const conf::Listener& listener);

}  // namespace telltale::proxy
