#include "proxy/server/backend_tls_files.h"

#include <spdlog/spdlog.h>

#include <set>
#include <string>
#include <utility>

namespace telltale::proxy {
namespace {

std::set<std::string> files_of(const conf::BackendTls& tls) {
  std::set<std::string> files;
  if (!tls.ca_file.empty() && tls.verify != conf::TlsVerify::none) files.insert(tls.ca_file);
  if (tls.client_certificate) files.insert({tls.client_certificate->certificate, tls.client_certificate->key});
  return files;
}

}  // namespace

BackendTlsFiles::BackendTlsFiles(boost::asio::io_context& control, std::shared_ptr<const conf::Model> model,
                                 std::chrono::milliseconds interval)
    : model_(std::move(model)), files_(model_->services.size()) {
  for (std::size_t i = 0; i < files_.size(); ++i) {
    if (!model_->services[i].tls) continue;
    for (const std::string& file : files_of(*model_->services[i].tls)) {
      watchers_.emplace_back(control, file, [this, i] { reload(i); }, interval).about_to_read();
    }
    files_[i] = read(i);
  }
}

std::shared_ptr<const BackendFiles> BackendTlsFiles::read(std::size_t service) const {
  const conf::Service& conf = model_->services[service];
  auto files = read_backend_files(*conf.tls);
  if (files->certificate) {
    for (const std::string& doubt : doubts(*files->certificate, std::chrono::system_clock::now(), ShownBy::client)) {
      spdlog::warn("service {}: certificate {} {}", conf.name, files->certificate->file, doubt);
    }
  }
  return files;
}

BackendTlsFiles::Contexts BackendTlsFiles::make_contexts() const {
  Contexts all;
  for (std::size_t i = 0; i < files_.size(); ++i) all.push_back(make_context(i));
  return all;
}

std::shared_ptr<ClientContext> BackendTlsFiles::make_context(std::size_t service) const {
  const conf::Service& conf = model_->services[service];
  return conf.tls ? std::make_shared<ClientContext>(*conf.tls, *files_[service]) : nullptr;
}

void BackendTlsFiles::watch(std::function<void(std::size_t)> change) {
  change_ = std::move(change);
  for (auto& watcher : watchers_) watcher.start();
}

void BackendTlsFiles::stop() {
  for (auto& watcher : watchers_) watcher.stop();
}

void BackendTlsFiles::reload(std::size_t service) {
  std::shared_ptr<const BackendFiles> before = files_[service];
  try {
    files_[service] = read(service);
    make_context(service);  // what OpenSSL refuses, it refuses here
  } catch (const CertificateError& error) {
    files_[service] = std::move(before);
    spdlog::error("service {}: {}; what it had stays in use", model_->services[service].name, error.what());
    return;
  }
  change_(service);
}

}  // namespace telltale::proxy
