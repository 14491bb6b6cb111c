#include "proxy/explain/explanation.h"
#include "proxy/observe/escape.h"
#include "proxy/observe/hex.h"
#include "proxy/observe/timestamp.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace telltale::proxy {
namespace {

namespace json = boost::json;

json::string text(std::string_view value) { return json::string(to_valid_utf8(value)); }
/// null for nothing.
json::value text_or_null(std::string_view value) {
  return value.empty() ? json::value(nullptr) : json::value(text(value));
}

json::array of(const std::vector<std::string>& all) {
  json::array out;
  for (const auto& each : all) out.push_back(text(each));
  return out;
}
json::array of(const std::vector<Explanation::Field>& all) {
  json::array out;
  for (const auto& each : all) {
    out.push_back({{"name", text(each.name)}, {"value", text(each.value)}, {"why", text(each.why)}});
  }
  return out;
}
json::array of(const std::vector<Explanation::Hop>& all) {
  json::array out;
  for (const auto& each : all) {
    out.push_back({{"address", text(each.address)},
                   {"said_by", text(each.said_by)},
                   {"verdict", text(each.verdict)},
                   {"client", each.is_client}});
  }
  return out;
}
json::array of(const std::vector<Explanation::Backend>& all) {
  json::array out;
  for (const auto& each : all) out.push_back({{"endpoint", text(each.endpoint)}, {"node", text_or_null(each.node)}});
  return out;
}
json::object of(const Explanation::ProxyHeader& header) {
  json::object tlvs;
  for (const auto& [name, value] : header.tlvs) tlvs[to_valid_utf8(name)] = text(value);
  return {{"version", text_or_null(header.version)},
          {"command", text_or_null(header.command)},
          {"source", text_or_null(header.source)},
          {"destination", text_or_null(header.destination)},
          {"tlvs", std::move(tlvs)},
          {"hex", to_hex(header.octets)}};
}
json::array of(const std::vector<Explanation::ProxyHeader>& all) {
  json::array out;
  for (const auto& each : all) out.push_back(of(each));
  return out;
}

json::object of(const Explanation::Tls& tls) {
  json::object out{{"version", text_or_null(tls.version)},
                   {"cipher", text_or_null(tls.cipher)},
                   {"sni", text_or_null(tls.sni)},
                   {"alpn", text_or_null(tls.alpn)},
                   {"resumed", tls.resumed},
                   {"client_verified", tls.client_verified}};
  if (tls.client_verified) {
    out["client_subject"] = text_or_null(tls.client_subject);
    out["client_sans"] = of(tls.client_sans);
    out["client_fingerprint"] = text(tls.client_fingerprint);
  }
  return out;
}

json::object client_of(const Explanation& e) {
  json::object out{{"address", text(e.client)}, {"port", nullptr}, {"provenance", text(e.provenance)}};
  if (e.client_port != 0) out["port"] = e.client_port;
  return out;
}

json::object object_of(const Explanation& e) {
  json::object out{{"listener", text(e.listener)},
                   {"listen", text(e.listen)},
                   {"peer", text(e.peer)},
                   {"destination", text_or_null(e.destination)},
                   {"outcome", text(to_string(e.outcome))},
                   {"why", text_or_null(e.why)},
                   {"cause", text_or_null(e.cause)},
                   {"client", client_of(e)},
                   {"hops", of(e.hops)},
                   {"proxy_headers", of(e.proxy_headers)},
                   {"tls", e.tls ? json::value(of(*e.tls)) : json::value(nullptr)},
                   {"refused", of(e.refused)},
                   {"removed", of(e.removed)},
                   {"request", text_or_null(e.request)},
                   {"route", text_or_null(e.route)},
                   {"service", text_or_null(e.service)},
                   {"backends", of(e.backends)},
                   {"told", nullptr},
                   {"notes", of(e.notes)}};
  if (!e.told_lines.empty()) {
    out["told"] = json::object{
        {"proxy_header", e.told_proxy_header ? json::value(of(*e.told_proxy_header)) : json::value(nullptr)},
        {"lines", of(e.told_lines)}};
  }
  if (e.time) {
    out["time"] = format_timestamp(*e.time);
    out["request_id"] = text_or_null(e.request_id);
    out["endpoint"] = text_or_null(e.endpoint);
    out["status"] = e.status ? json::value(*e.status) : json::value(nullptr);
  }
  return out;
}

}  // namespace

std::string render_json(const Explanation& explanation) { return json::serialize(object_of(explanation)); }

std::string render_json(const std::vector<Explanation>& all) {
  json::array out;
  for (const auto& each : all) out.push_back(object_of(each));
  return json::serialize(out) + '\n';
}

}  // namespace telltale::proxy
