#include "conf/apply_ranges.h"

#include "conf/text.h"

namespace telltale::conf {
namespace {

/// The first name that is missing; empty if none is.
std::string missing_in(const RangeList& list, const PublishedRanges& published) {
  for (const std::string& name : list.published) {
    if (published.find(name) == nullptr) return name;
  }
  return {};
}

std::string apply(ClientIp& client_ip, const PublishedRanges& published) {
  for (ProxyProtocolRule& rule : client_ip.proxy_protocol) {
    if (std::string missing = missing_in(rule.from_list, published); !missing.empty()) return missing;
    rule.from = resolve(rule.from_list, published);
  }
  if (std::string missing = missing_in(client_ip.trusted_list, published); !missing.empty()) return missing;
  client_ip.header.trusted = resolve(client_ip.trusted_list, published);
  return {};
}

}  // namespace

net::CidrSet resolve(const RangeList& list, const PublishedRanges& published) {
  std::vector<net::Cidr> ranges = list.ranges;
  for (const std::string& name : list.published) {
    if (const PublishedList* found = published.find(name)) {
      ranges.insert(ranges.end(), found->ranges.begin(), found->ranges.end());
    }
  }
  return net::CidrSet(std::move(ranges), list.includes_unix);
}

std::shared_ptr<const Model> with_ranges(const Model& model, std::shared_ptr<const PublishedRanges> published,
                                         std::string& problem) {
  auto changed = std::make_shared<Model>(model);
  for (Listener& listener : changed->listeners) {
    const std::string missing = apply(listener.client_ip, *published);
    if (missing.empty()) continue;
    problem = "there is no list " + quote(missing) + ", which the listener " + listener.name + " uses";
    return nullptr;
  }
  changed->ranges = std::move(published);
  return changed;
}

}  // namespace telltale::conf
