#include "proxy/files/small_file.h"

#include "proxy/net/unique_fd.h"

#include <openssl/crypto.h>

#include <cerrno>
#include <fcntl.h>
#include <stdexcept>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace telltale::proxy {

// Delegating, so that what was read is wiped when the rest fails.
SmallFile::SmallFile(const std::string& path, std::size_t max_octets) : SmallFile() {
  const auto fail = [&path](const std::string& why) { throw std::runtime_error(path + ": " + why); };
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0) fail(std::system_category().message(errno));
  if (!S_ISREG(status.st_mode)) fail("not a regular file");
  const std::string too_long = "longer than " + std::to_string(max_octets) + " bytes";
  if (status.st_size > static_cast<off_t>(max_octets)) fail(too_long);
  world_readable_ = (status.st_mode & S_IROTH) != 0;
  octets_ = std::make_unique<char[]>(max_octets + 1);
  while (size_ <= max_octets) {
    const ssize_t got = ::read(fd.get(), octets_.get() + size_, max_octets + 1 - size_);
    if (got == 0) return;
    if (got > 0) size_ += static_cast<std::size_t>(got);
    if (got < 0 && errno != EINTR) fail(std::system_category().message(errno));
  }
  fail(too_long);
}

SmallFile::~SmallFile() {
  if (octets_) OPENSSL_cleanse(octets_.get(), size_);
}

}  // namespace telltale::proxy
