#include "proxy/health/tls_contexts.h"

#include <sys/stat.h>
#include <utility>

namespace telltale::proxy {

TlsContexts::Look TlsContexts::look_at(const std::string& file) {
  struct stat status{};
  if (file.empty() || ::stat(file.c_str(), &status) != 0) return {};
  return {status.st_mtim.tv_sec * std::int64_t{1'000'000'000} + status.st_mtim.tv_nsec, status.st_ino};
}

boost::system::result<ClientContext*, TlsContexts::Error> TlsContexts::get(const conf::BackendTls& settings) {
  const auto& own = settings.client_certificate;
  const Key key(settings.verify, settings.verify == conf::TlsVerify::none ? std::string() : settings.ca_file,
                own ? own->certificate : std::string(), own ? own->key : std::string());
  const std::array looks = {look_at(std::get<1>(key)), look_at(std::get<2>(key)), look_at(std::get<3>(key))};
  Context& known = contexts_[key];
  if (known.context && known.files == looks) return known.context.get();
  try {
    known.context = std::make_unique<ClientContext>(settings, *read_backend_files(settings));
    known.files = looks;
  } catch (const CertificateError& error) {
    if (!known.context) return Error{error.what()};
  }
  return known.context.get();
}

}  // namespace telltale::proxy
