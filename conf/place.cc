#include "conf/place.h"

namespace telltale::conf {
namespace {

/// Octets of the character that begins with `lead` (RFC 3629).
std::size_t utf8_size(char lead) {
  const auto octet = static_cast<unsigned char>(lead);
  return octet < 0xc0 ? 1 : octet < 0xe0 ? 2 : octet < 0xf0 ? 3 : 4;
}

/// From the scalar's first octet to the end of the file; empty if the place is not in it.
std::string_view from(std::string_view file, const YamlNode& scalar) {
  for (std::uint32_t line = 1; line < scalar.line; ++line) {
    const auto end = file.find('\n');
    if (end == std::string_view::npos) return {};
    file.remove_prefix(end + 1);
  }
  return scalar.column == 0 || scalar.column > file.size() ? std::string_view() : file.substr(scalar.column - 1);
}

/// Octets of an escape in double quotes (YAML 1.2.2, 5.7), its backslash included; 0: a folded line.
std::size_t escape_size(std::string_view raw) {
  if (raw.size() < 2 || raw[1] == '\n' || raw[1] == '\r') return 0;
  return raw[1] == 'x' ? 4 : raw[1] == 'u' ? 6 : raw[1] == 'U' ? 10 : 2;
}

/// Walks along the text and the file's octets, which differ by escapes alone. npos: by something else.
std::size_t raw_offset(std::string_view raw, std::string_view text, std::size_t offset, char quote) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < offset;) {
    if (at >= raw.size()) return std::string_view::npos;
    if (quote == '"' && raw[at] == '\\') {
      const std::size_t size = escape_size(raw.substr(at));
      if (size == 0) return std::string_view::npos;
      at += size;
      i += utf8_size(text[i]);
    } else {
      if (raw[at] != text[i] || raw[at] == '\n') return std::string_view::npos;
      at += quote == '\'' && raw[at] == '\'' ? 2 : 1;
      ++i;
    }
  }
  return at;
}

}  // namespace

YamlNode place_within(std::string_view file, const YamlNode& scalar, std::size_t offset) {
  YamlNode place;
  place.line = scalar.line;
  place.column = scalar.column;
  std::string_view raw = from(file, scalar);
  if (raw.empty() || offset > scalar.text.size()) return place;

  const char first = raw[0];
  std::uint32_t line = scalar.line, column = scalar.column;
  char quote = '\0';
  if (scalar.quoted && (first == '"' || first == '\'')) {
    quote = first;
    raw.remove_prefix(1);
    ++column;
  } else if (scalar.quoted) {
    // A block scalar: its text begins in the next line, behind the indentation.
    const auto end = raw.find('\n');
    if ((first != '|' && first != '>') || end == std::string_view::npos) return place;
    raw.remove_prefix(end + 1);
    const auto indentation = std::min(raw.find_first_not_of(' '), raw.size());
    raw.remove_prefix(indentation);
    ++line;
    column = static_cast<std::uint32_t>(indentation) + 1;
  }
  const std::size_t at = raw_offset(raw, scalar.text, offset, quote);
  if (at == std::string_view::npos) return place;
  place.line = line;
  place.column = column + static_cast<std::uint32_t>(at);
  return place;
}

}  // namespace telltale::conf
