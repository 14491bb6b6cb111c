#include "proxy/observe/escape.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace telltale::proxy {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";
constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD

/// Octets that every style copies as they are: printable ASCII but for the quote and the backslash.
constexpr std::array<bool, 256> make_plain() {
  std::array<bool, 256> plain{};
  for (std::size_t i = 0x20; i < 0x7f; ++i) plain[i] = i != '"' && i != '\\';
  return plain;
}
constexpr std::array<bool, 256> plain = make_plain();

constexpr std::uint8_t octet(char c) { return static_cast<std::uint8_t>(c); }

/// Whether eight octets are all plain: none below 0x20, from 0x7f up, quote or backslash. Each term has its high bit
/// set in an octet that matches; a borrow can only spoil octets above one that matched already.
bool is_plain_word(std::uint64_t word) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  const auto zero = [](std::uint64_t x) { return (x - ones) & ~x; };
  const std::uint64_t special = word | ((word - ones * 0x20) & ~word) | zero(word ^ ones * '"') |
                                zero(word ^ ones * '\\') | zero(word ^ ones * 0x7f);
  return (special & ones * 0x80) == 0;
}

/// How many plain octets `text` begins with.
std::size_t skip_plain(std::string_view text) {
  std::size_t i = 0;
  for (std::uint64_t word = 0; i + sizeof word <= text.size(); i += sizeof word) {
    std::memcpy(&word, text.data() + i, sizeof word);
    if (!is_plain_word(word)) break;
  }
  while (i < text.size() && plain[octet(text[i])]) ++i;
  return i;
}

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t size = 0;  ///< octets; 0: not UTF-8
};

/// The code point that `text` begins with, by the well-formed sequences of RFC 3629 4: no overlong form, no surrogate,
/// nothing above U+10FFFF.
CodePoint decode(std::string_view text) {
  const std::uint8_t first = octet(text[0]);
  if (first < 0x80) return {first, 1};
  std::size_t size = 0;
  std::uint32_t value = 0;
  std::uint32_t minimum = 0;
  if (first >= 0xc2 && first <= 0xdf) {
    size = 2, value = first & 0x1fu, minimum = 0x80;
  } else if ((first & 0xf0) == 0xe0) {
    size = 3, value = first & 0x0fu, minimum = 0x800;
  } else if (first >= 0xf0 && first <= 0xf4) {
    size = 4, value = first & 0x07u, minimum = 0x10000;
  } else {
    return {};
  }
  if (text.size() < size) return {};
  for (std::size_t i = 1; i < size; ++i) {
    if ((octet(text[i]) & 0xc0) != 0x80) return {};
    value = value << 6 | (octet(text[i]) & 0x3fu);
  }
  if (value < minimum || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return {};
  return {value, size};
}

/// Code points that break lines or reorder what is shown, in viewers that honour them.
bool is_deceptive(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || (c >= 0x200e && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

template <class Out>
void append_u_escape(Out& out, std::uint32_t c) {
  const char text[] = {
      '\\', 'u', hex_digits[c >> 12 & 0xf], hex_digits[c >> 8 & 0xf], hex_digits[c >> 4 & 0xf], hex_digits[c & 0xf]};
  out.append(text, sizeof text);
}

/// The two-character escape of a control that has one; 0 if it has none.
char short_escape(std::uint32_t c) {
  switch (c) {
    case '\b':
      return 'b';
    case '\t':
      return 't';
    case '\n':
      return 'n';
    case '\f':
      return 'f';
    case '\r':
      return 'r';
    default:
      return 0;
  }
}

template <class Out>
void append_control(Out& out, std::uint32_t c) {
  if (const char letter = short_escape(c)) {
    out += '\\';
    out += letter;
  } else {
    append_u_escape(out, c);  // all deceptive ones are in the BMP
  }
}

/// Walks `text`: runs of plain octets are appended as they are, anything else is given to `special(code_point,
/// octets)`, with an empty `octets` for an octet that is not UTF-8.
template <class Out, class Special>
void walk(Out& out, std::string_view text, Special special) {
  for (;;) {
    const std::size_t run = skip_plain(text);
    out += text.substr(0, run);
    text.remove_prefix(run);
    if (text.empty()) return;
    const CodePoint c = decode(text);
    special(c.value, text.substr(0, c.size));
    text.remove_prefix(c.size == 0 ? 1 : c.size);
  }
}

template <class Out>
void append_as_json(Out& out, std::string_view text) {
  walk(out, text, [&](std::uint32_t c, std::string_view octets) {
    if (octets.empty()) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (is_deceptive(c)) {
      append_control(out, c);
    } else {
      out += octets;
    }
  });
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) { append_as_json(out, text); }
void append_json_escaped(LineBuilder& out, std::string_view text) { append_as_json(out, text); }

void append_text_escaped(LineBuilder& out, std::string_view text) {
  for (;;) {
    const std::size_t run = skip_plain(text);
    out += text.substr(0, run);
    text.remove_prefix(run);
    if (text.empty()) return;
    const std::uint8_t c = octet(text[0]);
    const char escaped[] = {'\\', 'x', hex_digits[c >> 4], hex_digits[c & 0xf]};
    out.append(escaped, sizeof escaped);
    text.remove_prefix(1);
  }
}

void append_readable(std::string& out, std::string_view text) {
  walk(out, text, [&](std::uint32_t c, std::string_view octets) {
    if (octets.empty()) {
      out += replacement;
    } else if (is_deceptive(c)) {
      append_control(out, c);
    } else {
      out += octets;
    }
  });
}

void append_label_escaped(std::string& out, std::string_view text) {
  walk(out, text, [&](std::uint32_t c, std::string_view octets) {
    if (octets.empty()) {
      out += replacement;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else {
      out += octets;
    }
  });
}

std::string to_valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  walk(out, text, [&](std::uint32_t, std::string_view octets) { out += octets.empty() ? replacement : octets; });
  return out;
}

}  // namespace telltale::proxy
