// Any octets as the beginning of a TLS connection: whole against cut, asked once against twice, in one record against
// several. Any difference is a defect.
#include "protocol/tls/client_hello.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace telltale::tls;
using Status = ClientHelloPeek::Status;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Result {
  Status status = Status::need_more;
  std::size_t size = 0;
  boost::system::error_code error;
  std::string server_name;
  std::vector<std::string> alpn;
  std::uint16_t legacy_version = 0;
  std::uint16_t highest_version = 0;
  bool session_ticket = false, pre_shared_key = false, early_data = false;
  friend bool operator==(const Result&, const Result&) = default;
};

// From memory of its own, so that a sanitizer sees a read beyond it, and a view of what was shown before.
Result scan(ClientHelloPeek& peek, std::string_view octets) {
  const std::unique_ptr<char[]> memory(new char[octets.size()]);
  octets.copy(memory.get(), octets.size());
  const auto outcome = peek.scan({memory.get(), octets.size()});
  Result result{outcome.status, outcome.size, peek.error()};
  require(result.error.failed() == (result.status == Status::malformed || result.status == Status::too_large));
  if (result.status != Status::done) return result;
  const ClientHello& hello = peek.hello();
  result.server_name = hello.server_name.view();
  for (const std::string_view name : hello.alpn) result.alpn.emplace_back(name);
  result.legacy_version = hello.legacy_version;
  result.highest_version = hello.highest_version;
  result.session_ticket = hello.session_ticket;
  result.pre_shared_key = hello.pre_shared_key;
  result.early_data = hello.early_data;
  return result;
}

Result scan_fresh(std::string_view octets, const ClientHelloLimits& limits) {
  ClientHelloPeek peek(limits);
  return scan(peek, octets);
}

Result scan_in_steps(std::string_view octets, std::size_t step, const ClientHelloLimits& limits) {
  ClientHelloPeek peek(limits);
  Result result;
  for (std::size_t shown = std::min(step, octets.size());; shown = std::min(shown + step, octets.size())) {
    const std::size_t needed = result.size;
    result = scan(peek, octets.substr(0, shown));
    require(result.status != Status::done || shown >= needed);
    if (result.status != Status::need_more) break;
    require(result.size > shown && result.size >= needed && result.size <= limits.max_octets);
    if (shown == octets.size()) break;
  }
  require(scan(peek, octets) == result && scan(peek, octets) == result);
  return result;
}

void check_values(const Result& hello) {
  const std::string& name = hello.server_name;
  require(name.size() <= 253 && !name.starts_with('.') && !name.ends_with('.'));
  require(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == std::string::npos);
  require(name.find("..") == std::string::npos);
  for (const std::string& protocol : hello.alpn) require(!protocol.empty() && protocol.size() <= 255);
  require(hello.legacy_version > 0x0300 && hello.legacy_version < 0x0400);
  require(hello.highest_version == 0 || (hello.highest_version > 0x0300 && hello.highest_version < 0x0400));
}

std::string message_in(std::string_view records) {
  std::string message;
  while (!records.empty()) {
    const std::size_t length =
        std::size_t{static_cast<std::uint8_t>(records[3])} << 8 | static_cast<std::uint8_t>(records[4]);
    message += records.substr(5, length);
    records.remove_prefix(5 + length);
  }
  return message;
}

std::string in_records(std::string_view message, std::size_t size) {
  std::string out;
  for (; !message.empty(); message.remove_prefix(std::min(size, message.size()))) {
    const std::size_t length = std::min(size, message.size());
    out += {22, 3, 3, static_cast<char>(length >> 8), static_cast<char>(length)};
    out += message.substr(0, length);
  }
  return out;
}

void check_done(std::string_view octets, const Result& hello, std::size_t step, const ClientHelloLimits& limits) {
  check_values(hello);
  require(hello.size <= octets.size());
  const std::string_view used = octets.substr(0, hello.size);
  require(scan_fresh(used, limits) == hello);
  for (std::size_t size = 0; size < used.size(); size += 1 + used.size() / 64)
    require(scan_fresh(used.substr(0, size), limits).status == Status::need_more);
  require(scan_fresh(used.substr(0, used.size() - 1), limits).status == Status::need_more);

  const std::string other = in_records(message_in(used), step);
  Result again = scan_in_steps(other, 13, {limits.max_message_bytes, other.size()});
  require(again.size == other.size());
  again.size = hello.size;
  require(again == hello);
}

constexpr std::size_t options_size = 2;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < options_size) return 0;
  // The first octet chooses the cut, the second the limits.
  const std::size_t step = std::size_t{data[0]} + 1;
  ClientHelloLimits limits;
  if (data[1] != 0) limits = {std::size_t{data[1]} * 4, std::size_t{data[1]} * 6};
  const std::string_view octets(reinterpret_cast<const char*>(data + options_size), size - options_size);
  const Result whole = scan_fresh(octets, limits);
  require(scan_in_steps(octets, step, limits) == whole);
  if (whole.status != Status::need_more) require(scan_fresh(std::string(octets) + "more", limits) == whole);
  if (whole.status == Status::done) check_done(octets, whole, step, limits);
  return 0;
}

// Chance finds no right lengths: repair them, some of the time, and plant extensions that are looked into.
namespace {

constexpr std::string_view extensions[] = {
    {"\0\0\0\x0e\0\x0c\0\0\x09"
     "a.example",
     18},
    {"\0\x10\0\x0e\0\x0c\2h2\x08http/1.1", 18},
    {"\0\x2b\0\5\4\3\4\3\3", 9},
    {"\0\x2a\0\0", 4},
    {"\0\x23\0\1t", 5},
    {"\0\x29\0\1k", 5},
};

void put(std::uint8_t* at, std::size_t value, std::size_t octets) {
  for (std::size_t i = 0; i < octets; ++i) at[i] = static_cast<std::uint8_t>(value >> (8 * (octets - 1 - i)));
}

// One record of one ClientHello, from behind the options to the end.
void repair(std::uint8_t* data, std::size_t size) {
  constexpr std::size_t record = options_size, message = record + 5, body = message + 4, session_id = body + 34;
  if (size <= session_id || size - message > 0xffff) return;
  put(data + record, 0x160301, 3);
  put(data + record + 3, size - message, 2);
  put(data + message, 1, 1);
  put(data + message + 1, size - body, 3);
  data[body] = 3;
  std::size_t at = session_id + 1 + data[session_id];
  if (at + 2 > size) return;
  at += 2 + (std::size_t{data[at]} << 8 | data[at + 1]);
  if (at + 1 > size) return;
  at += std::size_t{1} + data[at];
  if (at + 2 <= size) put(data + at, size - at - 2, 2);
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  const unsigned choice = seed % 8;
  if (choice < 3) {
    const std::string_view extension = extensions[(seed >> 8) % std::size(extensions)];
    if (size + extension.size() > max_size) return size;
    extension.copy(reinterpret_cast<char*>(data) + size, extension.size());
    size += extension.size();
  }
  if (choice < 6) repair(data, size);
  return size;
}
