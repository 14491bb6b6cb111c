#pragma once

#include "conf/model.h"
#include "proxy/files/file_watcher.h"
#include "proxy/tls/client_context.h"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace telltale::proxy {

/// The authorities and certificates by which services speak TLS to their backends, followed. Control thread only.
class BackendTlsFiles {
 public:
  using Contexts = std::vector<std::shared_ptr<ClientContext>>;

  /// Reads them all, and warns of what is doubtful: throws CertificateError.
  BackendTlsFiles(boost::asio::io_context& control, std::shared_ptr<const conf::Model> model,
                  std::chrono::milliseconds interval = FileWatcher::default_interval);
  BackendTlsFiles(const BackendTlsFiles&) = delete;
  BackendTlsFiles& operator=(const BackendTlsFiles&) = delete;

  /// One for each service, null where it speaks none: what one worker begins with.
  Contexts make_contexts() const;
  std::shared_ptr<ClientContext> make_context(std::size_t service) const;

  /// `change` is told of a service whose files have changed and can be used; make_context() gives each worker its own.
  /// Files that cannot be used leave the last good ones in place, and are logged once.
  void watch(std::function<void(std::size_t service)> change);
  void stop();

 private:
  std::shared_ptr<const BackendFiles> read(std::size_t service) const;
  void reload(std::size_t service);

  std::shared_ptr<const conf::Model> model_;
  std::vector<std::shared_ptr<const BackendFiles>> files_;  ///< by service
  std::deque<FileWatcher> watchers_;                        ///< one for each file of each service
  std::function<void(std::size_t)> change_;
};

}  // namespace telltale::proxy
