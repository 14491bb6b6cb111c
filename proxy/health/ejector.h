#pragma once

#include "proxy/health/ejections.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace telltale::proxy {

/// Passive health: hears from the workers' threads of endpoints that fail, decides on the control thread
/// (ejections.h), and tells whoever publishes who may be chosen. Control thread only, but for what services report.
class Ejector : public std::enable_shared_from_this<Ejector> {
 public:
  /// `on_change`: which endpoints of the service are out changed.
  Ejector(boost::asio::io_context& io, std::vector<std::shared_ptr<Service>> services, Location location,
          std::function<void(std::size_t service)> on_change);

  /// Listens to every service that has `ejection`. Before any worker runs.
  void start();
  /// Nothing comes, and nobody comes back, after it.
  void stop();

  /// After every active probe that succeeded.
  void succeeded(const ProbeTarget& target, std::chrono::steady_clock::time_point began);
  /// Ejections of the service so far.
  std::uint64_t total(std::size_t service) const { return ejections_.total(service); }

 private:
  void failing(std::size_t service, std::uint64_t id, const std::string& why);
  void tell(const std::vector<std::size_t>& changed);
  void arm();

  boost::asio::io_context& io_;
  std::vector<std::shared_ptr<Service>> services_;
  Ejections ejections_;
  std::function<void(std::size_t)> on_change_;
  boost::asio::steady_timer timer_;
  bool stopped_ = false;
};

}  // namespace telltale::proxy
