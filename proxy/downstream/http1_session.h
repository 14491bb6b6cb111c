#pragma once

#include "proxy/downstream/http1_downstream.h"
#include "proxy/exchange/exchange.h"

#include <memory>
#include <vector>

namespace telltale::proxy {

class Connection;

/// What an HTTP/1 session needs only while a request is under way: an idle connection has none.
struct Http1Transaction {
  explicit Http1Transaction(WorkerContext& worker) : exchange(worker) {}
  Http1Downstream client;
  Exchange exchange;
};

/// One worker's transactions, reused last in, first out.
class Http1TransactionPool {
 public:
  explicit Http1TransactionPool(WorkerContext& worker) : worker_(worker) {}
  struct Return {
    Http1TransactionPool* pool;
    void operator()(Http1Transaction* transaction) const { pool->give_back(transaction); }
  };
  using Lease = std::unique_ptr<Http1Transaction, Return>;
  Lease take();

 private:
  static constexpr std::size_t max_kept = 256;
  void give_back(Http1Transaction* transaction);
  WorkerContext& worker_;
  std::vector<std::unique_ptr<Http1Transaction>> free_;
};

/// Serves requests on a connection, one after the other, until one side ends it (RFC 9112 9.3). Pipelined requests are
/// answered in order: the next is parsed when the last response has left.
Awaitable<> serve_http1(Connection& connection, Http1TransactionPool& transactions);

}  // namespace telltale::proxy
