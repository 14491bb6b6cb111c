#include "conf/read.h"
#include "conf/suggest.h"
#include "conf/text.h"

#include <algorithm>

namespace telltale::conf {
namespace {

using Of = ConnectionTrait::Of;

std::string host_problem(std::string_view host, std::string& hint) {
  if (net::IpAddress::parse(host)) {
    hint = "write [" + std::string(host) + "]";
    return " is an IPv6 address without brackets";
  }
  if (std::ranges::any_of(host, [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
    hint = "write it in its ASCII form, xn--…";
    return " is not in ASCII";
  }
  const auto colon = host.rfind(':');
  if (colon != host.npos && parse_integer(host.substr(colon + 1)).value) {
    hint = "write " + quote(host.substr(0, colon)) + ": a host is matched without its port";
    return " has a port";
  }
  if (host.ends_with('.')) {
    hint = "write " + quote(host.substr(0, host.size() - 1));
    return " ends with a dot";
  }
  hint = "a host name, `*.suffix`, or `*` for any";
  return host.find('*') == host.npos ? " is not a host name" : " has its `*` in the wrong place";
}

/// HAProxy says 0 when there was no certificate to verify, and even without TLS.
bool says_only_verified(const std::vector<Condition>& conditions) {
  using Place = proxy_protocol::TlvSelector::Place;
  const auto verified = [](const Condition& each) {
    return each.trait.selector.place == Place::ssl_verify && each.octets == std::string_view("\0\0\0\0", 4);
  };
  const auto tells_more = [](const Condition& each) {
    const bool of_certificate = each.trait.selector.sub == 0x22 || each.trait.selector.sub == 0x28;  // its name, itself
    return each.trait.selector.place == Place::ssl_client ||
           (each.trait.selector.place == Place::ssl_sub && of_certificate);
  };
  return std::ranges::any_of(conditions, verified) && std::ranges::none_of(conditions, tells_more);
}

void read_tlv_conditions(ObjectReader& match, std::vector<Condition>& conditions) {
  Field row = *find_field(schema::match, "tlv");
  row.type = Type::text;
  match.entries("tlv", [&](const YamlNode& key, const YamlNode& value, const Path& path) {
    Diagnostics& diagnostics = match.context().diagnostics;
    const auto selector = proxy_protocol::parse_tlv_selector(key.text);
    if (!selector) {
      return diagnostics.error(key, path, quote(key.text) + " is not the name of a TLV",
                               did_you_mean(key.text, proxy_protocol::tlv_names(), std::string(any_tlv_hint)));
    }
    std::string text;
    if (!read_value(match.context(), value, path, row, text)) return;
    auto octets = proxy_protocol::tlv_octets(text, *selector);
    if (!octets) {
      return diagnostics.error(value, path, quote(text) + " is no value of this TLV",
                               std::string(proxy_protocol::describe_tlv_text(*selector)));
    }
    const ConnectionTrait trait{Of::tlv, *selector};
    if (std::ranges::find(conditions, trait, &Condition::trait) != conditions.end()) {
      return diagnostics.error(key, path, quote(key.text) + " is given twice");
    }
    conditions.push_back({trait, std::move(*octets)});
  });
  if (says_only_verified(conditions)) {
    match.warning("tlv", "`ssl_verify: 0` alone lets in clients without a certificate: some senders say 0 for them too",
                  "add ssl_cn, or ssl_client: 7");
  }
}

/// `host` or `sni`.
void read_name(ObjectReader& reader, std::string_view field, std::string& name) {
  std::string text;
  if (!reader.read(field, text)) return;
  const std::string_view suffix = std::string_view(text).substr(text.starts_with("*.") ? 2 : 0);
  const bool is_right = field == "sni" ? is_host_name(suffix) : is_host(suffix);
  if (text == "*") {
    name.clear();
  } else if (is_right && (suffix.size() == text.size() || is_host_name(suffix))) {
    name = to_lower(text);
  } else {
    std::string hint;
    const std::string problem = host_problem(text, hint);
    reader.error(field, quote(text) + problem, hint);
  }
}

void read_path(ObjectReader& reader, Match& match) {
  std::string path;
  if (reader.read("path", path)) {
    if (!is_request_target(path) || path.find_first_of("?#") != std::string::npos) {
      reader.error("path", quote(path) + " is not a path to match",
                   "it starts with `/`, and has no query, blanks or characters outside ASCII");
    } else {
      match.path = std::move(path);
    }
  }
  reader.read("path_type", match.path_type);
  if (reader.has("path_type") && !reader.has("path")) reader.error("path_type", "there is no `path` that it is for");
}

void read_alpn_condition(ObjectReader& match, std::vector<Condition>& conditions) {
  std::string name;
  if (!match.read("alpn", name)) return;
  if (name.empty() || name.size() > 255) {  // RFC 7301 3.1
    return match.error("alpn", quote(name) + " is not the name of a protocol", "it has 1 to 255 octets, like h2");
  }
  conditions.push_back({{Of::alpn}, std::move(name)});
}

/// 64 lower-case digits of `AB:CD:…`; empty: it is something else.
std::string plain_fingerprint(std::string_view text) {
  std::string digits = to_lower(text);
  std::erase(digits, ':');
  const bool hexadecimal = digits.find_first_not_of("0123456789abcdef") == std::string::npos;
  return hexadecimal && digits.size() == 64 ? digits : std::string();
}

void read_client_cert(ObjectReader& match, std::vector<Condition>& conditions) {
  match.object("client_cert", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(match.context(), node, path, schema::client_cert_match);
    const std::size_t before = conditions.size();
    bool any = false;
    for (const Of of :
         {Of::client_cert_verified, Of::client_cert_subject, Of::client_cert_san, Of::client_cert_fingerprint}) {
      std::string text;
      any = any || reader.has(word_of(of));
      if (!reader.read(word_of(of), text)) continue;
      if (of == Of::client_cert_fingerprint) {
        std::string plain = plain_fingerprint(text);
        if (plain.empty()) {
          reader.error("fingerprint", quote(text) + " is not the SHA-256 of a certificate",
                       "64 hexadecimal digits; `openssl x509 -noout -fingerprint -sha256` prints them");
        }
        text = std::move(plain);
      }
      conditions.push_back({{of}, std::move(text)});
    }
    if (!any && node.kind == YamlNode::Kind::map) {
      reader.error_here("says nothing of the certificate", "verified: true");
    }
    const Condition none{{Of::client_cert_verified}, "false"};
    if (conditions.size() > before + 1 && std::ranges::find(conditions, none) != conditions.end()) {
      reader.error("verified", "no certificate can be none and have what is asked for besides", "remove one of them");
    }
  });
}

/// What only one of the protocols has.
void check_protocol(ObjectReader& reader, Protocol protocol) {
  for (const std::string_view field : {"host", "path", "path_type"}) {
    if (protocol != Protocol::tcp || !reader.has(field)) continue;
    reader.error(field, "a connection of `protocol: tcp` has no request that could be matched",
                 field == "host" ? "`sni`, the name that TLS asks for" : "remove it");
  }
  for (const std::string_view field : {"sni", "alpn"}) {
    if (protocol != Protocol::http || !reader.has(field)) continue;
    reader.error(field, "is only for `protocol: tcp`",
                 field == "sni" ? "`host`, which each request names" : "remove it");
  }
}

}  // namespace

void read_match(ObjectReader& route, Protocol protocol, Match& match) {
  route.object("match", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(route.context(), node, path, schema::match);
    check_protocol(reader, protocol);
    read_name(reader, protocol == Protocol::tcp ? "sni" : "host", match.host);
    if (protocol == Protocol::http) read_path(reader, match);
    read_tlv_conditions(reader, match.conditions);
    if (protocol == Protocol::tcp) read_alpn_condition(reader, match.conditions);
    read_client_cert(reader, match.conditions);
    std::ranges::sort(match.conditions, {}, &Condition::trait);
  });
}

std::string describe(const std::vector<Condition>& conditions) {
  std::string out;
  for (const Condition& each : conditions) {
    if (each.trait.of == Of::tlv) {
      out += " " + proxy_protocol::tlv_name(each.trait.selector) + "=";
      proxy_protocol::append_tlv_value(out, each.octets, each.trait.selector);
    } else {
      out.append(each.trait.of == Of::alpn ? " " : " client_cert.").append(word_of(each.trait.of));
      out.append("=").append(each.octets);
    }
  }
  return out;
}

}  // namespace telltale::conf
