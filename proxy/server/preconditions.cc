#include "proxy/server/preconditions.h"

#include "conf/endpoints_file.h"
#include "proxy/net/transparent_source.h"
#include "proxy/server/key_files.h"
#include "proxy/tls/authorities.h"

#include <string>
#include <utility>

namespace telltale::proxy {
namespace {

void check_transparent_source(const conf::Model& model, std::vector<conf::Diagnostic>& findings) {
  for (std::size_t i = 0; i < model.services.size(); ++i) {
    if (!model.services[i].propagate.transparent_source) continue;
    if (const auto refused = try_transparent_source()) {
      findings.push_back({.severity = conf::Severity::warning,
                          .path = "services[" + std::to_string(i) + "].propagate.source_address",
                          .message = "`transparent` is not permitted to whoever runs this check: " + refused.message(),
                          .hint = std::string(transparent_source_advice)});
    }
    return;  // one finding is enough
  }
}

std::string place_of(const conf::Model& model, std::size_t file) {
  for (std::size_t i = 0; i < model.listeners.size(); ++i) {
    const auto& trust = model.listeners[i].client_ip.assertion;
    if (trust && trust->keys == file) return "listeners[" + std::to_string(i) + "].client_ip.assertion.key_file";
  }
  for (std::size_t i = 0; i < model.services.size(); ++i) {
    const auto& options = model.services[i].propagate.assertion;
    if (options && options->keys == file) return "services[" + std::to_string(i) + "].propagate.assertion.key_file";
  }
  return {};
}

void check_key_files(const conf::Model& model, std::vector<conf::Diagnostic>& findings) {
  for (std::size_t i = 0; i < model.assertion_key_files.size(); ++i) {
    const auto find = [&](conf::Severity severity, std::string message, std::string hint) {
      findings.push_back(
          {.severity = severity, .path = place_of(model, i), .message = std::move(message), .hint = std::move(hint)});
    };
    try {
      if (!read_key_file(model.assertion_key_files[i]).world_readable) continue;
      find(conf::Severity::warning, "everybody on this machine may read the keys, and sign with them", "chmod 0600");
    } catch (const KeyFileError& error) {
      find(conf::Severity::error, error.what(),
           "`echo \"$(date +%Y-%m) $(openssl rand -base64 32)\"` makes such a file");
    }
  }
}

void check_authorities(const conf::BackendTls& tls, const std::string& path, std::vector<conf::Diagnostic>& findings) {
  if (tls.ca_file.empty() || tls.verify == conf::TlsVerify::none) return;
  try {
    read_authorities(tls.ca_file);
  } catch (const CertificateError& error) {
    findings.push_back({.severity = conf::Severity::error,
                        .path = path + ".ca",
                        .message = error.what(),
                        .hint = "a file of certificates in PEM"});
  }
}

void check_own(const conf::CertificateFiles& pair, const std::string& path, std::vector<conf::Diagnostic>& findings) {
  try {
    const auto certificate = read_certificate(pair);
    for (const std::string& doubt : doubts(*certificate, std::chrono::system_clock::now(), ShownBy::client)) {
      findings.push_back({.severity = conf::Severity::warning,
                          .path = path + ".certificate",
                          .message = pair.certificate + " " + doubt,
                          .hint = {}});
    }
  } catch (const CertificateError& error) {
    findings.push_back({.severity = conf::Severity::error,
                        .path = path + (error.of_key ? ".key" : ".certificate"),
                        .message = error.what(),
                        .hint = "PEM files that belong together"});
  }
}

/// What probes have of their service's is said once.
void check_backend_tls(const conf::Model& model, std::vector<conf::Diagnostic>& findings) {
  for (std::size_t i = 0; i < model.services.size(); ++i) {
    const conf::Service& service = model.services[i];
    const std::string path = "services[" + std::to_string(i) + "].";
    if (service.tls) check_authorities(*service.tls, path + "tls", findings);
    if (service.tls && service.tls->client_certificate) {
      check_own(*service.tls->client_certificate, path + "tls.client_certificate", findings);
    }
    for (const auto& [field, health] :
         {std::pair("health", &service.health), std::pair("node_health", &service.node_health)}) {
      if (!*health || (*health)->kind != conf::ProbeKind::https) continue;
      const bool is_services =
          service.tls && service.tls->verify != conf::TlsVerify::none && (*health)->tls.ca_file == service.tls->ca_file;
      if (!is_services) check_authorities((*health)->tls, path + field + ".tls", findings);
    }
  }
}

void check_certificates(const conf::Model& model, std::vector<conf::Diagnostic>& findings) {
  for (std::size_t i = 0; i < model.listeners.size(); ++i) {
    if (!model.listeners[i].tls) continue;
    const auto& pairs = model.listeners[i].tls->certificates;
    for (std::size_t k = 0; k < pairs.size(); ++k) {
      const std::string path = "listeners[" + std::to_string(i) + "].tls.certificates[" + std::to_string(k) + "].";
      try {
        for (const std::string& doubt : doubts(*read_certificate(pairs[k]), std::chrono::system_clock::now())) {
          findings.push_back({.severity = conf::Severity::warning,
                              .path = path + "certificate",
                              .message = pairs[k].certificate + " " + doubt,
                              .hint = {}});
        }
      } catch (const CertificateError& error) {
        findings.push_back({.severity = conf::Severity::error,
                            .path = path + (error.of_key ? "key" : "certificate"),
                            .message = error.what(),
                            .hint = "PEM files that belong together"});
      }
    }
  }
}

}  // namespace

void check_preconditions(const conf::Model& model, std::vector<conf::Diagnostic>& findings) {
  check_transparent_source(model, findings);
  check_key_files(model, findings);
  check_certificates(model, findings);
  check_backend_tls(model, findings);
  conf::check_endpoints_files(model, findings);
}

}  // namespace telltale::proxy
