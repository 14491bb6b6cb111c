#include "protocol/assertion/assertion.h"

#include "protocol/assertion/base64.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace telltale::assertion {
namespace {

constexpr std::size_t max_time_digits = 11;  // until the year 5138
constexpr std::int64_t max_time = 99'999'999'999;
constexpr std::size_t max_authority_size = 255 + 6;
constexpr std::size_t mac_characters = 43;

// What http1::assign_authority() writes; neither `;` nor an upper-case letter is in it.
bool is_authority(std::string_view text) {
  return text.size() <= max_authority_size && std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  std::string_view("-._~:[]").find(c) != std::string_view::npos;
         });
}

// Takes `;name=value` off the front of `rest`.
bool take(std::string_view& rest, std::string_view name, std::string_view& value) {
  if (!rest.starts_with(name)) return false;
  rest.remove_prefix(name.size());
  value = rest.substr(0, rest.find(';'));
  rest.remove_prefix(value.size());
  return true;
}

bool parse_time(std::string_view text, std::int64_t& time) {
  if (text.empty() || text.size() > max_time_digits || (text.front() == '0' && text.size() > 1)) return false;
  if (text.front() == '-') return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), time);
  return error == std::errc() && end == text.data() + text.size();
}

void append_client(std::string& out, const net::IpPort& client) {
  if (client.address.is_v6()) out += '[';
  client.address.append_to(out);
  out += client.address.is_v6() ? "]:" : ":";
  char digits[5];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, client.port).ptr);
}

// In its canonical form only.
bool parse_client(std::string_view text, net::IpPort& client) {
  const auto parsed = net::parse_ip_port(text);
  if (!parsed) return false;
  client = *parsed;
  return parsed->to_string() == text;
}

// Boost's error_category has a protected destructor that is not virtual, on purpose: categories are constants.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class Category final : public boost::system::error_category {
 public:
  constexpr Category() : error_category(0xc3a07f5e21d8946b) {}
  const char* name() const noexcept override { return "assertion"; }
  bool failed(int value) const noexcept override { return static_cast<Verdict>(value) != Verdict::valid; }
  std::string message(int value) const override { return text(value); }
  const char* message(int value, char*, std::size_t) const noexcept override { return text(value); }

 private:
  static const char* text(int value) noexcept {
    switch (static_cast<Verdict>(value)) {
      case Verdict::valid:
        return "signed assertion: valid";
      case Verdict::malformed:
        return "signed assertion: malformed, or more than one";
      case Verdict::unknown_key:
        return "signed assertion: no key has its key id";
      case Verdict::bad_signature:
        return "signed assertion: the signature does not fit";
      case Verdict::other_authority:
        return "signed assertion: made for another authority";
      case Verdict::expired:
        return "signed assertion: older than max_age";
      case Verdict::not_yet_valid:
        return "signed assertion: from the future by more than clock_skew";
    }
    return "signed assertion: unknown verdict";
  }
};
#pragma GCC diagnostic pop
constexpr Category category;

constexpr std::array<std::string_view, verdict_count> verdict_names = {
    "valid", "malformed", "unknown_key", "bad_signature", "other_authority", "expired", "not_yet_valid"};

}  // namespace

std::string_view to_string(Verdict verdict) {
  const auto i = static_cast<std::size_t>(verdict);
  return i < verdict_names.size() ? verdict_names[i] : "malformed";
}

boost::system::error_code make_error_code(Verdict verdict) { return {static_cast<int>(verdict), category}; }

std::optional<Parsed> parse(std::string_view text) {
  if (text.size() > max_size) return std::nullopt;
  std::string_view rest = text, time, client, mac;
  Parsed parsed;
  Statement& statement = parsed.statement;
  if (!take(rest, "v1;kid=", statement.key_id) || !take(rest, ";t=", time) || !take(rest, ";c=", client) ||
      !take(rest, ";a=", statement.authority)) {
    return std::nullopt;
  }
  parsed.signed_part = text.substr(0, text.size() - rest.size());
  if (!take(rest, ";s=", mac) || !rest.empty() || mac.size() != mac_characters) return std::nullopt;
  if (!is_key_id(statement.key_id) || !parse_time(time, statement.time) || !parse_client(client, statement.client) ||
      !is_authority(statement.authority) || !parse_base64url(mac, parsed.mac)) {
    return std::nullopt;
  }
  return parsed;
}

bool append_signed(std::string& out, Keyring& keys, std::int64_t time, const net::IpPort& client,
                   std::string_view authority) {
  if (time < 0 || time > max_time || !is_authority(authority)) return false;
  const std::size_t begin = out.size();
  Keyring::Entry& key = keys.current();
  out += "v1;kid=";
  out += key.id;
  out += ";t=";
  char digits[max_time_digits];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, time).ptr);
  out += ";c=";
  append_client(out, client);
  out += ";a=";
  out += authority;
  Mac mac;
  if (!key.hmac.compute(std::string_view(out).substr(begin), mac)) {
    out.resize(begin);
    return false;
  }
  out += ";s=";
  append_base64url(out, mac);
  return true;
}

Verdict verify(const Parsed& assertion, Keyring& keys, std::int64_t now, const Window& window,
               std::optional<std::string_view> authority) {
  Keyring::Entry* const key = keys.find(assertion.statement.key_id);
  if (key == nullptr) return Verdict::unknown_key;
  Mac expected;
  if (!key->hmac.compute(assertion.signed_part, expected) || !equal_in_constant_time(expected, assertion.mac)) {
    return Verdict::bad_signature;
  }
  if (authority && *authority != assertion.statement.authority) return Verdict::other_authority;
  if (now - assertion.statement.time > window.max_age.count()) return Verdict::expired;
  if (assertion.statement.time - now > window.clock_skew.count()) return Verdict::not_yet_valid;
  return Verdict::valid;
}

}  // namespace telltale::assertion
