#include "conf/read.h"

#include <algorithm>

namespace telltale::conf {
namespace {

void read_path_of_file(ObjectReader& reader, std::string_view field, std::string& path) {
  if (reader.read(field, path) && !path.starts_with('/')) {
    reader.error(field, quote(path) + " is not an absolute path", "it is followed wherever the process runs: /etc/…");
  }
}

void read_certificates(ObjectReader& tls, std::vector<CertificateFiles>& certificates) {
  tls.each("certificates", [&](const YamlNode& item, const Path& path, std::size_t) {
    ObjectReader reader(tls.context(), item, path, schema::certificate);
    CertificateFiles& files = certificates.emplace_back();
    read_path_of_file(reader, "certificate", files.certificate);
    read_path_of_file(reader, "key", files.key);
    read_path_of_file(reader, "ocsp", files.ocsp);
    const auto same = [&](const auto& each) { return each.certificate == files.certificate; };
    if (!files.certificate.empty() && std::count_if(certificates.begin(), certificates.end(), same) > 1) {
      reader.warning("certificate", quote(files.certificate) + " is listed twice");
    }
  });
  const YamlNode* list = tls.value("certificates");
  if (list != nullptr && list->kind == YamlNode::Kind::sequence && list->items.empty()) {
    tls.error("certificates", "there is none: no client could be served", "`certificate` and `key`, each a file");
  }
}

/// RFC 7301 3.1: a name of 1 to 255 octets.
bool is_protocol_name(std::string_view name) { return !name.empty() && name.size() <= 255; }

void read_alpn(ObjectReader& reader, Protocol protocol, std::vector<std::string>& alpn) {
  if (!reader.read("alpn", alpn)) {
    if (protocol == Protocol::http && !reader.has("alpn")) alpn = {"http/1.1"};
    return;
  }
  for (const std::string& name : alpn) {
    if (!is_protocol_name(name)) {
      reader.error("alpn", quote(name) + " is not the name of a protocol", "it has 1 to 255 octets, like http/1.1");
    } else if (protocol == Protocol::http && name != "http/1.1" && name != "http/1.0") {
      reader.error("alpn", quote(name) + " is not spoken here", "http/1.1 and http/1.0 are");
    }
  }
}

void read_client_certificates(ObjectReader& tls, std::optional<ClientCertificates>& certificates) {
  tls.object("client_certificates", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(tls.context(), node, path, schema::client_certificates);
    ClientCertificates& out = certificates.emplace();
    reader.read("mode", out.mode);
    read_path_of_file(reader, "ca", out.ca_file);
    read_path_of_file(reader, "crl", out.crl_file);
    reader.read("depth", out.depth);
  });
}

void read_hsts(ObjectReader& tls, Protocol protocol, std::optional<Hsts>& hsts) {
  constexpr Milliseconds year{365LL * 24 * 3600 * 1000};
  tls.object("hsts", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(tls.context(), node, path, schema::hsts);
    Hsts& out = hsts.emplace();
    reader.read("max_age", out.max_age);
    reader.read("include_subdomains", out.include_subdomains);
    reader.read("preload", out.preload);
    if (out.preload && (!out.include_subdomains || out.max_age < year)) {
      reader.error("preload", "browsers build it in only with `include_subdomains` and a `max_age` of 8760h or more",
                   "include_subdomains: true");
    }
  });
  if (hsts && protocol == Protocol::tcp) tls.error("hsts", "`protocol: tcp` has no responses", "remove it");
}

}  // namespace

void read_listener_tls(ObjectReader& listener, Protocol protocol, std::optional<ListenerTls>& tls) {
  listener.object("tls", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(listener.context(), node, path, schema::listener_tls);
    read_certificates(reader, tls.emplace().certificates);
    reader.read("policy", tls->policy);
    read_alpn(reader, protocol, tls->alpn);
    reader.read("handshake_timeout", tls->handshake_timeout);
    read_client_certificates(reader, tls->client_certificates);
    read_path_of_file(reader, "ticket_key_file", tls->ticket_key_file);
    read_hsts(reader, protocol, tls->hsts);
  });
}

void read_verification(ObjectReader& reader, BackendTls& tls) {
  if (reader.read("sni", tls.sni) && !is_host_name(tls.sni)) {
    reader.error("sni", quote(tls.sni) + " is not a host name", "like backend.example.com");
  }
  reader.read("verify", tls.verify);
  read_path_of_file(reader, "ca", tls.ca_file);
  if (reader.has("ca") && tls.verify == TlsVerify::none) {
    reader.warning("ca", "has no effect with `verify: none`");
  }
}

void read_service_tls(ObjectReader& service, std::optional<BackendTls>& tls) {
  service.object("tls", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(service.context(), node, path, schema::service_tls);
    read_verification(reader, tls.emplace());
    if (tls->verify == TlsVerify::none && !reader.has("ca")) {
      reader.warning("verify", "`none` lets anybody who answers at the address be the backend", "`ca`, or `full`");
    }
    reader.object("client_certificate", [&](const YamlNode& value, const Path& at) {
      ObjectReader files(reader.context(), value, at, schema::client_certificate);
      read_path_of_file(files, "certificate", tls->client_certificate.emplace().certificate);
      read_path_of_file(files, "key", tls->client_certificate->key);
    });
    reader.read("alpn", tls->alpn);
    for (const std::string& name : tls->alpn) {
      if (is_protocol_name(name)) continue;
      reader.error("alpn", quote(name) + " is not the name of a protocol", "it has 1 to 255 octets, like http/1.1");
    }
  });
}

}  // namespace telltale::conf
