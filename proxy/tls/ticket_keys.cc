#include "proxy/tls/ticket_keys.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

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

const TicketKeys::Key* TicketKeys::find(const std::uint8_t* name) const {
  const auto found = std::ranges::find_if(
      keys_, [name](const Key& key) { return std::memcmp(key.name.data(), name, key.name.size()) == 0; });
  return found == keys_.end() ? nullptr : &*found;
}

}  // namespace telltale::proxy
