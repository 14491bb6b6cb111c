#include "protocol/forwarding/own_element.h"

#include "protocol/forwarding/forwarded.h"
#include "protocol/forwarding/obfuscation.h"

namespace telltale::forwarding {
namespace {

class ElementWriter {
 public:
  ElementWriter(std::string& out, const RequestFacts& facts) : out_(out), begin_(out.size()), facts_(facts) {}

  void node(std::string_view parameter, const NodeName& name, const std::optional<net::IpPort>& node, bool with_port) {
    start(parameter);
    switch (name.form) {
      case NodeName::Form::address:
        if (!node) break;
        return append_node(out_, {node->address, with_port ? node->port : std::uint16_t{0}});
      case NodeName::Form::unknown:
        break;
      case NodeName::Form::per_connection:
      case NodeName::Form::per_process:
        if (facts_.obfuscation_key == nullptr) break;
        return obfuscated(name.form == NodeName::Form::per_connection ? facts_.connection_number : 0, node);
      case NodeName::Form::fixed:
        out_ += name.identifier;
        return;
    }
    out_ += "unknown";
  }

  void value(std::string_view parameter, std::string_view value) {
    const std::size_t before = out_.size();
    start(parameter);
    if (!append_forwarded_value(out_, value)) out_.resize(before);
  }
  void value(std::string_view parameter, const Template& value) {
    const std::size_t before = out_.size();
    start(parameter);
    const std::size_t begin = out_.size();
    if (!value.append_field_value(out_, facts_) || !quote_forwarded_value(out_, begin)) out_.resize(before);
  }

 private:
  void start(std::string_view parameter) {
    if (out_.size() != begin_) out_ += ';';
    out_ += parameter;
    out_ += '=';
  }
  void obfuscated(std::uint64_t connection_number, const std::optional<net::IpPort>& node) {
    std::optional<net::IpAddress> address;
    if (node) address = node->address;
    append_obfuscated(out_, *facts_.obfuscation_key, address, connection_number);
  }

  std::string& out_;
  std::size_t begin_;
  const RequestFacts& facts_;
};

}  // namespace

bool append_own_element(std::string& out, const ForwardedOptions& options, const std::optional<net::IpPort>& for_node,
                        const RequestFacts& facts) {
  const std::size_t begin = out.size();
  ElementWriter element(out, facts);
  if (options.write_for) element.node("for", options.for_name, for_node, options.ports);
  const auto& destination = facts.peer.destination();
  if (options.write_by && (destination || options.by_name.form != NodeName::Form::address)) {
    element.node("by", options.by_name, destination, options.ports);
  }
  if (options.write_host) element.value("host", facts.host);
  if (options.write_proto) element.value("proto", facts.scheme);
  for (const ForwardedExtension& extension : options.extensions) element.value(extension.name, extension.value);
  return out.size() != begin;
}

void append_for(std::string& out, const ForwardedOptions& options, const std::optional<net::IpPort>& for_node,
                const RequestFacts& facts) {
  ElementWriter(out, facts).node("for", options.for_name, for_node, options.ports);
}

}  // namespace telltale::forwarding
