#pragma once

#include "conf/model.h"
#include "proxy/files/file_watcher.h"
#include "proxy/tls/server_contexts.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace telltale::proxy {

/// The certificates of all listeners, who vouches for their clients, and the keys of their session tickets, followed.
/// Keys that come from no file are our own, one set for all listeners, and change by themselves. Control thread only.
class TlsFiles {
 public:
  using Contexts = std::vector<std::shared_ptr<ServerContexts>>;

  /// Reads them all, and warns of what is doubtful: throws CertificateError and TicketKeyError.
  TlsFiles(boost::asio::io_context& control, std::shared_ptr<const conf::Model> model,
           std::chrono::milliseconds interval = FileWatcher::default_interval);
  TlsFiles(const TlsFiles&) = delete;
  TlsFiles& operator=(const TlsFiles&) = delete;

  /// One for each listener, null where it terminates no TLS: what one worker begins with.
  Contexts make_contexts() const;

  /// `change` is told of a listener whose files have changed and can be used; make_contexts(listener) gives each worker
  /// its own. Files that cannot be used leave the last good ones in place, and are logged once. `new_keys` is told of
  /// new ticket keys for a listener.
  using NewKeys = std::function<void(std::size_t listener, const std::shared_ptr<const TicketKeys>& keys)>;
  void watch(std::function<void(std::size_t listener)> change, NewKeys new_keys);
  std::shared_ptr<ServerContexts> make_contexts(std::size_t listener) const;
  void stop();

 private:
  ServerContexts::Certificates read(std::size_t listener) const;
  std::shared_ptr<const ClientAuthorities> read_authorities(std::size_t listener) const;
  void reload(std::size_t listener);
  void follow(const std::string& file, std::function<void()> changed);
  std::shared_ptr<const TicketKeys> read_keys(std::size_t listener) const;
  void reload_keys(std::size_t listener);
  void wait_to_rotate();

  boost::asio::io_context& control_;
  std::shared_ptr<const conf::Model> model_;
  std::vector<ServerContexts::Certificates> certificates_;             ///< by listener
  std::vector<std::shared_ptr<const ClientAuthorities>> authorities_;  ///< likewise; null: no certificate is asked for
  std::shared_ptr<const TicketKeys> own_keys_;                         ///< null: every listener's are from a file
  std::vector<std::shared_ptr<const TicketKeys>> ticket_keys_;         ///< by listener
  std::chrono::milliseconds interval_;
  std::deque<FileWatcher> watchers_;  ///< one for each file of each listener
  boost::asio::steady_timer timer_;
  std::function<void(std::size_t)> change_;
  NewKeys new_keys_;
};

}  // namespace telltale::proxy
