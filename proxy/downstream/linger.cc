#include "proxy/downstream/linger.h"

#include <boost/asio/error.hpp>

#include <chrono>
#include <cstddef>

namespace telltale::proxy {
namespace {

constexpr std::chrono::milliseconds linger_time{2000};
constexpr std::size_t linger_octets = 4 * 1024 * 1024;

}  // namespace

Awaitable<> linger(Stream& stream) {
  stream.shutdown_write();
  stream.expires_after(linger_time);
  for (std::size_t total = 0; total < linger_octets;) {
    const ReadResult got = stream.read();
    total += got.octets.size();
    if (got.error == boost::asio::error::would_block) {
      const auto [error] = co_await stream.async_readable(as_result);
      if (error) break;
    } else if (got.error) {
      break;
    }
  }
}

}  // namespace telltale::proxy
