#include "proxy/exchange/hash_key.h"

#include "proxy/upstream/balancer.h"

namespace telltale::proxy {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<std::string_view> find_field(const http::HeaderBlock& fields, std::string_view name) {
  for (const auto field : fields) {
    if (http::folded_equal(field.name, name)) return field.value;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> find_cookie(const http::HeaderBlock& fields, std::string_view name) {
  for (const auto field : fields) {
    if (!http::folded_equal(field.name, "cookie")) continue;
    for (std::string_view rest = field.value; !rest.empty();) {
      const std::size_t end = rest.find(';');
      const std::string_view pair = trim(rest.substr(0, end));
      const std::size_t equals = pair.find('=');
      if (equals != pair.npos && trim(pair.substr(0, equals)) == name) return trim(pair.substr(equals + 1));
      rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
    }
  }
  return std::nullopt;
}

std::uint64_t balance_hash_of(const conf::Balance& balance, const http::HeaderBlock& fields,
                              const net::IpAddress* client) {
  std::optional<std::string_view> key;
  if (balance.hash_on == conf::HashOn::header) key = find_field(fields, balance.hash_name);
  if (balance.hash_on == conf::HashOn::cookie) key = find_cookie(fields, balance.hash_name);
  if (key) return balance_hash(*key);
  if (client == nullptr) return balance_hash({});
  const auto octets = client->octets();
  return balance_hash({reinterpret_cast<const char*>(octets.data()), octets.size()});
}

}  // namespace telltale::proxy
