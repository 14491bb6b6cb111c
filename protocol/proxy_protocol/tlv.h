#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

namespace telltale::proxy_protocol {

/// Type codes of the spec, section 2.2. 0xE0..0xEF are for applications.
enum class TlvType : std::uint8_t {
  alpn = 0x01,
  authority = 0x02,
  crc32c = 0x03,
  noop = 0x04,
  unique_id = 0x05,
  ssl = 0x20,
  netns = 0x30,
};

/// Section 2.2.5: a unique ID is no longer than this.
inline constexpr std::size_t max_unique_id_size = 128;

/// Section 2.2.6: the SSL TLV's value is the client flags, the 4 octets of the verify field, and a section of sub-TLVs.
inline constexpr std::size_t ssl_head_size = 5;
inline constexpr std::uint8_t ssl_client_flag = 0x01;     ///< PP2_CLIENT_SSL: the client connected over TLS
inline constexpr std::uint8_t ssl_cert_conn_flag = 0x02;  ///< PP2_CLIENT_CERT_CONN: it showed a certificate on it
inline constexpr std::uint8_t ssl_cert_sess_flag = 0x04;  ///< PP2_CLIENT_CERT_SESS: or earlier in its session
/// Of its section.
enum class SslSubtype : std::uint8_t {
  version = 0x21,
  cn = 0x22,
  cipher = 0x23,
  sig_alg = 0x24,
  key_alg = 0x25,
  client_cert = 0x28,
};

struct Tlv {
  TlvType type;  ///< any octet, named or not
  std::string_view value;
};

/// The TLVs of a section, in order: `for (const Tlv& tlv : TlvRange(header.tlvs))`. Walks inside the section only: it
/// ends where a TLV would run past it, which well_formed() tells. Views last as long as the section's octets.
/// The SSL TLV's value nests a section of its own behind its first ssl_head_size octets: walk that with another range.
class TlvRange {
 public:
  static constexpr std::size_t head_size = 3;  ///< type, and length in network order

  class Iterator {
   public:
    using value_type = Tlv;
    using reference = const Tlv&;
    using pointer = const Tlv*;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;

    Iterator() = default;
    explicit Iterator(std::string_view section) : rest_(section) { read(); }
    reference operator*() const { return tlv_; }
    pointer operator->() const { return &tlv_; }
    Iterator& operator++() {
      rest_.remove_prefix(head_size + tlv_.value.size());
      read();
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    /// How many octets the TLV at hand and those behind it take.
    std::size_t octets_left() const { return rest_.size(); }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) { return it.at_end_; }

   private:
    void read() {
      at_end_ = true;
      if (rest_.size() < head_size) return;
      const std::size_t size = octet(1) << 8 | octet(2);
      if (size > rest_.size() - head_size) return;
      tlv_ = {static_cast<TlvType>(octet(0)), rest_.substr(head_size, size)};
      at_end_ = false;
    }
    std::size_t octet(std::size_t i) const { return static_cast<unsigned char>(rest_[i]); }

    std::string_view rest_;
    Tlv tlv_{};
    bool at_end_ = true;
  };

  explicit TlvRange(std::string_view section) : section_(section) {}
  Iterator begin() const { return Iterator(section_); }
  std::default_sentinel_t end() const { return {}; }

  /// Whether the TLVs fill the section exactly.
  bool well_formed() const {
    Iterator it = begin();
    while (it != end()) ++it;
    return it.octets_left() == 0;
  }
  /// The value of the first TLV of this type.
  std::optional<std::string_view> find(TlvType type) const {
    for (const Tlv& tlv : *this)
      if (tlv.type == type) return tlv.value;
    return std::nullopt;
  }

 private:
  std::string_view section_;
};

/// Whether the value of an SSL TLV has its fixed part, and a section behind it that fills the rest exactly.
inline bool is_ssl_value(std::string_view value) {
  return value.size() >= ssl_head_size && TlvRange(value.substr(ssl_head_size)).well_formed();
}

}  // namespace telltale::proxy_protocol
