#pragma once

#include "protocol/assertion/hmac.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::assertion {

/// 1 to 32 of A-Z a-z 0-9 `.` `_` `-`.
bool is_key_id(std::string_view text);

/// The octets of one key: zeroed when it goes, and never copied.
class Secret {
 public:
  static constexpr std::size_t min_size = 32;  ///< RFC 2104 3: no less than the hash's output
  static constexpr std::size_t max_size = 64;  ///< the hash's block; a longer key would be hashed first

  Secret() = default;
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(octets_.data(), octets_.size()); }

  /// False: `text` is not base64 of min_size to max_size octets.
  bool parse(std::string_view text);
  std::span<const std::uint8_t> octets() const { return {octets_.data(), size_}; }

 private:
  std::array<std::uint8_t, max_size> octets_{};
  std::size_t size_ = 0;
};

/// The keys of one file: the first one signs, both are accepted.
///
///     # comments and empty lines are skipped
///     2026-11 bWFrZSBpdCB3aXRoOiBvcGVuc3NsIHJhbmQgLWJhc2U2NCAzMg==
///     2026-10 dGhlIHByZXZpb3VzIG9uZTogc3RpbGwgYWNjZXB0ZWQsIDMyIQ==
///
/// To change keys without refusing anybody: add the new key as the second line everywhere, then let it change places
/// with the first one, then, after the longest `max_age`, remove the old one.
class KeySet {
 public:
  static constexpr std::size_t max_keys = 2;
  static constexpr std::size_t max_file_octets = 4096;

  struct Key {
    std::string id;
    Secret secret;
  };

  /// nullopt: `problem` says what is wrong in which line; it never has anything of a key in it.
  static std::optional<KeySet> parse(std::string_view text, std::string& problem);

  std::span<const Key> keys() const { return keys_; }

 private:
  std::vector<Key> keys_;  // 1 to max_keys
};

/// The keys made ready for use on one thread.
class Keyring {
 public:
  /// Throws as HmacSha256 does.
  explicit Keyring(const KeySet& set);

  struct Entry {
    std::string id;
    HmacSha256 hmac;
  };
  /// The one that signs.
  Entry& current() { return entries_.front(); }
  /// nullptr: no key has this id.
  Entry* find(std::string_view id);

 private:
  std::vector<Entry> entries_;
};

}  // namespace telltale::assertion
