// The signed assertion: what parses has one text only, is never valid unless it was signed, and what is signed reads
// back as it was meant. Key files: whatever is in one, it is keys or a problem that says a line.
#include "protocol/assertion/assertion.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace telltale::assertion;

void require(bool condition) {
  if (!condition) std::abort();
}

Keyring& keys() {
  static Keyring ring = [] {
    std::string problem;
    return Keyring(*KeySet::parse("2026-11 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", problem));
  }();
  return ring;
}

std::string text_of(const Statement& statement) {
  const std::string key_id(statement.key_id), authority(statement.authority);
  return "v1;kid=" + key_id + ";t=" + std::to_string(statement.time) + ";c=" + statement.client.to_string() +
         ";a=" + authority;
}

void check_assertion(std::string_view text) {
  const auto parsed = parse(text);
  if (!parsed) return;
  const Statement& said = parsed->statement;
  require(parsed->signed_part == text_of(said));
  require(text.size() == parsed->signed_part.size() + 46);

  std::string again;
  require(append_signed(again, keys(), said.time, said.client, said.authority));
  const Verdict verdict = verify(*parsed, keys(), said.time, {}, said.authority);
  require((verdict == Verdict::valid) == (again == text));
  const auto reread = parse(again);
  require(reread && reread->statement.client == said.client && reread->statement.authority == said.authority);
  require(verify(*reread, keys(), said.time, {}, said.authority) == Verdict::valid);
  require(verify(*reread, keys(), said.time + 31, {}, said.authority) == Verdict::expired);
  require(verify(*reread, keys(), said.time - 6, {}, said.authority) == Verdict::not_yet_valid);
}

void check_key_file(std::string_view text) {
  std::string problem;
  const auto set = KeySet::parse(text, problem);
  require(set.has_value() == problem.empty());
  if (!set) return;
  require(!set->keys().empty() && set->keys().size() <= KeySet::max_keys);
  for (const auto& key : set->keys()) {
    require(is_key_id(key.id));
    require(key.secret.octets().size() >= Secret::min_size && key.secret.octets().size() <= Secret::max_size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_assertion(text);
  check_key_file(text);
  return 0;
}
