#include "conf/model.h"

#include <algorithm>

namespace telltale::conf {

std::string Address::to_string() const { return ip ? ip->to_string() : "unix:" + unix_path; }

bool Listener::peeks() const {
  if (protocol != Protocol::tcp || tls) return false;
  return std::ranges::any_of(routes, [](const Route& route) {
    const auto is_of_tls = [](const Condition& each) { return each.trait.of != ConnectionTrait::Of::tlv; };
    return !route.match.host.empty() || std::ranges::any_of(route.match.conditions, is_of_tls);
  });
}

}  // namespace telltale::conf
