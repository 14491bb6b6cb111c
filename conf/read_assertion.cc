#include "conf/read.h"
#include "conf/text.h"

#include <algorithm>

namespace telltale::conf {
namespace {

std::size_t index_of(std::vector<std::string>& files, const std::string& file) {
  const auto found = std::ranges::find(files, file);
  const auto index = static_cast<std::size_t>(found - files.begin());
  if (found == files.end()) files.push_back(file);
  return index;
}

void read_seconds(ObjectReader& reader, std::string_view field, std::chrono::seconds& out) {
  Milliseconds value{};
  if (!reader.read(field, value)) return;
  out = std::chrono::duration_cast<std::chrono::seconds>(value);
  if (out != value) {
    reader.error(field, quote(format_duration(value)) + " is not in whole seconds",
                 "assertions say when by the second");
  }
}

void read_tlv_type(ObjectReader& reader, std::uint8_t& out) {
  std::string type;
  if (reader.read("tlv", type) && type != "off") {
    out = static_cast<std::uint8_t>(std::stoul(type, nullptr, 16));  // one of the table's words
  }
}

}  // namespace

void read_assertion(ObjectReader& propagate, std::optional<forwarding::AssertionOptions>& assertion) {
  propagate.object("assertion", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(propagate.context(), node, path, schema::assertion);
    forwarding::AssertionOptions& options = assertion.emplace();
    reader.read("key_file", options.key_file);
    reader.read("header", options.header);
    read_tlv_type(reader, options.tlv);
    if (!options.header && options.tlv == 0) {
      reader.error_here("the assertion is told nowhere", "`header: true`, or `tlv: 0xE0`");
    }
  });
}

void read_assertion_trust(ObjectReader& client_ip, std::optional<AssertionTrust>& assertion) {
  client_ip.object("assertion", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(client_ip.context(), node, path, schema::assertion_trust);
    AssertionTrust& trust = assertion.emplace();
    reader.read("key_file", trust.key_file);
    read_seconds(reader, "max_age", trust.window.max_age);
    read_seconds(reader, "clock_skew", trust.window.clock_skew);
    read_tlv_type(reader, trust.tlv);
  });
}

void index_key_files(Model& model) {
  auto& files = model.assertion_key_files;
  for (Listener& listener : model.listeners) {
    if (auto& trust = listener.client_ip.assertion) trust->keys = index_of(files, trust->key_file);
  }
  for (Service& service : model.services) {
    if (auto& options = service.propagate.assertion) options->keys = index_of(files, options->key_file);
  }
}

}  // namespace telltale::conf
