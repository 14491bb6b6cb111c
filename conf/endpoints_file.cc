#include "conf/endpoints_file.h"

#include "conf/file.h"
#include "conf/read.h"

#include <algorithm>
#include <unordered_set>

namespace telltale::conf {
namespace {

constexpr std::string_view nobody_hint = "`{ \"endpoints\": [] }` says that nobody serves";

struct Inspected {
  EndpointsFile file;
  std::vector<Diagnostic> findings;
  bool has_errors() const {
    return std::ranges::any_of(findings, [](const Diagnostic& each) { return each.severity == Severity::error; });
  }
};

/// A writer that was interrupted ends within a line, or leaves JSON open, which is no YAML either.
bool is_cut(std::string_view text) {
  const auto last = text.find_last_not_of(" \t\r");
  return last != std::string_view::npos && text[last] != '\n' && text[last] != '}' && text[last] != ']';
}

void check_lists(ObjectReader& reader) {
  bool any = false;
  for (const std::string_view field : {"nodes", "endpoints"}) {
    const YamlNode* list = reader.node().find(field);
    if (list == nullptr) continue;
    any = true;
    if (list->kind == YamlNode::Kind::null) reader.error_here(quote(field) + " has no value", std::string(nobody_hint));
  }
  if (!any && reader.node().kind == YamlNode::Kind::map) {
    reader.error_here("there are neither `nodes` nor `endpoints`", std::string(nobody_hint));
  }
}

void check_names(ObjectReader& reader, const std::vector<Node>& nodes, const Service& conf) {
  std::unordered_set<std::string_view> taken;
  for (const Node& each : conf.nodes) taken.insert(each.name);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].name.empty() || !taken.contains(nodes[i].name)) continue;
    const Path list(reader.path(), "nodes");
    reader.context().diagnostics.error(
        *reader.value("nodes")->items[i], Path(list, i),
        "there is another node " + quote(nodes[i].name) + " in the service " + quote(conf.name),
        "give each node its own `name`");
  }
}

Inspected failed(std::string message, std::string_view hint) {
  Inspected out;
  out.findings.push_back(
      {.severity = Severity::error, .path = {}, .message = std::move(message), .hint = std::string(hint)});
  return out;
}

Inspected too_large() {
  return failed("the file is larger than " + format_size(max_endpoints_file_octets),
                "leave out what is the default anyway, indentation too, or make several services of this one");
}

Inspected inspect(std::string_view text, const Service& conf, const Environment& environment) {
  if (text.size() > max_endpoints_file_octets) return too_large();
  Inspected out;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Diagnostics diagnostics;
  YamlTree tree;
  if (is_cut(text)) {
    diagnostics.list().push_back({.severity = Severity::error,
                                  .path = {},
                                  .message = "the file ends within a line: is it still being written?",
                                  .hint = "write another file and rename it to this one"});
  } else if (tree.parse(text, diagnostics.list(), nobody_hint)) {
    const RangesLoader none;
    Context context{diagnostics, environment, text, none};
    const Path path;
    ObjectReader reader(context, tree.root(), path, schema::endpoints_file);
    check_lists(reader);
    read_nodes(reader, out.file.nodes);
    read_endpoints(reader, out.file.endpoints);
    check_nodes(reader, out.file.nodes, conf);
    check_names(reader, out.file.nodes, conf);
    check_endpoints(reader, out.file.endpoints);
    check_sources(reader, out.file.nodes, out.file.endpoints, conf);
  }
  out.findings = diagnostics.take();
  return out;
}

Inspected inspect_file(const std::string& path, const Service& conf, const Environment& environment) {
  const FileText file = read_regular_file(path, max_endpoints_file_octets);
  if (file.text) return inspect(*file.text, conf, environment);
  return file.is_too_large ? too_large() : failed("cannot be read: " + file.problem, nobody_hint);
}

/// `/etc/shop.json:3:5: endpoints[0].address: …`
std::string message_of(const std::string& file, const Diagnostic& finding) {
  std::string out = file;
  if (finding.line != 0) out += ":" + std::to_string(finding.line) + ":" + std::to_string(finding.column);
  out += ": ";
  if (!finding.path.empty()) out += finding.path + ": ";
  return out + finding.message;
}

EndpointsFileResult result_of(Inspected inspected, const std::string& name) {
  if (!inspected.has_errors()) return {std::move(inspected.file), {}};
  EndpointsFileResult result;
  for (const Diagnostic& each : inspected.findings) {
    if (each.severity != Severity::error) continue;
    if (!result.problems.empty()) result.problems += '\n';
    result.problems += message_of(name, each) + (each.hint.empty() ? "" : " (" + each.hint + ")");
  }
  return result;
}

}  // namespace

EndpointsFileResult load_endpoints_file(const std::string& path, const Service& conf) {
  return result_of(inspect_file(path, conf, process_environment()), path);
}

EndpointsFileResult parse_endpoints_file(std::string_view text, const std::string& name, const Service& conf,
                                         const Environment& environment) {
  return result_of(inspect(text, conf, environment ? environment : process_environment()), name);
}

void check_endpoints_files(const Model& model, std::vector<Diagnostic>& findings) {
  for (std::size_t i = 0; i < model.services.size(); ++i) {
    const Service& service = model.services[i];
    if (service.endpoints_file.empty()) continue;
    for (const Diagnostic& each : inspect_file(service.endpoints_file, service, process_environment()).findings) {
      findings.push_back({.severity = each.severity,
                          .path = "services[" + std::to_string(i) + "].endpoints_file",
                          .message = message_of(service.endpoints_file, each),
                          .hint = each.hint});
    }
  }
}

}  // namespace telltale::conf
