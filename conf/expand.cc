#include "conf/expand.h"

#include "conf/emitter.h"

namespace telltale::conf {
namespace {

void write_process(Emitter& out, const Model& model) {
  if (model.workers == 0) {
    out.word("workers", "auto");
  } else {
    out.number("workers", model.workers);
  }
  out.number("max_connections", model.max_connections);
  if (model.admin.listen) {
    out.open("admin");
    out.address("listen", *model.admin.listen);
    out.number("explain_requests", model.admin.explain_requests);
    out.close();
  } else {
    out.word("admin", "off");
  }
  out.open("log");
  out.word("level", model.log.level);
  out.choice("format", model.log.format);
  out.text_if_any("file", model.log.file);
  out.close();
  out.open("access_log");
  out.choice("format", model.access_log.format);
  out.text_if_any("file", model.access_log.file);
  if (!model.access_log.text.empty()) out.format("text", model.access_log.text);
  out.flag("queries", model.access_log.queries);
  out.close();
  out.open("drain");
  out.duration("delay", model.drain.delay);
  out.duration("grace", model.drain.grace);
  out.close();
  out.text_if_any("ranges", model.ranges_file);
  out.text_if_any("node_name", model.node_name);
  out.text_if_any("zone", model.zone);
  std::vector<std::string> servers;
  for (const net::IpPort& server : model.dns.servers) servers.push_back(server.to_string());
  out.open("dns");
  out.list("servers", servers);
  out.duration("timeout", model.dns.timeout);
  out.number("attempts", std::uint64_t{model.dns.attempts});
  out.duration("min_ttl", model.dns.min_ttl);
  out.duration("max_ttl", model.dns.max_ttl);
  out.duration("retry", model.dns.retry);
  out.close();
}

}  // namespace

std::string expand(const Model& model, Comments comments) {
  Emitter out(comments);
  write_process(out, model);
  out.open("listeners");
  for (const Listener& listener : model.listeners) write_listener(out, listener, model);
  out.close();
  if (!model.services.empty()) {
    out.open("services");
    for (const Service& service : model.services) write_service(out, service);
    out.close();
  }
  return out.take();
}

}  // namespace telltale::conf
