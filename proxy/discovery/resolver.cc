#include "proxy/discovery/resolver.h"

#include <algorithm>

namespace telltale::proxy {

std::vector<std::string> SearchList::candidates(const std::string& name) const {
  if (name.ends_with('.')) return {name.substr(0, name.size() - 1)};
  std::vector<std::string> all;
  const bool as_it_is_first = static_cast<unsigned>(std::ranges::count(name, '.')) >= ndots;
  if (as_it_is_first) all.push_back(name);
  for (const std::string& domain : domains) all.push_back(name + "." + domain);
  if (!as_it_is_first) all.push_back(name);
  return all;
}

const char* to_string(LookupOutcome outcome) {
  switch (outcome) {
    case LookupOutcome::answered:
      return "answered";
    case LookupOutcome::no_data:
      return "no_data";
    case LookupOutcome::no_such_name:
      return "no_such_name";
    case LookupOutcome::timed_out:
      return "timed_out";
    case LookupOutcome::server_failed:
      return "server_failed";
    case LookupOutcome::malformed:
      return "malformed";
    case LookupOutcome::count_:
      break;
  }
  return "";
}

}  // namespace telltale::proxy
