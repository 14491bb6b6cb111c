#include "conf/model.h"

namespace telltale::conf {

std::string Address::to_string() const { return ip ? ip->to_string() : "unix:" + unix_path; }

}  // namespace telltale::conf
