#include "proxy/health/grpc_health.h"

#include <cstddef>

namespace telltale::proxy {
namespace {

constexpr std::size_t frame_head_size = 5;

/// Wire types of protobuf. Groups (3 and 4) are gone since proto3.
enum WireType : std::uint8_t { varint = 0, eight_octets = 1, sized = 2, four_octets = 5 };

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

/// At most ten octets, the tenth with the 64th bit alone.
std::optional<std::uint64_t> take_varint(std::string_view& octets) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !octets.empty(); shift += 7) {
    const auto octet = static_cast<std::uint8_t>(octets.front());
    octets.remove_prefix(1);
    if (shift == 63 && octet > 1) return std::nullopt;
    value |= static_cast<std::uint64_t>(octet & 0x7f) << shift;
    if (octet < 0x80) return value;
  }
  return std::nullopt;
}

bool pass_over(std::string_view& octets, std::uint64_t size) {
  if (octets.size() < size) return false;
  octets.remove_prefix(static_cast<std::size_t>(size));
  return true;
}

bool pass_over_field(std::string_view& octets, std::uint64_t wire_type) {
  switch (wire_type) {
    case varint:
      return take_varint(octets).has_value();
    case eight_octets:
      return pass_over(octets, 8);
    case four_octets:
      return pass_over(octets, 4);
    case sized: {
      const auto size = take_varint(octets);
      return size && pass_over(octets, *size);
    }
    default:
      return false;
  }
}

std::optional<std::uint64_t> read_status(std::string_view message) {
  std::uint64_t status = 0;
  while (!message.empty()) {
    const auto key = take_varint(message);
    // Field numbers have 29 bits, and 0 is none.
    if (!key || *key >> 3 == 0 || *key >> 32 != 0) return std::nullopt;
    if (*key == (1 << 3 | varint)) {
      const auto value = take_varint(message);
      if (!value) return std::nullopt;
      status = *value;
    } else if (!pass_over_field(message, *key & 7)) {
      return std::nullopt;
    }
  }
  return status;
}

}  // namespace

std::string grpc_health_request(std::string_view service) {
  std::string message;
  if (!service.empty()) {
    append_varint(message, 1 << 3 | sized);
    append_varint(message, service.size());
    message.append(service);
  }
  std::string frame(1, '\0');
  for (const unsigned shift : {24u, 16u, 8u, 0u}) frame.push_back(static_cast<char>(message.size() >> shift));
  return frame + message;
}

std::optional<ServingStatus> read_grpc_health_response(std::string_view octets) {
  if (octets.size() < frame_head_size || octets[0] != 0) return std::nullopt;
  std::size_t size = 0;
  for (const char octet : octets.substr(1, 4)) size = size << 8 | static_cast<std::uint8_t>(octet);
  octets.remove_prefix(frame_head_size);
  if (octets.size() != size) return std::nullopt;
  const auto status = read_status(octets);
  if (!status || *status > static_cast<std::uint64_t>(ServingStatus::service_unknown)) return std::nullopt;
  return static_cast<ServingStatus>(*status);
}

}  // namespace telltale::proxy
