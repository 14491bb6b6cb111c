#include "proxy/server/tls_files.h"

#include <spdlog/spdlog.h>

#include <set>
#include <string>
#include <utility>

namespace telltale::proxy {

TlsFiles::TlsFiles(boost::asio::io_context& control, std::shared_ptr<const conf::Model> model,
                   std::chrono::milliseconds interval)
    : control_(control),
      model_(std::move(model)),
      certificates_(model_->listeners.size()),
      authorities_(model_->listeners.size()),
      ticket_keys_(model_->listeners.size()),
      interval_(interval),
      timer_(control) {
  for (std::size_t i = 0; i < certificates_.size(); ++i) {
    const auto& tls = model_->listeners[i].tls;
    if (!tls) continue;
    std::set<std::string> files;
    for (const auto& each : tls->certificates) files.insert({each.certificate, each.key, each.ocsp});
    if (tls->asks_for_certificate())
      files.insert({tls->client_certificates->ca_file, tls->client_certificates->crl_file});
    files.erase("");
    for (const std::string& file : files) follow(file, [this, i] { reload(i); });
    certificates_[i] = read(i);
    authorities_[i] = read_authorities(i);
    if (!tls->ticket_key_file.empty()) {
      follow(tls->ticket_key_file, [this, i] { reload_keys(i); });
      ticket_keys_[i] = read_keys(i);
      continue;
    }
    if (own_keys_ == nullptr) own_keys_ = TicketKeys::make();
    ticket_keys_[i] = own_keys_;
  }
}

void TlsFiles::follow(const std::string& file, std::function<void()> changed) {
  watchers_.emplace_back(control_, file, std::move(changed), interval_).about_to_read();
}

ServerContexts::Certificates TlsFiles::read(std::size_t listener) const {
  const conf::Listener& conf = model_->listeners[listener];
  ServerContexts::Certificates certificates;
  for (const auto& files : conf.tls->certificates) {
    certificates.push_back(read_certificate(files));
    for (const std::string& doubt : doubts(*certificates.back(), std::chrono::system_clock::now())) {
      spdlog::warn("listener {}: certificate {} {}", conf.name, files.certificate, doubt);
    }
    if (certificates.back()->ocsp == nullptr) continue;
    for (const std::string& doubt : doubts(*certificates.back()->ocsp, std::chrono::system_clock::now())) {
      spdlog::warn("listener {}: OCSP response {} {}", conf.name, files.ocsp, doubt);
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
                                          ticket_keys_[listener]);
}

std::shared_ptr<const TicketKeys> TlsFiles::read_keys(std::size_t listener) const {
  const conf::Listener& conf = model_->listeners[listener];
  TicketKeyFile file = read_ticket_keys(conf.tls->ticket_key_file);
  if (file.world_readable) {
    spdlog::warn(
        "listener {}: ticket key file {}: everybody on this machine may read it, and the connections that are "
        "resumed; chmod 0600",
        conf.name, conf.tls->ticket_key_file);
  }
  return std::move(file.keys);
}

void TlsFiles::watch(std::function<void(std::size_t)> change, NewKeys new_keys) {
  if (watchers_.empty()) return;
  change_ = std::move(change);
  new_keys_ = std::move(new_keys);
  for (auto& watcher : watchers_) watcher.start();
  if (own_keys_) wait_to_rotate();
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

void TlsFiles::reload_keys(std::size_t listener) {
  try {
    ticket_keys_[listener] = read_keys(listener);
  } catch (const TicketKeyError& error) {
    spdlog::error("listener {}: {}; the keys it had stay in use", model_->listeners[listener].name, error.what());
    return;
  }
  new_keys_(listener, ticket_keys_[listener]);
}

void TlsFiles::wait_to_rotate() {
  timer_.expires_after(TicketKeys::rotation);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    const auto before = std::exchange(own_keys_, own_keys_->rotated());
    for (std::size_t i = 0; i < ticket_keys_.size(); ++i) {
      if (ticket_keys_[i] != before) continue;
      ticket_keys_[i] = own_keys_;
      new_keys_(i, own_keys_);
    }
    wait_to_rotate();
  });
}

}  // namespace telltale::proxy
