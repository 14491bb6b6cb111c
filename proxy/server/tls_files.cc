#include "proxy/server/tls_files.h"

#include <spdlog/spdlog.h>

#include <set>
#include <string>
#include <utility>

namespace telltale::proxy {

TlsFiles::TlsFiles(boost::asio::io_context& control, std::shared_ptr<const conf::Model> model,
                   std::chrono::milliseconds interval)
    : model_(std::move(model)),
      certificates_(model_->listeners.size()),
      authorities_(model_->listeners.size()),
      timer_(control) {
  for (std::size_t i = 0; i < certificates_.size(); ++i) {
    if (!model_->listeners[i].tls) continue;
    std::set<std::string> files;
    for (const auto& pair : model_->listeners[i].tls->certificates) files.insert({pair.certificate, pair.key});
    if (model_->listeners[i].tls->asks_for_certificate()) {
      const conf::ClientCertificates& clients = *model_->listeners[i].tls->client_certificates;
      files.insert(clients.ca_file);
      if (!clients.crl_file.empty()) files.insert(clients.crl_file);
    }
    for (const std::string& file : files) {
      watchers_.emplace_back(control, file, [this, i] { reload(i); }, interval).about_to_read();
    }
    certificates_[i] = read(i);
    authorities_[i] = read_authorities(i);
  }
  if (!watchers_.empty()) ticket_keys_ = TicketKeys::make();
}

ServerContexts::Certificates TlsFiles::read(std::size_t listener) const {
  const conf::Listener& conf = model_->listeners[listener];
  ServerContexts::Certificates certificates;
  for (const auto& files : conf.tls->certificates) {
    certificates.push_back(read_certificate(files));
    for (const std::string& doubt : doubts(*certificates.back(), std::chrono::system_clock::now())) {
      spdlog::warn("listener {}: certificate {} {}", conf.name, files.certificate, doubt);
    }
  }
  return certificates;
}

std::shared_ptr<const ClientAuthorities> TlsFiles::read_authorities(std::size_t listener) const {
  const conf::Listener& conf = model_->listeners[listener];
  if (!conf.tls->asks_for_certificate()) return nullptr;
  const conf::ClientCertificates& files = *conf.tls->client_certificates;
  auto authorities = read_client_authorities(files);
  for (const AuthorityDoubt& doubt : doubts(*authorities, std::chrono::system_clock::now())) {
    spdlog::warn("listener {}: {}: {}", conf.name, doubt.of_list ? files.crl_file : files.ca_file, doubt.text);
  }
  return authorities;
}

TlsFiles::Contexts TlsFiles::make_contexts() const {
  Contexts all;
  for (std::size_t i = 0; i < certificates_.size(); ++i) all.push_back(make_contexts(i));
  return all;
}

std::shared_ptr<ServerContexts> TlsFiles::make_contexts(std::size_t listener) const {
  const conf::Listener& conf = model_->listeners[listener];
  if (!conf.tls) return nullptr;
  return std::make_shared<ServerContexts>(*conf.tls, conf.name, certificates_[listener], authorities_[listener],
                                          ticket_keys_);
}

void TlsFiles::watch(std::function<void(std::size_t)> change,
                     std::function<void(std::shared_ptr<const TicketKeys>)> rotated) {
  if (watchers_.empty()) return;
  change_ = std::move(change);
  rotated_ = std::move(rotated);
  for (auto& watcher : watchers_) watcher.start();
  wait_to_rotate();
}

void TlsFiles::stop() {
  timer_.cancel();
  for (auto& watcher : watchers_) watcher.stop();
}

void TlsFiles::reload(std::size_t listener) {
  const std::string& name = model_->listeners[listener].name;
  ServerContexts::Certificates before = certificates_[listener];
  std::shared_ptr<const ClientAuthorities> authorities_before = authorities_[listener];
  try {
    certificates_[listener] = read(listener);
    authorities_[listener] = read_authorities(listener);
    make_contexts(listener);  // what OpenSSL refuses, it refuses here
  } catch (const CertificateError& error) {
    certificates_[listener] = std::move(before);
    authorities_[listener] = std::move(authorities_before);
    spdlog::error("listener {}: {}; the certificates it had stay in use", name, error.what());
    return;
  }
  change_(listener);
}

void TlsFiles::wait_to_rotate() {
  timer_.expires_after(TicketKeys::rotation);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    ticket_keys_ = ticket_keys_->rotated();
    rotated_(ticket_keys_);
    wait_to_rotate();
  });
}

}  // namespace telltale::proxy
