// `behind:`: a preset's values for the fields that the file leaves out.
#include "conf/read.h"
#include "conf/text.h"

namespace telltale::conf {
namespace {

/// The field that says where the preset's party is, once the preset is written out.
std::string_view place_field(const Preset& preset) {
  return preset.tells == Preset::Tells::proxy ? "proxy_protocol" : "trusted";
}

void warn_unused(ObjectReader& reader, const Preset& preset) {
  if (preset.tells == Preset::Tells::nothing) {
    reader.warning("from", "has no effect: behind " + quote(preset.name) + " nobody is believed", "remove it");
  } else {
    reader.warning("from", "has no effect: `" + std::string(place_field(preset)) + "` is written out",
                   "remove one of them");
  }
}

/// False: there is no such list in the ranges file.
bool take_published(ObjectReader& reader, const Preset& preset, Ranges& out) {
  const PublishedList* list = reader.context().ranges->find(preset.published);
  if (list == nullptr) return false;
  out.field = "behind";
  out.published.emplace_back(list->name);
  for (const net::Cidr& range : list->ranges) out.list.push_back({range, reader.value("behind"), 0, list->name});
  return true;
}

void report_missing(ObjectReader& reader, const Preset& preset) {
  const std::string what = preset.from.empty() ? "its addresses" : std::string(preset.from);
  std::string message = "`behind: " + std::string(preset.name) + "` needs `from`: ";
  message += preset.published.empty() ? "nobody publishes where yours is"
                                      : "there is no list " + quote(preset.published) + " in the published ranges";
  std::string hint = "from: [10.0.0.0/16] with " + what;
  if (!preset.published.empty()) hint += "; or `ranges: FILE` with a list [" + std::string(preset.published) + "]";
  reader.error("from", std::move(message), std::move(hint));
}

}  // namespace

Behind read_behind(ObjectReader& reader) {
  Behind behind;
  std::string name;
  if (!reader.read("behind", name)) {
    if (reader.has("from") && !reader.has("behind")) {
      reader.error("from", "is for `behind`, which is not given",
                   "`behind: aws-nlb` or the like, or write `trusted` or `proxy_protocol` out");
    }
    return behind;
  }
  behind.preset = find_preset(name);
  const Preset& preset = *behind.preset;
  behind.from.field = "from";
  const bool given = reader.has("from");
  behind.right = reader.read("from", behind.from) || !given;
  if (preset.tells == Preset::Tells::nothing || reader.has(place_field(preset))) {
    if (given) warn_unused(reader, preset);
    return behind;
  }
  if (given && behind.right && behind.from.empty()) {
    reader.error("from", "names nobody", preset.from.empty() ? "" : std::string(preset.from));
    behind.right = false;
  } else if (!given && (preset.published.empty() ||
                        (reader.context().ranges != nullptr && !take_published(reader, preset, behind.from)))) {
    report_missing(reader, preset);
    behind.right = false;
  }
  return behind;
}

bool fill_proxy_protocol(ObjectReader& reader, const Behind& behind, ClientIp& client_ip) {
  if (behind.preset == nullptr || behind.preset->tells != Preset::Tells::proxy || reader.has("proxy_protocol")) {
    return false;
  }
  ProxyProtocolRule& rule = client_ip.proxy_protocol.emplace_back();
  rule.policy = ProxyPolicy::require;
  rule.version = *from_word<ProxyVersions>(behind.preset->version);
  rule.from_list = behind.from.as_list();
  std::vector<net::Cidr> ranges = behind.from.set().ranges();
  if (!behind.preset->also.empty()) {
    const net::Cidr also = *net::Cidr::parse(behind.preset->also);
    rule.from_list.ranges.push_back(also);
    ranges.push_back(also);
  }
  rule.from = net::CidrSet(std::move(ranges), behind.from.includes_unix);
  return true;
}

}  // namespace telltale::conf
