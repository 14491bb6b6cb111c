#pragma once

#include "conf/model_service.h"

#include <vector>

namespace telltale::proxy {

/// Who serves for one service, with numeric addresses only: what is configured, what names resolved to, what its file
/// lists.
struct Members {
  std::vector<conf::Node> nodes;
  std::vector<conf::Endpoint> endpoints;
  friend bool operator==(const Members&, const Members&) = default;
};

}  // namespace telltale::proxy
