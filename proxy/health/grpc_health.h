#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace telltale::proxy {

/// The two messages of grpc.health.v1.Health/Check, in protobuf and in gRPC's frame (a zero octet for "not compressed",
/// the size in four octets). Written and read by hand: they have one field each.

/// HealthCheckRequest { string service = 1; }
std::string grpc_health_request(std::string_view service);

/// HealthCheckResponse { ServingStatus status = 1; }
enum class ServingStatus : std::uint8_t { unknown, serving, not_serving, service_unknown };

/// Of `octets`, a frame and nothing behind it. As protobuf has it, the last of several values counts, none is 0, and
/// unknown fields are passed over. nullopt: cut short or too long, compressed, not protobuf, or no status of the above.
std::optional<ServingStatus> read_grpc_health_response(std::string_view octets);

}  // namespace telltale::proxy
