#pragma once

#include "conf/model_tls.h"
#include "proxy/tls/client_context.h"

#include <boost/system/result.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>

namespace telltale::proxy {

/// What probes speak TLS with: one context for each way to verify, and to prove who we are, shared by all targets that
/// have it. Not thread safe.
class TlsContexts {
 public:
  struct Error {
    std::string message;  ///< what could not be read, and why
  };

  /// Files that have changed are read again: connections made from then on are verified by them. Those that cannot be
  /// read, or used, leave in place what was there; else it fails. The pointer is good until the next call.
  boost::system::result<ClientContext*, Error> get(const conf::BackendTls& settings);

 private:
  /// Of one file: nothing, where there is none.
  struct Look {
    std::int64_t time = 0;  // nanoseconds; of its last change
    std::uint64_t id = 0;
    friend bool operator==(const Look&, const Look&) = default;
  };
  using Key = std::tuple<conf::TlsVerify, std::string, std::string, std::string>;  // ca, certificate, key
  struct Context {
    std::unique_ptr<ClientContext> context;
    std::array<Look, 3> files;  // as they were when it was made
  };
  static Look look_at(const std::string& file);

  std::map<Key, Context> contexts_;
};

}  // namespace telltale::proxy
