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
void read_alpn(ObjectReader& reader, Protocol protocol, std::vector<std::string>& alpn) {
  if (!reader.read("alpn", alpn)) {
    if (protocol == Protocol::http && !reader.has("alpn")) alpn = {"http/1.1"};
    return;
  }
  for (const std::string& name : alpn) {
    if (name.empty() || name.size() > 255) {
      reader.error("alpn", quote(name) + " is not the name of a protocol", "it has 1 to 255 octets, like http/1.1");
    } else if (protocol == Protocol::http && name != "http/1.1" && name != "http/1.0") {
      reader.error("alpn", quote(name) + " is not spoken here", "http/1.1 and http/1.0 are");
    }
  }
}

}  // namespace

void read_listener_tls(ObjectReader& listener, Protocol protocol, std::optional<ListenerTls>& tls) {
  listener.object("tls", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(listener.context(), node, path, schema::listener_tls);
    read_certificates(reader, tls.emplace().certificates);
    reader.read("policy", tls->policy);
    read_alpn(reader, protocol, tls->alpn);
    reader.read("handshake_timeout", tls->handshake_timeout);
  });
}

}  // namespace telltale::conf
