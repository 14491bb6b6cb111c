#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::proxy {

/// Why a file of ticket keys cannot be used: a fault of the configuration. `what()` names the file and the line, and
/// holds nothing of a key.
struct TicketKeyError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

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
  /// Of our own. The first one seals; a ticket by an older one is opened, and the client given a new one.
  static constexpr std::size_t max_keys = 3;
  /// A key seals for this long, and opens for max_keys times as long.
  static constexpr std::chrono::hours rotation{4};

  /// One random key. Throws std::runtime_error when the system has no randomness to give.
  static std::shared_ptr<const TicketKeys> make();
  /// A new random key before those of `this`, the oldest of which goes.
  std::shared_ptr<const TicketKeys> rotated() const;

  /// Those of a file, which instances share. Lines of base64 of 80 octets: 16 of the name, 32 for AES-256, 32 for
  /// HMAC-SHA-256. 1 to 8 of them; blank lines and those that begin with `#` are skipped. The first one seals.
  ///
  /// To change them without losing a session: write the new key as the last line everywhere, so that all can open its
  /// tickets; then move it to the first; remove the old one 8 hours later, when its tickets are too old anyhow.
  static constexpr std::size_t max_keys_of_file = 8;
  static constexpr std::size_t max_file_octets = 4096;
  /// Null: `problem` says what is wrong in which line, and nothing of a key.
  static std::shared_ptr<const TicketKeys> parse(std::string_view text, std::string& problem);

  const Key& sealing() const { return keys_.front(); }
  /// Null: the ticket is none of ours, or too old.
  const Key* find(const std::uint8_t* name) const;
  std::size_t size() const { return keys_.size(); }

 private:
  std::vector<Key> keys_;
};

/// What a file of ticket keys holds, and whether everybody on this machine may read it.
struct TicketKeyFile {
  std::shared_ptr<const TicketKeys> keys;
  bool world_readable = false;
};
/// What was read is wiped. Throws TicketKeyError.
TicketKeyFile read_ticket_keys(const std::string& path);

}  // namespace telltale::proxy
