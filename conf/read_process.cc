#include "conf/read.h"
#include "conf/read_template.h"
#include "conf/text.h"

namespace telltale::conf {
namespace {

void read_admin(ObjectReader& root, Draft& draft) {
  draft.admin_given = root.has("admin");
  std::string word;
  if (root.read_word_instead("admin", word)) {
    if (word == "off") draft.model.admin.listen.reset();
    return;
  }
  root.object("admin", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(root.context(), node, path, schema::admin);
    reader.read("explain_requests", draft.model.admin.explain_requests);
    Address listen;
    if (!reader.read("listen", listen)) return;
    draft.admin_listen = reader.value("listen");
    if (listen.ip && !listen.ip->address.is_loopback()) {
      reader.warning("listen", "the admin server can be reached from other machines, and has no authentication",
                     "127.0.0.1:" + std::to_string(listen.ip->port) + ", or unix:/path");
    }
    draft.model.admin.listen = std::move(listen);
  });
}

void read_log(ObjectReader& root, Log& log) {
  root.object("log", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(root.context(), node, path, schema::log);
    reader.read("level", log.level);
    reader.read("format", log.format);
    reader.read("file", log.file);
  });
}

/// `${name}` is a variable, `$$` a dollar.
void check_template(ObjectReader& reader, std::string_view text) {
  // YAML's `|` leaves one line break at the end.
  if (text.substr(0, text.ends_with('\n') ? text.size() - 1 : text.size()).find_first_of("\r\n") != text.npos) {
    reader.error("text", "a template is one line");
  }
  const Path path(reader.path(), "text");
  check_variables(reader.context(), reader.place("text"), path, text, access_log_variables);
}

void read_access_log(ObjectReader& root, AccessLog& log) {
  std::string word;
  if (root.read_word_instead("access_log", word)) {
    if (word == "off") log.format = AccessLogFormat::off;
    return;
  }
  root.object("access_log", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(root.context(), node, path, schema::access_log);
    const bool known = reader.read("format", log.format) || !reader.has("format");
    reader.read("file", log.file);
    reader.read("queries", log.queries);
    const bool has_text = reader.read("text", log.text);
    if (!known) return;
    if (log.format == AccessLogFormat::text && (!reader.has("text") || (has_text && log.text.empty()))) {
      reader.error("text", "`format: text` needs its template", "like text: \"${client} ${status} ${target}\"");
    }
    if (has_text && log.format != AccessLogFormat::text) {
      reader.error("text", "a template is only for `format: text`", "add `format: text`, or remove the template");
    }
    if (has_text) check_template(reader, log.text);
  });
}

void read_drain(ObjectReader& root, Drain& drain) {
  root.object("drain", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(root.context(), node, path, schema::drain);
    reader.read("delay", drain.delay);
    reader.read("grace", drain.grace);
  });
}

void read_dns(ObjectReader& root, Dns& dns) {
  root.object("dns", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(root.context(), node, path, schema::dns);
    reader.read("servers", dns.servers);
    reader.read("timeout", dns.timeout);
    reader.read("attempts", dns.attempts);
    const bool has_min = reader.read("min_ttl", dns.min_ttl);
    const bool has_max = reader.read("max_ttl", dns.max_ttl);
    reader.read("retry", dns.retry);
    if (dns.max_ttl >= dns.min_ttl || (!has_min && !has_max)) return;
    reader.error(has_max ? "max_ttl" : "min_ttl", "`max_ttl` (" + format_duration(dns.max_ttl) +
                                                      ") is shorter than `min_ttl` (" + format_duration(dns.min_ttl) +
                                                      ")");
  });
}

/// Before everything that may name one of its lists.
void read_ranges(ObjectReader& root, Model& model) {
  Context& context = root.context();
  model.ranges = context.ranges;
  std::string file;
  if (!root.read("ranges", file)) return;
  if (!file.starts_with('/')) {
    root.error("ranges", quote(file) + " is not an absolute path", "it is followed wherever the process runs: /etc/…");
    context.ranges = nullptr;
    return;
  }
  RangesResult loaded = context.load_ranges(file);
  if (!loaded.ranges) root.error("ranges", quote(file) + ": " + loaded.problem, "conf/ranges/published.txt is one");
  context.ranges = loaded.ranges;
  model.ranges = std::move(loaded.ranges);
  model.ranges_file = std::move(file);
}

}  // namespace

void read_root(Context& context, const YamlNode& root, Draft& draft) {
  const Path path;
  ObjectReader reader(context, root, path, schema::root);
  Model& model = draft.model;
  reader.read("workers", model.workers);
  reader.read("max_connections", model.max_connections);
  read_admin(reader, draft);
  read_log(reader, model.log);
  read_access_log(reader, model.access_log);
  read_drain(reader, model.drain);
  read_ranges(reader, model);
  reader.read("node_name", model.node_name);
  reader.read("zone", model.zone);
  read_dns(reader, model.dns);
  reader.each("services", [&](const YamlNode& node, const Path& item, std::size_t) {
    ServiceSource& source = draft.services.emplace_back();
    Service& service = model.services.emplace_back();
    read_service(context, node, item, service, source);
  });
  reader.each("listeners", [&](const YamlNode& node, const Path& item, std::size_t index) {
    Listener& listener = model.listeners.emplace_back();
    listener.name = "listener-" + std::to_string(index + 1);
    read_listener(context, node, item, listener, draft.listeners.emplace_back());
  });
  if (reader.has("listeners") && reader.value("listeners")->kind == YamlNode::Kind::sequence &&
      model.listeners.empty()) {
    reader.error("listeners", "there is no listener: nothing would be served");
  }
}

}  // namespace telltale::conf
