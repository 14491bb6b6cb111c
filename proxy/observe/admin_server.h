#pragma once

#include "conf/model.h"
#include "proxy/observe/explain_query.h"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::proxy {

/// One of the things that must be right for /readyz to say 200.
struct ReadyCheck {
  std::string_view name;
  std::string problem;  ///< empty: it is right
};

/// What the admin pages show, asked on the control thread at each request.
struct AdminSource {
  std::function<std::vector<ReadyCheck>()> ready;  ///< /readyz: 200, or 503 with every problem
  std::function<std::string()> metrics;            ///< /metrics, Prometheus text exposition 0.0.4
  std::function<std::string()> services;           ///< /services, JSON
  /// /explain: hands the page to `done`, later, on the control thread; an empty one when there is no such request. May
  /// be empty: nothing is recorded.
  std::function<void(const ExplainQuery& query, std::function<void(std::string page)> done)> explain;
  /// Calls `done` once every worker does what the other pages say now: whoever reads that an endpoint is out may rely
  /// on it. They are answered then. May be empty.
  std::function<void(std::function<void()> done)> in_force;
  /// How long workers are waited for: without their answer /explain is 503, the others are answered all the same.
  std::chrono::milliseconds workers_timeout = std::chrono::seconds(2);
};

/// /livez, /readyz (`?verbose` lists the checks as Kubernetes' does), /healthz (as /livez), /metrics, /services,
/// /explain, and an index at /. Beast on the control thread's io_context. GET and HEAD only; anything else 405; bodies
/// and heads bounded (16 KiB each); a request must be there, and its answer be taken, within 30 s; 64 connections.
///
/// Listening on a loopback address, only a Host that is an IP literal or localhost is answered, else 421: a browser
/// that DNS rebinding has led here sends the attacker's name. On another address, which somebody chose to open, names
/// must work and are not checked; on a Unix socket no browser comes. No answer ever has a CORS field.
///
/// Used on the io_context's thread once it runs; the io_context must outlive this, which `source` is not asked after.
class AdminServer {
 public:
  /// Binds at once; throws std::system_error when the address is taken. A Unix socket gets mode 0660.
  AdminServer(boost::asio::io_context& io, const conf::Address& address, AdminSource source);
  ~AdminServer();
  conf::Address local_address() const;  ///< the real port when 0 was asked for
  void stop();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace telltale::proxy
