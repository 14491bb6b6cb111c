#pragma once

#include <openssl/types.h>

#include <chrono>

namespace telltale::proxy {

/// A time in a certificate, or in what is said of one. The epoch for what is none.
std::chrono::system_clock::time_point time_of(const ASN1_TIME* time);

}  // namespace telltale::proxy
