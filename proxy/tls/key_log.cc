#include "proxy/tls/key_log.h"

#include "proxy/net/unique_fd.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace telltale::proxy {
namespace {

UniqueFd file;  // not open: nothing is logged

/// From any worker: with O_APPEND one write is one line, whoever else writes.
void write_line(const SSL*, const char* line) {
  std::string text = line;
  text += '\n';
  [[maybe_unused]] const ssize_t written = ::write(file.get(), text.data(), text.size());
  OPENSSL_cleanse(text.data(), text.size());
}

}  // namespace

void log_tls_keys(const std::string& path) {
  const auto fail = [&path](const std::string& why) { throw KeyLogError("--tls-key-log " + path + ": " + why); };
  UniqueFd opened(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600));
  struct stat status{};
  if (!opened || ::fstat(opened.get(), &status) != 0) fail(std::system_category().message(errno));
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) fail("others than its owner may read or write it; chmod 0600");
  file = std::move(opened);
  spdlog::warn(
      "--tls-key-log: the keys of every TLS connection are written to {}: whoever has it can read them all. "
      "For debugging, never in production",
      path);
}

void log_keys_of(SSL_CTX* context) {
  if (file) SSL_CTX_set_keylog_callback(context, write_line);
}

}  // namespace telltale::proxy
