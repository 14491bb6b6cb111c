#include "protocol/net/ip_address.h"

#include <algorithm>
#include <charconv>

namespace telltale::net {
namespace {

// RFC 4291 2.5.5.2: 80 zero bits, 16 one bits, the IPv4 address.
constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The first group of an IPv6 address is at most four digits long: a colon is among the first five octets.
bool begins_like_v6(std::string_view text) {
  for (const char c : text.substr(0, 5)) {
    if (c == ':') return true;
    if (c == '.') return false;
  }
  return false;
}

// Exactly four decimal octets. A leading zero is refused: other software reads it as octal (CVE-2021-29922).
bool parse_dotted_quad(std::string_view text, std::uint8_t* out) {
  std::size_t at = 0;
  for (int i = 0; i < 4; ++i) {
    if (i > 0) {
      if (at == text.size() || text[at] != '.') return false;
      ++at;
    }
    const std::size_t begin = at;
    unsigned value = 0;
    while (at < text.size() && is_digit(text[at]) && at - begin < 3) value = value * 10 + unsigned(text[at++] - '0');
    const std::size_t digits = at - begin;
    if (digits == 0 || value > 255 || (digits > 1 && text[begin] == '0')) return false;
    out[i] = static_cast<std::uint8_t>(value);
  }
  return at == text.size();
}

// RFC 4291 2.2, forms 1 to 3.
bool parse_v6_text(std::string_view text, std::uint8_t (&out)[16]) {
  constexpr std::size_t nowhere = 17;
  std::size_t size = 0;       // octets written so far
  std::size_t gap = nowhere;  // where `::` stood
  std::size_t at = 0;
  if (text.starts_with("::")) {
    gap = 0;
    at = 2;
    if (text.size() == 2) return std::fill(out, out + 16, std::uint8_t{0}), true;
  }
  while (true) {
    const std::size_t begin = at;
    unsigned value = 0;
    for (int digit; at < text.size() && at - begin < 4 && (digit = hex_value(text[at])) >= 0; ++at)
      value = value << 4 | static_cast<unsigned>(digit);
    if (at < text.size() && text[at] == '.') {  // form 3: the last 32 bits in decimal
      if (size > 12 || !parse_dotted_quad(text.substr(begin), out + size)) return false;
      size += 4;
      break;
    }
    if (at == begin || size > 14) return false;
    out[size++] = static_cast<std::uint8_t>(value >> 8);
    out[size++] = static_cast<std::uint8_t>(value);
    if (at == text.size()) break;
    if (text[at++] != ':') return false;
    if (at < text.size() && text[at] == ':') {
      if (gap != nowhere) return false;
      gap = size;
      if (++at == text.size()) break;
    }
  }
  if (gap == nowhere) return size == 16;
  if (size == 16) return false;  // `::` stands for at least one group
  std::copy_backward(out + gap, out + size, out + 16);
  std::fill(out + gap, out + 16 - (size - gap), std::uint8_t{0});
  return true;
}

char* write_decimal(char* out, unsigned value) { return std::to_chars(out, out + 5, value).ptr; }

struct Run {
  int begin = -1, size = 0;
};

// RFC 5952 4.2: the longest run of zero groups, the first of equals, never a single group.
Run longest_zero_run(const std::array<unsigned, 8>& groups) {
  Run best, run;
  for (int i = 0; i < 8; ++i) {
    run = groups[static_cast<std::size_t>(i)] != 0 ? Run{} : Run{run.size ? run.begin : i, run.size + 1};
    if (run.size > best.size) best = run;
  }
  return best.size >= 2 ? best : Run{};
}

char* write_v6(char* out, std::span<const std::uint8_t> octets) {
  std::array<unsigned, 8> groups;
  for (std::size_t i = 0; i < 8; ++i) groups[i] = unsigned{octets[2 * i]} << 8 | octets[2 * i + 1];
  const Run zeros = longest_zero_run(groups);
  for (int i = 0; i < 8; ++i) {
    if (i == zeros.begin) {
      *out++ = ':';
      *out++ = ':';
      i += zeros.size - 1;
      continue;
    }
    if (i > 0 && i != zeros.begin + zeros.size) *out++ = ':';
    out = std::to_chars(out, out + 4, groups[static_cast<std::size_t>(i)], 16).ptr;
  }
  return out;
}

}  // namespace

IpAddress IpAddress::v4(std::span<const std::uint8_t, 4> octets) {
  return v4(octets[0], octets[1], octets[2], octets[3]);
}

IpAddress IpAddress::v6(std::span<const std::uint8_t, 16> octets) {
  if (std::equal(mapped_prefix.begin(), mapped_prefix.end(), octets.begin())) return v4(octets.last<4>());
  IpAddress ip;
  std::copy(octets.begin(), octets.end(), ip.octets_.begin());
  ip.is_v4_ = false;
  return ip;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() < 2 || text.size() > max_text_size) return std::nullopt;
  if (!begins_like_v6(text)) {
    std::optional<IpAddress> ip(std::in_place);  // written where it is returned: this is done for every hop
    if (!parse_dotted_quad(text, ip->octets_.data())) ip.reset();
    return ip;
  }
  std::uint8_t octets[16];
  if (!parse_v6_text(text, octets)) return std::nullopt;
  return v6(octets);
}

bool IpAddress::is_loopback() const {
  if (is_v4_) return octets_[0] == 127;
  return octets_[15] == 1 && std::all_of(octets_.begin(), octets_.end() - 1, [](std::uint8_t o) { return o == 0; });
}

bool IpAddress::is_unspecified() const {
  return std::all_of(octets_.begin(), octets_.end(), [](std::uint8_t o) { return o == 0; });
}

std::array<std::uint8_t, 16> IpAddress::mapped_octets() const {
  if (!is_v4_) return octets_;
  std::array<std::uint8_t, 16> mapped;
  std::copy(mapped_prefix.begin(), mapped_prefix.end(), mapped.begin());
  std::copy(octets_.begin(), octets_.begin() + 4, mapped.begin() + 12);
  return mapped;
}

std::size_t IpAddress::format(char* out) const {
  char* end = out;
  if (is_v4_) {
    for (std::size_t i = 0; i < 4; ++i) {
      if (i > 0) *end++ = '.';
      end = write_decimal(end, octets_[i]);
    }
  } else {
    end = write_v6(end, octets_);
  }
  return static_cast<std::size_t>(end - out);
}

std::string IpAddress::to_string() const {
  std::string text;
  append_to(text);
  return text;
}

std::string IpPort::to_string() const {
  std::string text;
  text.reserve(IpAddress::max_text_size + 8);
  if (address.is_v6()) text += '[';
  address.append_to(text);
  if (address.is_v6()) text += ']';
  text += ':';
  char digits[5];
  text.append(digits, write_decimal(digits, port));
  return text;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  unsigned value = 0;
  for (char c : text) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + unsigned(c - '0');
  }
  if (value > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(value);
}

std::optional<IpPort> parse_ip_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.empty()) return IpPort{IpAddress::v6(std::array<std::uint8_t, 16>{}), *port};

  // RFC 3986 3.2.2: IPv6 in brackets, and nothing else in them; without them the port would be ambiguous.
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (bracketed != (host.find(':') != std::string_view::npos)) return std::nullopt;
  const auto address = IpAddress::parse(host);
  if (!address) return std::nullopt;
  return IpPort{*address, *port};
}

}  // namespace telltale::net

std::size_t std::hash<telltale::net::IpAddress>::operator()(const telltale::net::IpAddress& ip) const noexcept {
  // The finaliser of MurmurHash3 over both halves: neighbours in one subnet spread over all bits.
  const auto mix = [](std::uint64_t x) {
    x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
    x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53u;
    return x ^ (x >> 33);
  };
  std::uint64_t halves[2] = {0, 0};
  std::memcpy(halves, ip.octets().data(), ip.octets().size());
  return static_cast<std::size_t>(mix(halves[0] + mix(halves[1] + (ip.is_v4() ? 4u : 6u))));
}
