#pragma once

#include "proxy/observe/selection_reports.h"
#include "proxy/server/service_health.h"
#include "proxy/upstream/directory.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace telltale::proxy {

/// Logs, for each service, when nobody may be chosen any more, when only those are left that one would rather not
/// choose, and when that is over. Control thread only.
class SelectionLog {
 public:
  /// Says nothing of traffic that is not served.
  SelectionLog(boost::asio::io_context& io, const Directory& directory, ServedTraffic served);
  /// After each publication of the service, and once before.
  void published(std::size_t service);
  void stop();

 private:
  void say(std::size_t item) const;
  void arm();

  const Directory& directory_;
  ServedTraffic served_;
  SelectionReports reports_;  // item: service * traffic_kinds + TrafficKind
  boost::asio::steady_timer timer_;
  bool stopped_ = false;
};

}  // namespace telltale::proxy
