#pragma once

#include "conf/endpoints_file.h"
#include "conf/model.h"
#include "proxy/discovery/name_table.h"
#include "proxy/discovery/resolver.h"
#include "proxy/discovery/status.h"
#include "proxy/files/file_watcher.h"
#include "proxy/upstream/members.h"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace telltale::proxy {

/// Why an endpoints file cannot be used: a fault of the configuration. `what()` has a line for each problem.
struct EndpointsFileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct DiscoveryOptions {
  /// Called only if there are names, or a file that may bring some. Default: DnsClient.
  std::function<std::unique_ptr<Resolver>(boost::asio::io_context&, const conf::Dns&)> make_resolver;
  std::string hosts_file = "/etc/hosts";
  FollowedName::HasRoute has_route;  ///< default: proxy/net/route.h
  std::function<double()> random;    ///< uniform in [0, 1)
  std::chrono::milliseconds file_interval = FileWatcher::default_interval;
};

/// Who serves for each service, where that is not all in the configuration: names are looked up and files followed, as
/// README.md beside this file says. One for the process; control thread only, callbacks too.
class Discovery {
 public:
  using Options = DiscoveryOptions;
  /// May call any of this but not destroy it.
  using OnChange = std::function<void(std::size_t service, Members members)>;

  /// Reads the files: throws EndpointsFileError; std::system_error where c-ares cannot be set up.
  Discovery(boost::asio::io_context& io, const conf::Dns& dns, std::span<const conf::Service> services,
            OnChange on_change, Options options = {});
  ~Discovery();
  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  /// Whether its members may change: it has names, or a file.
  bool follows(std::size_t service) const;
  /// Before start(), of a service that is followed: what is configured by address, and in the file.
  Members initial(std::size_t service) const;

  /// From now on `on_change` is told of all members of a service whenever they are others. `settled` is called once,
  /// when every name has been looked up, with whatever outcome: until then a service may have nobody only because it is
  /// early. It comes within this call where there is no name.
  void start(std::function<void()> settled = {});
  /// Idempotent: no callback comes after it.
  void stop();

  DiscoveryStatus describe(std::size_t service) const;
  DiscoveryCounts counts() const;

 private:
  struct Followed;

  void load(Followed& followed);
  void reload(std::size_t service);
  void follow_names();
  void on_lookup(const NameTable::Key& key, bool changed);
  void check_settled();
  bool has_unsettled(const Followed& followed) const;
  void publish(std::size_t service);
  Members members_of(Followed& followed) const;

  OnChange on_change_;
  std::vector<std::unique_ptr<Followed>> services_;          // null: not followed
  std::map<NameTable::Key, std::vector<std::size_t>> uses_;  // services by name
  std::unique_ptr<Resolver> resolver_;                       // null: nobody can have a name
  std::unique_ptr<NameTable> names_;                         // likewise
  std::function<void()> settled_;
  std::uint64_t files_loaded_ = 0, files_refused_ = 0;
  bool running_ = false;
};

}  // namespace telltale::proxy
