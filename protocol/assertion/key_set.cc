#include "protocol/assertion/key_set.h"

#include "protocol/assertion/base64.h"

#include <algorithm>
#include <utility>

namespace telltale::assertion {
namespace {

constexpr std::size_t max_id_size = 32;
constexpr std::string_view blanks = " \t\r";

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

// What is wrong with one line; empty: nothing.
std::string_view read_key(std::string_view line, KeySet::Key& key) {
  const std::size_t blank = line.find_first_of(blanks);
  const std::string_view id = line.substr(0, blank);
  if (blank == std::string_view::npos) return "a line is a key id, a space, and the key in base64";
  if (!is_key_id(id)) return "the key id is not 1 to 32 of A-Z, a-z, 0-9, `.`, `_`, `-`";
  if (!key.secret.parse(trim(line.substr(blank)))) {
    return "the key is not base64 of 32 to 64 octets; `openssl rand -base64 32` makes one";
  }
  key.id = id;
  return {};
}

}  // namespace

bool is_key_id(std::string_view text) {
  return !text.empty() && text.size() <= max_id_size && std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

Secret::Secret(Secret&& other) noexcept { *this = std::move(other); }

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  octets_ = other.octets_;
  size_ = std::exchange(other.size_, 0);
  wipe(other.octets_.data(), other.octets_.size());
  return *this;
}

bool Secret::parse(std::string_view text) {
  const int size = parse_base64(text, octets_);
  const bool right = size >= static_cast<int>(min_size);
  size_ = right ? static_cast<std::size_t>(size) : 0;
  if (!right) wipe(octets_.data(), octets_.size());
  return right;
}

std::optional<KeySet> KeySet::parse(std::string_view text, std::string& problem) {
  const auto wrong = [&problem](std::size_t line, std::string_view what) {
    problem = "line " + std::to_string(line) + ": ";
    problem += what;
    return std::nullopt;
  };
  KeySet set;
  set.keys_.reserve(max_keys);
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    if (set.keys_.size() == max_keys)
      return wrong(number, "a third key; two are accepted, the current and the previous");
    Key key;
    if (const std::string_view what = read_key(line, key); !what.empty()) return wrong(number, what);
    if (!set.keys_.empty() && set.keys_.front().id == key.id) return wrong(number, "the key id of the first key again");
    set.keys_.push_back(std::move(key));
  }
  if (set.keys_.empty()) {
    problem = "there is no key in it; a line is a key id, a space, and the key in base64";
    return std::nullopt;
  }
  return set;
}

Keyring::Keyring(const KeySet& set) {
  entries_.reserve(set.keys().size());
  for (const KeySet::Key& key : set.keys()) entries_.push_back({key.id, HmacSha256(key.secret.octets())});
}

Keyring::Entry* Keyring::find(std::string_view id) {
  const auto found = std::ranges::find(entries_, id, &Entry::id);
  return found == entries_.end() ? nullptr : &*found;
}

}  // namespace telltale::assertion
