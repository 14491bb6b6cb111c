#include "proxy/downstream/connection.h"

#include <boost/asio/error.hpp>

#include <utility>

namespace telltale::proxy {

bool ConnectionTable::admit() {
  if (total_.load(std::memory_order_relaxed) < max_total_) return true;
  if (longest_idle_ == nullptr) return false;
  longest_idle_->stream_.descriptor().input().fail(boost::asio::error::operation_aborted);
  return true;
}

void ConnectionTable::close_idle() {
  closes_idle_ = true;
  // Failing the wait ends the session, which takes the connection off this list.
  while (longest_idle_ != nullptr) {
    longest_idle_->stream_.descriptor().input().fail(boost::asio::error::operation_aborted);
  }
}

Connection::Connection(ConnectionTable& table, ConnectionContext context, Descriptor::Handle descriptor)
    : table_(table), context_(std::move(context)), stream_(std::move(descriptor)) {
  ++table_.size_;
  table_.total_.fetch_add(1, std::memory_order_relaxed);
  context_.listener_connections->fetch_add(1, std::memory_order_relaxed);
  context_.metrics->connections_active.add();
}

Connection::~Connection() {
  end_idle();
  stream_.close();
  if (counted_) {
    const auto found = table_.clients_.find(context_.peer.hop()->address);
    if (--found->second == 0) table_.clients_.erase(found);
  }
  context_.metrics->connections_active.sub();
  context_.listener_connections->fetch_sub(1, std::memory_order_relaxed);
  table_.total_.fetch_sub(1, std::memory_order_relaxed);
  if (--table_.size_ == 0 && table_.on_empty_) table_.on_empty_();
}

bool Connection::count_client() {
  const std::size_t limit = context_.listener->limits.max_connections_per_client;
  if (limit == 0 || !context_.peer.hop()) return true;
  std::size_t& count = table_.clients_[context_.peer.hop()->address];
  if (count >= limit) return false;
  ++count;
  counted_ = true;
  return true;
}

void Connection::begin_idle() {
  idle_ = true;
  longer_idle_ = table_.last_idle_;
  shorter_idle_ = nullptr;
  (table_.last_idle_ != nullptr ? table_.last_idle_->shorter_idle_ : table_.longest_idle_) = this;
  table_.last_idle_ = this;
}

void Connection::end_idle() {
  if (!std::exchange(idle_, false)) return;
  (longer_idle_ != nullptr ? longer_idle_->shorter_idle_ : table_.longest_idle_) = shorter_idle_;
  (shorter_idle_ != nullptr ? shorter_idle_->longer_idle_ : table_.last_idle_) = longer_idle_;
}

}  // namespace telltale::proxy
