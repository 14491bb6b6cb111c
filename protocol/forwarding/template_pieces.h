#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace telltale::forwarding {

/// A stretch of a template's text.
struct TemplatePiece {
  enum class Kind : std::uint8_t {
    literal,
    variable,  ///< `${name}`
    unclosed,  ///< `${` without its `}`: the rest of the text
  };
  Kind kind = Kind::literal;
  std::string_view text;   ///< of a variable: its name
  std::size_t offset = 0;  ///< where it begins in the template; of a variable: its `$`
};

/// Takes a template apart, from left to right: the one place where `${…}` is read. `$$` is a dollar; a `$` before
/// anything else is itself. The pieces are views into the text.
class TemplatePieces {
 public:
  explicit TemplatePieces(std::string_view text) : text_(text) {}
  /// False when nothing is left.
  bool next(TemplatePiece& piece);

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace telltale::forwarding
