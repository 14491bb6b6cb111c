#include "proxy/tls/ticket_keys.h"

#include "protocol/assertion/base64.h"
#include "proxy/files/small_file.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace telltale::proxy {
namespace {

TicketKeys::Key random_key() {
  TicketKeys::Key key;
  if (RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) != 1 ||
      RAND_priv_bytes(key.aes.data(), static_cast<int>(key.aes.size())) != 1 ||
      RAND_priv_bytes(key.hmac.data(), static_cast<int>(key.hmac.size())) != 1) {
    throw std::runtime_error("session ticket keys: no randomness from the system");
  }
  return key;
}

constexpr std::size_t key_octets = 80;

/// False: not base64 of 80 octets.
bool read_key(std::string_view text, TicketKeys::Key& key) {
  std::array<std::uint8_t, key_octets> octets{};
  const bool right = assertion::parse_base64(text, octets) == static_cast<int>(octets.size());
  const std::span<const std::uint8_t> all(octets);
  std::ranges::copy(all.first(key.name.size()), key.name.begin());
  std::ranges::copy(all.subspan(key.name.size(), key.aes.size()), key.aes.begin());
  std::ranges::copy(all.last(key.hmac.size()), key.hmac.begin());
  OPENSSL_cleanse(octets.data(), octets.size());
  return right;
}

std::string_view trim(std::string_view line) {
  constexpr std::string_view blanks = " \t\r";
  const std::size_t begin = line.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(blanks) - begin + 1);
}

}  // namespace

TicketKeys::Key::~Key() {
  OPENSSL_cleanse(aes.data(), aes.size());
  OPENSSL_cleanse(hmac.data(), hmac.size());
}

std::shared_ptr<const TicketKeys> TicketKeys::make() {
  auto made = std::make_shared<TicketKeys>();
  made->keys_.push_back(random_key());
  return made;
}

std::shared_ptr<const TicketKeys> TicketKeys::rotated() const {
  auto made = std::make_shared<TicketKeys>();
  made->keys_.reserve(max_keys);
  made->keys_.push_back(random_key());
  for (const Key& key : keys_) {
    if (made->keys_.size() < max_keys) made->keys_.push_back(key);
  }
  return made;
}

std::shared_ptr<const TicketKeys> TicketKeys::parse(std::string_view text, std::string& problem) {
  auto made = std::make_shared<TicketKeys>();
  made->keys_.reserve(max_keys_of_file);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    Key key;
    if (made->keys_.size() == max_keys_of_file) {
      problem = "a ninth key; 8 are the most";
    } else if (!read_key(line, key)) {
      problem = "not base64 of 80 octets; `openssl rand -base64 80 | tr -d '\\n'` makes such a line";
    } else if (made->find(key.name.data()) != nullptr) {
      problem = "a key with the name, the first 16 octets, of one above";
    }
    if (!problem.empty()) {
      problem = "line " + std::to_string(number) + ": " + problem;
      return nullptr;
    }
    made->keys_.push_back(key);
  }
  if (!made->keys_.empty()) return made;
  problem = "there is no key in it; `openssl rand -base64 80 | tr -d '\\n'` makes a line with one";
  return nullptr;
}

TicketKeyFile read_ticket_keys(const std::string& path) try {
  const SmallFile file(path, TicketKeys::max_file_octets);
  std::string problem;
  auto keys = TicketKeys::parse(file.octets(), problem);
  if (keys == nullptr) throw std::runtime_error(path + ": " + problem);
  return {std::move(keys), file.world_readable()};
} catch (const std::runtime_error& error) {
  throw TicketKeyError(std::string("ticket key file ") + error.what());
}

const TicketKeys::Key* TicketKeys::find(const std::uint8_t* name) const {
  const auto found = std::ranges::find_if(
      keys_, [name](const Key& key) { return std::memcmp(key.name.data(), name, key.name.size()) == 0; });
  return found == keys_.end() ? nullptr : &*found;
}

}  // namespace telltale::proxy
