#include "conf/read.h"
#include "conf/suggest.h"
#include "conf/text.h"

#include <algorithm>
#include <array>

namespace telltale::conf {
namespace {

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
bool says_only_verified(const std::vector<TlvCondition>& conditions) {
  using Place = proxy_protocol::TlvSelector::Place;
  const auto verified = [](const TlvCondition& each) {
    return each.selector.place == Place::ssl_verify && each.octets == std::string_view("\0\0\0\0", 4);
  };
  const auto tells_more = [](const TlvCondition& each) {
    const bool of_certificate = each.selector.sub == 0x22 || each.selector.sub == 0x28;  // its name, itself
    return each.selector.place == Place::ssl_client || (each.selector.place == Place::ssl_sub && of_certificate);
  };
  return std::ranges::any_of(conditions, verified) && std::ranges::none_of(conditions, tells_more);
}

void read_tlv_conditions(ObjectReader& match, std::vector<TlvCondition>& conditions) {
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
    if (std::ranges::find(conditions, *selector, &TlvCondition::selector) != conditions.end()) {
      return diagnostics.error(key, path, quote(key.text) + " is given twice");
    }
    conditions.push_back({*selector, std::move(*octets)});
  });
  std::ranges::sort(conditions, {}, &TlvCondition::selector);
  if (says_only_verified(conditions)) {
    match.warning("tlv", "`ssl_verify: 0` alone lets in clients without a certificate: some senders say 0 for them too",
                  "add ssl_cn, or ssl_client: 7");
  }
}

void read_match(ObjectReader& route, Match& match) {
  route.object("match", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(route.context(), node, path, schema::match);
    std::string host;
    if (reader.read("host", host)) {
      const std::string_view suffix = std::string_view(host).substr(host.starts_with("*.") ? 2 : 0);
      if (host == "*") {
        match.host.clear();
      } else if (is_host(suffix) && (suffix.size() == host.size() || is_host_name(suffix))) {
        match.host = to_lower(host);
      } else {
        std::string hint;
        const std::string problem = host_problem(host, hint);
        reader.error("host", quote(host) + problem, hint);
      }
    }
    std::string request_path;
    if (reader.read("path", request_path)) {
      if (!is_request_target(request_path) || request_path.find_first_of("?#") != std::string::npos) {
        reader.error("path", quote(request_path) + " is not a path to match",
                     "it starts with `/`, and has no query, blanks or characters outside ASCII");
      } else {
        match.path = std::move(request_path);
      }
    }
    reader.read("path_type", match.path_type);
    if (reader.has("path_type") && !reader.has("path")) reader.error("path_type", "there is no `path` that it is for");
    read_tlv_conditions(reader, match.tlvs);
  });
}

void read_redirect(ObjectReader& route, Redirect& redirect) {
  route.object("redirect", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(route.context(), node, path, schema::redirect);
    reader.read("scheme", redirect.scheme);
    if (reader.read("host", redirect.host)) {
      if (!is_authority(redirect.host)) {
        reader.error("host", quote(redirect.host) + " is not a host", "like www.example.com or www.example.com:8443");
      }
      redirect.host = to_lower(redirect.host);
    }
    if (reader.read("path", redirect.path) && !is_request_target(redirect.path)) {
      reader.error("path", quote(redirect.path) + " is not a path",
                   "it starts with `/`, and has no blanks or characters outside ASCII");
    }
    constexpr std::array statuses = {301u, 302u, 303u, 307u, 308u};
    if (reader.read("status", redirect.status) && std::ranges::find(statuses, redirect.status) == statuses.end()) {
      reader.error("status", quote(std::to_string(redirect.status)) + " is not the status of a redirect",
                   "301, 302, 303, 307 or 308");
    }
    if (!reader.has("scheme") && !reader.has("host") && !reader.has("path")) {
      reader.error_here("a redirect to where the request already is", "give a scheme, a host or a path");
    }
  });
}

void read_respond(ObjectReader& route, FixedAnswer& respond) {
  route.object("respond", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(route.context(), node, path, schema::respond);
    reader.read("status", respond.status);
    reader.read("content_type", respond.content_type);
    reader.read("body", respond.body);
    // RFC 9110 15.3.5, 15.3.6 and 15.4.5.
    const bool bodiless = respond.status == 204 || respond.status == 205 || respond.status == 304;
    if (bodiless && !respond.body.empty()) {
      reader.error("body", "an answer with status " + std::to_string(respond.status) + " has no body");
    }
    if (!is_header_value(respond.content_type))
      reader.error("content_type", quote(respond.content_type) + " is not in ASCII");
  });
}

/// ` aws_vpce_id=vpce-123`, for the route's name.
std::string describe(const std::vector<TlvCondition>& conditions) {
  std::string out;
  for (const TlvCondition& each : conditions) {
    out += " " + proxy_protocol::tlv_name(each.selector) + "=";
    proxy_protocol::append_tlv_value(out, each.octets, each.selector);
  }
  return out;
}

}  // namespace

void read_route(Context& context, const YamlNode& node, const Path& path, Route& route, RouteSource& source) {
  const std::size_t findings = context.diagnostics.list().size();
  ObjectReader reader(context, node, path, schema::route);
  source.node = &node;
  read_match(reader, route.match);
  if (!reader.read("name", route.name)) {
    route.name = route.match.host + route.match.path + describe(route.match.tlvs);
    if (route.name.empty()) route.name = "default";
  }
  source.service = reader.value("service");
  if (!reader.read("service", source.service_name)) source.service = nullptr;
  source.timeouts = reader.value("timeouts");
  source.retries = reader.value("retries");
  if (source.timeouts) read_service_timeouts(reader, route.timeouts.emplace());
  if (source.retries) read_retries(reader, route.retries.emplace());
  if (reader.has("redirect")) read_redirect(reader, route.redirect.emplace());
  if (reader.has("respond")) read_respond(reader, route.respond.emplace());
  for (const std::string_view field : {"timeouts", "retries"}) {
    if (reader.has(field) && !reader.has("service") && (reader.has("redirect") || reader.has("respond"))) {
      reader.error(field, "is only for a route to a service", "remove it");
    }
  }
  source.right = context.diagnostics.list().size() == findings;
}

}  // namespace telltale::conf
