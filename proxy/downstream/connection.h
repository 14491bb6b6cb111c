#pragma once

#include "proxy/exchange/downstream_side.h"
#include "proxy/exchange/worker_context.h"
#include "proxy/net/stream.h"

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <unordered_map>

namespace telltale::proxy {

class Connection;

/// One worker's client connections: how many there are, which are idle, and how many each client has.
class ConnectionTable {
 public:
  /// `total` counts the connections of all workers against `max_total`.
  ConnectionTable(WorkerContext& worker, std::atomic<std::size_t>& total, std::size_t max_total)
      : worker_(worker), total_(total), max_total_(max_total) {}

  WorkerContext& worker() { return worker_; }
  std::size_t size() const { return size_; }
  /// Makes room for one more: at the limit the longest idle connection is closed. False: none is idle.
  bool admit();
  /// From now on: those that are idle, and those that become so.
  void close_idle();
  /// Called whenever the last connection has ended; a drain waits for it.
  void on_empty(std::function<void()> callback) { on_empty_ = std::move(callback); }

 private:
  friend class Connection;

  WorkerContext& worker_;
  std::atomic<std::size_t>& total_;
  std::size_t max_total_;
  std::size_t size_ = 0;
  bool closes_idle_ = false;
  std::function<void()> on_empty_;
  Connection* longest_idle_ = nullptr;
  Connection* last_idle_ = nullptr;
  std::unordered_map<net::IpAddress, std::size_t> clients_;
};

/// A client's connection, from accept to close. Loop's thread only.
class Connection {
 public:
  Connection(ConnectionTable& table, ConnectionContext context, Descriptor::Handle descriptor);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Stream& stream() { return stream_; }
  ConnectionContext& context() { return context_; }
  WorkerContext& worker() { return table_.worker_; }
  bool closes_when_idle() const { return table_.closes_idle_; }

  /// Counts this connection to its client, as the PROXY phase found it. False: the client has too many.
  bool count_client();

  /// Between requests: may be closed for another connection, or by a drain.
  void begin_idle();
  void end_idle();

 private:
  friend class ConnectionTable;

  ConnectionTable& table_;
  ConnectionContext context_;
  Stream stream_;
  Connection* shorter_idle_ = nullptr;
  Connection* longer_idle_ = nullptr;
  bool idle_ = false;
  bool counted_ = false;
};

}  // namespace telltale::proxy
