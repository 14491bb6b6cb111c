#include "protocol/forwarding/list.h"

#include "protocol/forwarding/identity_headers.h"

#include <cstring>

namespace telltale::forwarding {
namespace {

bool is_escaped(std::string_view text, std::size_t at) {
  std::size_t backslashes = 0;
  while (backslashes < at && text[at - backslashes - 1] == '\\') ++backslashes;
  return backslashes % 2 == 1;
}

constexpr std::size_t npos = std::string_view::npos;

// string_view::rfind() looks at one octet at a time.
std::size_t find_last(std::string_view text, char c) {
  const void* const found = text.empty() ? nullptr : memrchr(text.data(), c, text.size());
  return found ? static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) : npos;
}

// Where the last comma outside quotes stands, npos for none. In a well-formed element the closing quote is the first
// one met from the right, every quote inside is escaped, and the opening one is not, so both directions agree. An
// unpaired quote swallows what is left of it, never what is right of it. Linear: nothing is searched twice.
std::size_t last_comma_outside_quotes(std::string_view text) {
  std::size_t comma = find_last(text, ',');
  while (true) {
    const std::size_t after = comma == npos ? 0 : comma + 1;
    const std::size_t closing = find_last(text.substr(after), '"');
    if (closing == npos) return comma;  // the usual case
    text = text.substr(0, after + closing);
    std::size_t opening = find_last(text, '"');
    while (opening != npos && is_escaped(text, opening)) opening = find_last(text.substr(0, opening), '"');
    if (opening == npos) return npos;
    text = text.substr(0, opening);
    if (comma != npos && comma > opening) comma = find_last(text, ',');
  }
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
    const std::size_t comma = syntax_ == ListSyntax::plain ? find_last(line_, ',') : last_comma_outside_quotes(line_);
    if (comma == npos) {
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
