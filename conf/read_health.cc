#include "conf/read.h"
#include "protocol/http/field_id.h"

#include <algorithm>
#include <array>
#include <re2/re2.h>

namespace telltale::conf {
namespace {

void read_path(ObjectReader& reader, std::string_view field, std::string& path) {
  if (reader.read(field, path) && !is_request_target(path)) {
    reader.error(field, quote(path) + " is not a path", "it starts with `/`, like /healthz");
  }
}

/// Which of the kinds it is; none given: http. More than one is an error, and the first one counts.
void read_kind(ObjectReader& reader, Health& health) {
  std::vector<std::pair<std::string_view, ProbeKind>> given;
  if (reader.has("http")) given.emplace_back("http", ProbeKind::http);
  if (reader.has("https")) given.emplace_back("https", ProbeKind::https);
  bool tcp = false;
  if (reader.read("tcp", tcp) && tcp) given.emplace_back("tcp", ProbeKind::tcp);
  if (reader.read("grpc", health.grpc_service) && health.grpc_service != "false") {
    given.emplace_back("grpc", ProbeKind::grpc);
  }
  if (health.grpc_service == "true" || health.grpc_service == "false") health.grpc_service.clear();
  if (reader.read("track", health.track) || reader.has("track")) given.emplace_back("track", ProbeKind::track);
  read_path(reader, "http", health.path);
  read_path(reader, "https", health.path);
  if (given.empty()) return;
  health.kind = given[0].second;
  if (given.size() == 1) return;
  reader.error(given[1].first, "only one of http, https, tcp, grpc and track can be given, not " +
                                   std::string(given[0].first) + " and " + std::string(given[1].first));
}

/// Why a probe cannot have this field; empty: it can.
std::string_view owner_of(http::FieldId id) {
  using enum http::FieldId;
  constexpr std::array managing = {connection, transfer_encoding, content_length, te, trailer, upgrade, keep_alive,
                                   expect,     proxy_connection};
  if (id == host) return "`host` writes it";
  return std::ranges::find(managing, id) != managing.end() ? "it manages the connection or the body" : "";
}

void read_headers(ObjectReader& health, std::vector<std::pair<std::string, std::string>>& headers) {
  Field row = *find_field(schema::health, "headers");
  row.type = Type::text;
  health.entries("headers", [&](const YamlNode& key, const YamlNode& value, const Path& path) {
    Diagnostics& diagnostics = health.context().diagnostics;
    const std::string_view why = owner_of(http::field_id(key.text));
    const auto same = [&](const auto& other) { return http::folded_equal(other.first, key.text); };
    std::string text;
    if (!is_token(key.text)) {
      diagnostics.error(key, path, quote(key.text) + " is not a header name", "like X-Probe");
    } else if (!why.empty()) {
      diagnostics.error(key, path, quote(key.text) + " cannot be sent: " + std::string(why));
    } else if (std::ranges::any_of(headers, same)) {
      diagnostics.error(key, path, quote(key.text) + " is given twice");
    } else if (read_value(health.context(), value, path, row, text)) {
      if (!is_header_value(text)) return diagnostics.error(value, path, quote(text) + " is not in ASCII");
      headers.emplace_back(key.text, std::move(text));
    }
  });
}

void read_expect(ObjectReader& health, Health& out) {
  health.object("expect", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(health.context(), node, path, schema::health_expect);
    if (reader.read("status", out.expect_statuses) && out.expect_statuses.empty()) {
      reader.error("status", "no answer would be healthy", "[\"200-299\"], or leave it out");
    }
    if (!reader.read("body", out.expect_body)) return;
    const RE2 expression(out.expect_body, RE2::Quiet);
    if (expression.ok()) return;
    reader.error("body", quote(out.expect_body) + " is not a regular expression: " + expression.error(),
                 "in the syntax of RE2");
  });
}

void read_tls(ObjectReader& health, BackendTls& tls) {
  health.object("tls", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(health.context(), node, path, schema::health_tls);
    tls = {.client_certificate = std::move(tls.client_certificate)};  // what is ours stays
    read_verification(reader, tls);
  });
}

/// Fields that only some kinds of probes have.
void check_kind(ObjectReader& reader, ProbeKind kind) {
  if (kind == ProbeKind::track) {
    for (const Field& field : schema::health.fields) {
      if (field.name == "track" || !reader.has(field.name)) continue;
      reader.error(field.name, "has no place beside `track`: the other service's probes decide", "remove it");
    }
    return;
  }
  const bool is_http = kind == ProbeKind::http || kind == ProbeKind::https;
  for (const std::string_view field : {"headers", "expect", "strict", "weight"}) {
    if (!is_http && reader.has(field)) reader.error(field, "is only for a probe by `http` or `https`", "remove it");
  }
  if (kind == ProbeKind::tcp && reader.has("host")) {
    reader.error("host", "is only for a probe by `http`, `https` or `grpc`", "remove it");
  }
  if (kind != ProbeKind::https && reader.has("tls")) {
    reader.error(
        "tls",
        kind == ProbeKind::grpc ? "a probe by `grpc` is without TLS in this version" : "is only for a probe by `https`",
        kind == ProbeKind::http ? "`https: PATH` instead of `http`" : "remove it");
  }
}

}  // namespace

void read_health(Context& context, const YamlNode& node, const Path& path, const BackendTls* tls, Health& health) {
  ObjectReader reader(context, node, path, schema::health);
  read_kind(reader, health);
  if (reader.read("host", health.host) && !is_authority(health.host)) {
    reader.error("host", quote(health.host) + " is not a host", "like backend.example.com");
  }
  read_headers(reader, health.headers);
  read_expect(reader, health);
  if (tls != nullptr) health.tls = *tls;
  health.tls.alpn.clear();  // a probe speaks HTTP/1.1
  read_tls(reader, health.tls);
  if (tls != nullptr && health.kind == ProbeKind::http && !health.port) {
    reader.warning("http", "the endpoints speak TLS (`tls` of the service), and this probe does not",
                   "`https: PATH`, or `port` for another one");
  }
  reader.read("port", health.port);
  reader.read("interval", health.interval);
  if (!reader.read("fast_interval", health.fast_interval)) {
    health.fast_interval = std::min(health.fast_interval, health.interval);
  } else if (health.fast_interval > health.interval) {
    reader.warning("fast_interval", "is longer than `interval`: what changes is probed less often than what does not",
                   "a shorter one, or leave it out");
  }
  reader.read("timeout", health.timeout);
  reader.read("rise", health.rise);
  reader.read("fall", health.fall);
  reader.read("fall_draining", health.fall_draining);
  reader.read("strict", health.strict);
  std::string word;
  if (reader.read("weight", word)) health.weight_from_probe = word == "probe";
  if (reader.read("send_proxy", word)) {
    health.send_proxy = word == "true" ? ProxyOnProbe::v2 : from_word<ProxyOnProbe>(word).value_or(ProxyOnProbe::off);
  }
  check_kind(reader, health.kind);
}

}  // namespace telltale::conf
