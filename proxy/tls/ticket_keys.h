#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

namespace telltale::proxy {

/// What session tickets are sealed with (RFC 5077 4), shared by the workers, so that any of them resumes a session that
/// another one began. Immutable; wiped at its end.
class TicketKeys {
 public:
  struct Key {
    std::array<std::uint8_t, 16> name{};
    std::array<std::uint8_t, 32> aes{};
    std::array<std::uint8_t, 32> hmac{};
    ~Key();
    Key() = default;
    Key(const Key&) = default;
    Key& operator=(const Key&) = default;
  };
  /// The first one seals; a ticket by an older one is opened, and the client given a new one.
  static constexpr std::size_t max_keys = 3;
  /// A key seals for this long, and opens for max_keys times as long.
  static constexpr std::chrono::hours rotation{4};

  /// One random key. Throws std::runtime_error when the system has no randomness to give.
  static std::shared_ptr<const TicketKeys> make();
  /// A new random key before those of `this`, the oldest of which goes.
  std::shared_ptr<const TicketKeys> rotated() const;

  const Key& sealing() const { return keys_.front(); }
  /// Null: the ticket is none of ours, or too old.
  const Key* find(const std::uint8_t* name) const;

 private:
  std::vector<Key> keys_;
};

}  // namespace telltale::proxy
