#pragma once

#include "conf/model_service.h"

#include <boost/system/result.hpp>
#include <openssl/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace telltale::proxy {

/// The OpenSSL contexts of probes: one for each way to verify, shared by all connections that do. Not thread safe.
/// TLS 1.2 and 1.3, ALPN http/1.1; a connection that is silent holds no buffer.
class TlsContexts {
 public:
  struct Error {
    std::string message;  ///< what could not be read, and why
  };

  TlsContexts();
  ~TlsContexts();

  /// A `ca_file` that has changed is read again: connections made from then on are verified by it. The pointer is good
  /// until the next call; a connection keeps what it needs of it. Fails for a ca_file that cannot be used.
  boost::system::result<SSL_CTX*, Error> get(const conf::BackendTls& settings);

 private:
  struct Freer {
    void operator()(SSL_CTX* context) const;
  };
  struct Context {
    std::unique_ptr<SSL_CTX, Freer> context;
    std::int64_t file_time = 0;  // nanoseconds; of the ca_file that was read
    std::uint64_t file_id = 0;
  };
  std::map<std::pair<conf::TlsVerify, std::string>, Context> contexts_;
};

}  // namespace telltale::proxy
