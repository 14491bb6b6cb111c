#include "protocol/net/cidr.h"

#include <algorithm>

namespace telltale::net {
namespace {

unsigned width(const IpAddress& address) { return address.is_v4() ? 32 : 128; }

IpAddress from_octets(const std::array<std::uint8_t, 16>& octets, bool is_v4) {
  if (is_v4) return IpAddress::v4(std::span(octets).first<4>());
  return IpAddress::v6(octets);
}

std::array<std::uint8_t, 16> copy_octets(const IpAddress& address) {
  std::array<std::uint8_t, 16> copy{};
  std::copy(address.octets().begin(), address.octets().end(), copy.begin());
  return copy;
}

// The bits of octet `i` that a prefix of this length fixes.
std::uint8_t mask_of(std::size_t i, unsigned prefix_length) {
  const unsigned begin = static_cast<unsigned>(i) * 8;
  if (prefix_length >= begin + 8) return 0xff;
  if (prefix_length <= begin) return 0;
  return static_cast<std::uint8_t>(0xff << (8 - (prefix_length - begin)));
}

IpAddress without_host_bits(const IpAddress& address, unsigned prefix_length) {
  auto octets = copy_octets(address);
  for (std::size_t i = 0; i < address.octets().size(); ++i) octets[i] &= mask_of(i, prefix_length);
  return from_octets(octets, address.is_v4());
}

std::uint64_t load_big_endian(const std::uint8_t* octets, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | octets[i];
  return value;
}

// Inclusive ends, merged where they overlap or touch.
template <typename Interval>
void sort_and_merge(std::vector<Interval>& intervals) {
  std::sort(intervals.begin(), intervals.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::size_t kept = 0;
  for (const Interval& next : intervals) {
    if (kept > 0 && next.first <= intervals[kept - 1].last) {
      intervals[kept - 1].last = std::max(intervals[kept - 1].last, next.last);
    } else {
      intervals[kept++] = next;
    }
  }
  intervals.resize(kept);
}

template <typename Interval, typename Key>
bool holds(const std::vector<Interval>& intervals, const Key& key) {
  auto after = std::upper_bound(intervals.begin(), intervals.end(), key,
                                [](const Key& k, const Interval& interval) { return k < interval.first; });
  return after != intervals.begin() && key <= std::prev(after)->last;
}

}  // namespace

std::optional<Cidr> Cidr::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view address_text = text.substr(0, slash);
  const auto address = IpAddress::parse(address_text);
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return Cidr(*address, width(*address));

  const std::string_view length_text = text.substr(slash + 1);
  if (length_text.size() > 3) return std::nullopt;
  const auto length = parse_port(length_text);  // plain decimal, no sign, no leading zero
  if (!length) return std::nullopt;
  unsigned prefix_length = *length;

  // Unmapped when it was parsed: count the prefix from the end of ::ffff:0:0/96.
  const bool was_mapped = address->is_v4() && address_text.find(':') != std::string_view::npos;
  if (was_mapped) {
    if (prefix_length < 96) return std::nullopt;
    prefix_length -= 96;
  }
  if (prefix_length > width(*address)) return std::nullopt;
  if (without_host_bits(*address, prefix_length) != *address) return std::nullopt;
  return Cidr(*address, prefix_length);
}

Cidr::Cidr(const IpAddress& network, unsigned prefix_length)
    : network_(without_host_bits(network, std::min(prefix_length, width(network)))),
      prefix_length_(std::min(prefix_length, width(network))) {}

bool Cidr::contains(const IpAddress& address) const {
  if (address.is_v4() != network_.is_v4()) return false;
  const std::size_t whole = prefix_length_ / 8;
  if (std::memcmp(address.octets().data(), network_.octets().data(), whole) != 0) return false;
  const unsigned mask = prefix_length_ % 8 ? mask_of(whole, prefix_length_) : 0;
  return mask == 0 || (address.octets()[whole] & mask) == network_.octets()[whole];
}

std::string Cidr::to_string() const { return network_.to_string() + '/' + std::to_string(prefix_length_); }

CidrSet::V6Key CidrSet::v6_key(const IpAddress& address) {
  const std::uint8_t* octets = address.octets().data();
  return {load_big_endian(octets, 8), load_big_endian(octets + 8, 8)};
}

CidrSet::CidrSet(std::vector<Cidr> ranges, bool includes_unix)
    : ranges_(std::move(ranges)), includes_unix_(includes_unix) {
  for (const Cidr& range : ranges_) {
    const unsigned length = range.prefix_length();
    if (range.network().is_v4()) {
      const auto first = static_cast<std::uint32_t>(load_big_endian(range.network().octets().data(), 4));
      v4_.push_back({first, length == 0 ? ~0u : first | static_cast<std::uint32_t>((1ull << (32 - length)) - 1)});
    } else {
      const V6Key first = v6_key(range.network());
      V6Key last = first;
      if (length < 64) last.high |= ~0ull >> length;
      last.low = length <= 64 ? ~0ull : length == 128 ? first.low : first.low | ~0ull >> (length - 64);
      v6_.push_back({first, last});
    }
  }
  sort_and_merge(v4_);
  sort_and_merge(v6_);
}

bool CidrSet::contains(const IpAddress& address) const {
  if (address.is_v4()) return holds(v4_, static_cast<std::uint32_t>(load_big_endian(address.octets().data(), 4)));
  return holds(v6_, v6_key(address));
}

}  // namespace telltale::net
