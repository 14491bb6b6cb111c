#pragma once

#include "conf/model_service.h"

#include <chrono>
#include <cstddef>
#include <random>

/// How probes are kept from coming all at once. Pure.
namespace telltale::proxy {

/// The interval ± 10 %, each time in there as likely as the other.
std::chrono::steady_clock::duration jittered(conf::Milliseconds interval, std::minstd_rand& random);

/// How long the one at `place`, from 0, of `count` targets waits that would else be asked in one moment: a millisecond
/// for each before it, and all within one interval.
std::chrono::steady_clock::duration spread_delay(std::size_t place, std::size_t count, conf::Milliseconds interval);

}  // namespace telltale::proxy
