#pragma once

#include "conf/model_service.h"

#include <string>

namespace telltale::proxy {

/// What makes two probes the same one: everything that is sent, where to, when, and how its answer is judged.
/// `host` is health.host or its default, `host_name` what the address was found by.
std::string probe_key(const conf::Health& health, const std::string& host, const conf::Address& address,
                      const std::string& host_name);

}  // namespace telltale::proxy
