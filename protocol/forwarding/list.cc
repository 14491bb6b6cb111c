#include "protocol/forwarding/list.h"

#include "protocol/forwarding/identity_headers.h"

namespace telltale::forwarding {
namespace {

bool is_escaped(std::string_view text, std::size_t at) {
  std::size_t backslashes = 0;
  while (backslashes < at && text[at - backslashes - 1] == '\\') ++backslashes;
  return backslashes % 2 == 1;
}

// Where the last comma outside quotes stands, npos for none. In a well-formed element the closing quote is the first
// one met from the right, every quote inside is escaped, and the opening one is not, so both directions agree. An
// unpaired quote swallows what is left of it, never what is right of it.
std::size_t last_comma_outside_quotes(std::string_view text) {
  const std::size_t last = text.rfind(',');
  const std::size_t after = last == std::string_view::npos ? 0 : last + 1;
  if (text.find('"', after) == std::string_view::npos) return last;  // the usual case
  bool quoted = false;
  for (std::size_t i = text.size(); i-- > 0;) {
    if (text[i] == '"') {
      if (!quoted) {
        quoted = true;
      } else if (!is_escaped(text, i)) {
        quoted = false;
      }
    } else if (text[i] == ',' && !quoted) {
      return i;
    }
  }
  return std::string_view::npos;
}

}  // namespace

bool ElementsFromRight::enter_line() {
  while (next_field_ > 0) {
    const http::HeaderBlock::Field field = fields_[--next_field_];
    if (!is_believed_header(field.id, field.name, trust_)) continue;
    line_ = field.value;
    octets_ += line_.size() + (octets_ == 0 ? 0 : 2);
    in_line_ = true;
    return true;
  }
  return false;
}

bool ElementsFromRight::next(std::string_view& element) {
  while (in_line_ || enter_line()) {
    const std::size_t comma = syntax_ == ListSyntax::plain ? line_.rfind(',') : last_comma_outside_quotes(line_);
    if (comma == std::string_view::npos) {
      element = trim_ows(line_);
      in_line_ = false;
    } else {
      element = trim_ows(line_.substr(comma + 1));
      line_ = line_.substr(0, comma);
    }
    if (!element.empty()) return true;
  }
  return false;
}

}  // namespace telltale::forwarding
