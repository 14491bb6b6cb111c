#pragma once

#include "protocol/tls/client_hello.h"

#include <string_view>

namespace telltale::tls {

/// Reads one whole ClientHello, behind the head of its handshake message, into `hello`, which has its default values.
/// Error{}: accepted.
Error parse_client_hello(std::string_view body, ClientHello& hello);

}  // namespace telltale::tls
