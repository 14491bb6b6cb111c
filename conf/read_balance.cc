// How one endpoint is chosen.
#include "conf/read.h"

namespace telltale::conf {
namespace {

constexpr std::uint32_t max_maglev_table = 5'000'011, min_ring = 1024;

bool is_prime(std::uint32_t number) {
  for (std::uint32_t i = 2; i <= number / i; ++i) {
    if (number % i == 0) return false;
  }
  return number >= 2;
}

void check_table_size(ObjectReader& reader, const Balance& balance) {
  const std::uint32_t size = balance.table_size;
  if (balance.policy == BalancePolicy::ring_hash && size < min_ring) {
    return reader.error("table_size", quote(std::to_string(size)) + " is out of range", "1024 to 8388608");
  }
  if (balance.policy != BalancePolicy::maglev) return;
  if (size > max_maglev_table) {
    return reader.error("table_size", quote(std::to_string(size)) + " is out of range",
                        "a prime number, up to 5000011");
  }
  if (is_prime(size)) return;
  std::uint32_t next = size;
  while (!is_prime(next)) ++next;
  reader.error("table_size", quote(std::to_string(size)) + " is not a prime number: `maglev` would not fill its table",
               std::to_string(next) + " is one");
}

void check_key(ObjectReader& reader, Balance& balance) {
  const bool named = reader.has("name");
  if (balance.hash_on == HashOn::client_address) {
    if (named)
      reader.error("name", "is the name of a header or cookie, and the key is the client's address", "hash_on: header");
    return;
  }
  const std::string what(word_of(balance.hash_on));
  if (!named) return reader.error("hash_on", "`name` does not say which " + what, "name: X-User");
  if (!is_token(balance.hash_name)) {
    reader.error("name", quote(balance.hash_name) + " is not the name of a " + what, "like X-User");
  }
}

}  // namespace

void read_balance(ObjectReader& service, Balance& balance) {
  std::string word;
  if (service.read_word_instead("balance", word)) {
    balance.policy = from_word<BalancePolicy>(word).value_or(balance.policy);
    return;
  }
  service.object("balance", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(service.context(), node, path, schema::balance);
    const bool known = reader.read("policy", balance.policy);
    const bool has_key = reader.read("hash_on", balance.hash_on) || !reader.has("hash_on");
    reader.read("name", balance.hash_name);
    const bool has_size = reader.read("table_size", balance.table_size);
    if (!known) return;
    if (balance.policy != BalancePolicy::maglev && balance.policy != BalancePolicy::ring_hash) {
      for (const std::string_view field : {"hash_on", "name", "table_size"}) {
        if (reader.has(field))
          reader.error(field, "is only for `maglev` and `ring_hash`", "remove it, or choose one of them");
      }
      return;
    }
    if (has_key) check_key(reader, balance);
    if (has_size) check_table_size(reader, balance);
  });
}

void read_session_affinity(ObjectReader& service, std::optional<SessionAffinity>& affinity) {
  std::string word;
  if (service.read_word_instead("session_affinity", word)) {
    if (word == "client_ip") affinity.emplace();
    return;
  }
  service.object("session_affinity", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(service.context(), node, path, schema::session_affinity);
    SessionAffinity given;
    std::string type = "client_ip";
    reader.read("type", type);
    const bool timed = reader.read("timeout", given.timeout);
    const bool limited = reader.read("max_clients", given.max_clients);
    if (type == "client_ip") {
      affinity = given;
    } else if (timed || limited) {
      reader.warning(timed ? "timeout" : "max_clients", "has no effect with `type: none`");
    }
  });
}

}  // namespace telltale::conf
