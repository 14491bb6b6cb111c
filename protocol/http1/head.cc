#include "protocol/http1/head.h"

#include <algorithm>

namespace telltale::http1 {

std::string_view RequestHead::query() const {
  const std::string_view text = target;
  const std::size_t mark = text.find('?');
  return mark == std::string_view::npos ? std::string_view() : text.substr(mark + 1);
}

std::string_view RequestHead::host() const {
  const std::string_view text = authority;
  if (!text.empty() && text.front() == '[') return text.substr(0, std::min(text.find(']'), text.size() - 1) + 1);
  return text.substr(0, text.find(':'));
}

void RequestHead::clear() {
  method = Method::get;
  method_text.clear();
  target.clear();
  authority.clear();
  minor_version = 1;
  fields.clear();
  body = {};
  keep_alive = true;
  expects_continue = false;
  wants_upgrade = false;
  from_absolute_form = false;
}

void ResponseHead::clear() {
  status = 0;
  reason.clear();
  minor_version = 1;
  fields.clear();
  body = {};
  declared_length.reset();
  keep_alive = true;
}

}  // namespace telltale::http1
