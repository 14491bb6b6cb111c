#pragma once

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>

#include "conf/model.h"

namespace telltale::proxy {

/// What the admin pages show, asked on the control thread at each request.
struct AdminSource {
  std::function<bool(std::string& why_not)> ready;   ///< /readyz: 200 or 503 with the reason
  std::function<std::string()> metrics;              ///< /metrics, Prometheus text exposition 0.0.4
  std::function<std::string()> services;             ///< /services, JSON
};

/// /livez, /readyz, /healthz (as /livez), /metrics, /services, and an index at /. Beast on the control thread's
/// io_context. GET and HEAD only; anything else 405; bodies and heads bounded; slow clients timed out.
class AdminServer {
 public:
  /// Binds at once; throws boost::system::system_error when the address is taken.
  AdminServer(boost::asio::io_context& io, const conf::Address& address, AdminSource source);
  ~AdminServer();
  conf::Address local_address() const;  ///< the real port when 0 was asked for
  void stop();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace telltale::proxy
