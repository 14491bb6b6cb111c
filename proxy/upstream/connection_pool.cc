#include "proxy/upstream/connection_pool.h"

#include <boost/asio/error.hpp>

#include <algorithm>

namespace telltale::proxy {
namespace {

/// Nothing came that anybody has to see, and no end.
bool is_silent(Stream& stream) {
  if (TlsChannel* tls = stream.tls()) return !stream.may_have_more() || tls->is_silent();
  return !stream.descriptor().readable() || stream.read(1).error == boost::asio::error::would_block;
}

}  // namespace

ConnectionPool::~ConnectionPool() { close_all(); }

void ConnectionPool::close_all() {
  while (plain_.oldest != nullptr) take(plain_.oldest);
  while (identified_.oldest != nullptr) take(identified_.oldest);
}

void ConnectionPool::push(UpstreamConnection* connection) {
  List& list = list_of(*connection);
  connection->pool_ = this;
  connection->older_ = list.newest;
  connection->newer_ = nullptr;
  (list.newest != nullptr ? list.newest->newer_ : list.oldest) = connection;
  list.newest = connection;
  ++list.size;
  metrics_.connections_idle.add();
  if (!connection->identity.empty()) by_identity_[connection->identity].push_back(connection);
  if (connection->slot) connection->slot.line()->begin_idle(*connection);
}

std::unique_ptr<UpstreamConnection> ConnectionPool::take(UpstreamConnection* connection) {
  List& list = list_of(*connection);
  (connection->newer_ != nullptr ? connection->newer_->older_ : list.newest) = connection->older_;
  (connection->older_ != nullptr ? connection->older_->newer_ : list.oldest) = connection->newer_;
  --list.size;
  metrics_.connections_idle.sub();
  if (!connection->identity.empty()) {
    const auto found = by_identity_.find(connection->identity);
    std::erase(found->second, connection);
    if (found->second.empty()) by_identity_.erase(found);
  }
  if (connection->slot) connection->slot.line()->end_idle(*connection);
  connection->stream.descriptor().input().disarm();
  connection->stream.expires_never();
  return std::unique_ptr<UpstreamConnection>(connection);
}

std::unique_ptr<UpstreamConnection> ConnectionPool::acquire(std::string_view identity) {
  for (;;) {
    UpstreamConnection* candidate = plain_.newest;
    if (!identity.empty()) {
      const auto found = by_identity_.find(identity);
      candidate = found == by_identity_.end() ? nullptr : found->second.back();
    }
    if (candidate == nullptr) return nullptr;
    auto connection = take(candidate);
    // An edge that came in this very pass and was not handled yet: an answer nobody asked for, or the end.
    if (connection->stream.descriptor().readable() && !(connection->stream.tls() && is_silent(connection->stream)))
      continue;
    connection->reused = true;
    return connection;
  }
}

void ConnectionPool::release(std::unique_ptr<UpstreamConnection> connection) {
  Stream& stream = connection->stream;
  if (stream.has_unread() || stream.descriptor().saw_hangup()) return;
  if (!is_silent(stream)) return;
  if (connection->slot && connection->slot.line()->is_wanted_elsewhere()) return;
  List& list = list_of(*connection);
  const std::size_t limit = connection->identity.empty() ? limits_.max_idle : limits_.max_idle_identities;
  if (limit == 0) return;
  if (list.size >= limit) take(list.oldest);
  stream.expires_after(limits_.idle_timeout);
  UpstreamConnection* raw = connection.release();
  push(raw);
  watch(raw);
}

/// TLS says things on its own account, such as session tickets: only what is left then is unexpected.
void ConnectionPool::watch(UpstreamConnection* connection) {
  connection->stream.async_readable([connection](boost::system::error_code error) {
    if (!error && connection->stream.tls() && is_silent(connection->stream)) return watch(connection);
    connection->pool_->take(connection);
  });
}

}  // namespace telltale::proxy
