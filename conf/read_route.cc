#include "conf/read.h"
#include "conf/text.h"

#include <algorithm>
#include <array>

namespace telltale::conf {
namespace {

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

}  // namespace

void read_route(Context& context, const YamlNode& node, const Path& path, Protocol protocol, Route& route,
                RouteSource& source) {
  const std::size_t findings = context.diagnostics.list().size();
  ObjectReader reader(context, node, path, schema::route);
  source.node = &node;
  read_match(reader, protocol, route.match);
  if (!reader.read("name", route.name)) {
    route.name = route.match.host + route.match.path + describe(route.match.conditions);
    if (route.name.empty()) route.name = "default";
    if (route.name.starts_with(' ')) route.name.erase(0, 1);  // conditions alone
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
  for (const std::string_view field : {"redirect", "respond"}) {
    if (protocol == Protocol::tcp && reader.has(field)) {
      reader.error(field, "a connection of `protocol: tcp` has no request that could be answered",
                   "`service`, or leave the route out: a connection that no route matches is closed");
    }
  }
  source.right = context.diagnostics.list().size() == findings;
}

}  // namespace telltale::conf
