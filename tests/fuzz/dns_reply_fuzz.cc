// A DNS message, read as the answer to each question: no crash, nothing of it that could pass for something else, and
// what was read says the same when it is written again.
#include "protocol/dns/reply.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace telltale::dns;

void require(bool condition) {
  if (!condition) std::abort();
}

std::string number(std::size_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)}; }

std::string labels(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    out += static_cast<char>(label.size());
    out += label;
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  return out + '\0';
}

bool is_host_name(std::string_view name) {
  return name.size() <= 255 && name.find("..") == std::string_view::npos && !name.starts_with('.') &&
         !name.ends_with('.') && std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
         });
}

template <class T>
bool is_sorted_set(const std::vector<T>& all) {
  return std::ranges::is_sorted(all) && std::ranges::adjacent_find(all) == all.end();
}

std::string record(RecordType type, std::uint32_t ttl, const std::string& data) {
  return std::string(1, '\0') + number(static_cast<std::size_t>(type)) + number(1) + number(ttl >> 16) +
         number(ttl & 0xffff) + number(data.size()) + data;
}

std::string written(const Reply& reply, RecordType type) {
  std::string records;
  std::size_t count = 0;
  for (const auto& address : reply.addresses) {
    // An IPv4-mapped AAAA was unmapped.
    const auto mapped = address.mapped_octets();
    const std::string octets(type == RecordType::a ? std::string(address.octets().begin(), address.octets().end())
                                                   : std::string(mapped.begin(), mapped.end()));
    records += record(type, reply.ttl_seconds, octets);
    ++count;
  }
  for (const auto& each : reply.services) {
    records += record(type, reply.ttl_seconds,
                      number(each.priority) + number(each.weight) + number(each.port) + labels(each.target));
    ++count;
  }
  return std::string(2, '\0') + number(0x8000U | reply.rcode) + number(0) + number(count) + std::string(4, '\0') +
         records;
}

void check(std::string_view message, RecordType type) {
  const auto octets = [](std::string_view text) {
    return std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  };
  const auto reply = parse_reply(octets(message), type);
  if (!reply) return;
  require(is_sorted_set(reply->addresses) && is_sorted_set(reply->services));
  require(type == RecordType::srv ? reply->addresses.empty() : reply->services.empty());
  for (const auto& each : reply->services) require(is_host_name(each.target));
  const std::string again = written(*reply, type);
  const auto same = parse_reply(octets(again), type);
  require(same && same->addresses == reply->addresses && same->services == reply->services &&
          same->ttl_seconds == reply->ttl_seconds && same->rcode == reply->rcode);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  for (const RecordType type : {RecordType::a, RecordType::aaaa, RecordType::srv}) check(message, type);
  return 0;
}
