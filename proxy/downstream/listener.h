#pragma once

#include "proxy/downstream/connection.h"
#include "proxy/downstream/http1_session.h"
#include "proxy/net/listen_socket.h"

#include <cstdint>
#include <memory>

namespace telltale::proxy {

/// One listener of one worker: accepts, applies limits, starts a session for each connection. Loop's thread only.
class Listener {
 public:
  /// `context.peer` holds what every connection has in common. Throws std::system_error when the loop cannot take the
  /// socket.
  Listener(ConnectionTable& table, Http1TransactionPool& transactions, ConnectionContext context, UniqueFd socket,
           conf::Address address);

  void start();
  /// For connections accepted from now on.
  void use(std::shared_ptr<const Snapshot> snapshot);
  /// A listener of TCP mode refuses connections while nobody may be chosen behind any of its routes: who balances in
  /// front of us sees that at once. Called at the start, and when `service` changed.
  void follow(std::size_t service);
  /// No further connection is accepted; the kernel refuses new ones when the last worker's socket is closed.
  void stop();

 private:
  static constexpr int accepts_per_event = 64;  ///< at most; then the connections that exist get their turn
  enum class Accepted : std::uint8_t { yes, nobody, exhausted };

  Awaitable<> accept_loop();
  Accepted accept_one();
  void complain(int error);
  void pause();
  void resume();
  void serve(UniqueFd socket, const class SocketAddress& peer);

  ConnectionTable& table_;
  Http1TransactionPool& transactions_;
  ConnectionContext context_;
  conf::Address address_;
  Descriptor::Handle socket_;
  bool paused_ = false;
  EventLoop::Clock::time_point complained_at_{};  // that nothing can be accepted
};

}  // namespace telltale::proxy
