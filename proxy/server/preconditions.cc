#include "proxy/server/preconditions.h"

#include "conf/endpoints_file.h"
#include "proxy/net/transparent_source.h"
#include "proxy/server/key_files.h"
#include "proxy/tls/authorities.h"
#include "proxy/tls/certificate.h"
#include "proxy/tls/client_authorities.h"
#include "proxy/tls/ticket_keys.h"

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

void check_certificate(const conf::CertificateFiles& files, const std::string& path,
                       std::vector<conf::Diagnostic>& findings, ShownBy shown_by) {
  const auto now = std::chrono::system_clock::now();
  const auto find = [&](conf::Severity severity, std::string_view field, std::string message, std::string hint) {
    findings.push_back({.severity = severity,
                        .path = path + std::string(field),
                        .message = std::move(message),
                        .hint = std::move(hint)});
  };
  try {
    const auto certificate = read_certificate(files);
    for (const std::string& doubt : doubts(*certificate, now, shown_by)) {
      find(conf::Severity::warning, "certificate", files.certificate + " " + doubt, {});
    }
    if (certificate->ocsp == nullptr) return;
    for (const std::string& doubt : doubts(*certificate->ocsp, now)) {
      find(conf::Severity::warning, "ocsp", files.ocsp + " " + doubt, {});
    }
  } catch (const OcspError& error) {
    find(conf::Severity::error, "ocsp", error.what(), "`openssl ocsp -respout` writes one; or remove `ocsp`");
  } catch (const CertificateError& error) {
    find(conf::Severity::error, error.of_key ? "key" : "certificate", error.what(), "PEM files that belong together");
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

/// What probes have of their service's is said once.
void check_backend_tls(const conf::Model& model, std::vector<conf::Diagnostic>& findings) {
  for (std::size_t i = 0; i < model.services.size(); ++i) {
    const conf::Service& service = model.services[i];
    const std::string path = "services[" + std::to_string(i) + "].";
    if (service.tls) check_authorities(*service.tls, path + "tls", findings);
    if (service.tls && service.tls->client_certificate) {
      check_certificate(*service.tls->client_certificate, path + "tls.client_certificate.", findings, ShownBy::client);
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

void check_ticket_keys(const conf::ListenerTls& tls, const std::string& path, std::vector<conf::Diagnostic>& findings) {
  if (tls.ticket_key_file.empty()) return;
  try {
    if (!read_ticket_keys(tls.ticket_key_file).world_readable) return;
    findings.push_back({.severity = conf::Severity::warning,
                        .path = path + "ticket_key_file",
                        .message = "everybody on this machine may read the keys, and the connections that are resumed",
                        .hint = "chmod 0600"});
  } catch (const TicketKeyError& error) {
    findings.push_back({.severity = conf::Severity::error,
                        .path = path + "ticket_key_file",
                        .message = error.what(),
                        .hint = "1 to 8 lines, each of 80 octets in base64"});
  }
}

void check_listener_tls(const conf::Model& model, std::vector<conf::Diagnostic>& findings) {
  for (std::size_t i = 0; i < model.listeners.size(); ++i) {
    if (!model.listeners[i].tls) continue;
    const conf::ListenerTls& tls = *model.listeners[i].tls;
    const std::string path = "listeners[" + std::to_string(i) + "].tls.";
    for (std::size_t k = 0; k < tls.certificates.size(); ++k) {
      check_certificate(tls.certificates[k], path + "certificates[" + std::to_string(k) + "].", findings,
                        ShownBy::server);
    }
    check_ticket_keys(tls, path, findings);
  }
}

void check_client_authorities(const conf::Model& model, std::vector<conf::Diagnostic>& findings) {
  for (std::size_t i = 0; i < model.listeners.size(); ++i) {
    if (!model.listeners[i].tls || !model.listeners[i].tls->asks_for_certificate()) continue;
    const conf::ClientCertificates& files = *model.listeners[i].tls->client_certificates;
    const auto find = [&](conf::Severity severity, bool of_list, std::string message, std::string hint) {
      const std::string path = "listeners[" + std::to_string(i) + "].tls.client_certificates.";
      findings.push_back({.severity = severity,
                          .path = path + (of_list ? "crl" : "ca"),
                          .message = std::move(message),
                          .hint = std::move(hint)});
    };
    try {
      for (const AuthorityDoubt& doubt : doubts(*read_client_authorities(files), std::chrono::system_clock::now())) {
        find(conf::Severity::warning, doubt.of_list,
             (doubt.of_list ? files.crl_file : files.ca_file) + ": " + doubt.text, {});
      }
    } catch (const RevocationListError& error) {
      find(conf::Severity::error, true, error.what(), "revocation lists in PEM, by the authorities of `ca`");
    } catch (const CertificateError& error) {
      find(conf::Severity::error, false, error.what(), "a file of certificates in PEM");
    }
  }
}

}  // namespace

void check_preconditions(const conf::Model& model, std::vector<conf::Diagnostic>& findings) {
  check_transparent_source(model, findings);
  check_key_files(model, findings);
  check_listener_tls(model, findings);
  check_client_authorities(model, findings);
  check_backend_tls(model, findings);
  conf::check_endpoints_files(model, findings);
}

}  // namespace telltale::proxy
