#pragma once

#include "protocol/http/header_block.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace telltale::forwarding {

struct HeaderTrust;

/// Without optional white space (RFC 9110 5.6.3) at either end.
constexpr std::string_view trim_ows(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// How commas are hidden inside an element: not at all (X-Forwarded-For), or by quoted-strings (Forwarded).
enum class ListSyntax : std::uint8_t { plain, quoted };

/// The elements of the configured header over all its lines (RFC 9110 5.3), last first; empty ones are skipped
/// (5.6.1.2). It reads octets from right to left only, so that nothing a client wrote - an open quote, say - can change
/// how the elements to the right of it, which trusted hops wrote, are read. An element never crosses a line.
class ElementsFromRight {
 public:
  ElementsFromRight(const http::HeaderBlock& fields, const HeaderTrust& trust, ListSyntax syntax)
      : fields_(fields), trust_(trust), syntax_(syntax), next_field_(fields.size()) {}

  /// False when there is none left. The view is valid as long as the block's are; it has no white space around it.
  bool next(std::string_view& element);
  /// Of the lines entered so far, all octets of their values and the separators between them.
  std::size_t octets() const { return octets_; }

 private:
  bool enter_line();

  const http::HeaderBlock& fields_;
  const HeaderTrust& trust_;
  ListSyntax syntax_;
  std::size_t next_field_;  // one past the field to look at next
  std::string_view line_;   // what is left of the current line
  bool in_line_ = false;
  std::size_t octets_ = 0;
};

}  // namespace telltale::forwarding
