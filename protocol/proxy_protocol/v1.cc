#include "protocol/proxy_protocol/v1.h"

#include <array>
#include <optional>

namespace telltale::proxy_protocol::v1 {
namespace {

using Status = Parser::Status;

Scan failed(Error error) { return {Status::failed, 0, error}; }

// Fields separated by exactly one space each; false if there are more or fewer than five.
bool split(std::string_view line, std::array<std::string_view, 5>& fields) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::size_t space = line.find(' ');
    if ((space == std::string_view::npos) != (i + 1 == fields.size())) return false;
    fields[i] = line.substr(0, space);
    if (fields[i].empty()) return false;
    line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  }
  return true;
}

// "The advertised protocol family dictates what format to use": the text's own form counts, before any unmapping.
std::optional<net::IpPort> parse_endpoint(std::string_view address, std::string_view port, Family family) {
  if ((address.find(':') != std::string_view::npos) != (family == Family::inet6)) return std::nullopt;
  const auto ip = net::IpAddress::parse(address);
  const auto number = net::parse_port(port);
  if (!ip || !number) return std::nullopt;
  return net::IpPort{*ip, *number};
}

// What stands between the signature and CRLF. Zero: accepted.
Error parse_line(std::string_view line, Header& header) {
  // The rest of an UNKNOWN line is to be ignored, whatever it is.
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) {
    header.command = Command::local;
    return Error{};
  }
  std::array<std::string_view, 5> fields;
  if (!split(line, fields)) return Error::v1_malformed;
  const auto [protocol, source, destination, source_port, destination_port] = fields;
  Family family = Family::inet;
  if (protocol == "TCP6") {
    family = Family::inet6;
  } else if (protocol != "TCP4") {
    return Error::v1_malformed;
  }
  header.source = parse_endpoint(source, source_port, family);
  header.destination = parse_endpoint(destination, destination_port, family);
  if (!header.source || !header.destination) return Error::v1_bad_address;
  header.command = Command::proxy;
  header.family = family_of(*header.source, *header.destination);
  header.transport = Transport::stream;
  return Error{};
}

}  // namespace

Scan scan(std::string_view octets, Header& header) {
  const std::string_view window = octets.substr(0, max_size);
  for (std::size_t i = signature.size(); i < window.size(); ++i) {
    // A lone CR or LF must not end the line, nor may it hide inside one from a reader that stops there.
    if (window[i] == '\n') return failed(Error::v1_malformed);
    if (window[i] != '\r') continue;
    if (i + 1 == window.size()) break;
    if (window[i + 1] != '\n') return failed(Error::v1_malformed);
    header.version = Version::v1;
    const Error error = parse_line(window.substr(signature.size(), i - signature.size()), header);
    if (error != Error{}) return failed(error);
    return {Status::complete, i + 2, {}};
  }
  if (window.size() == max_size) return failed(Error::v1_too_long);
  return {Status::need_more, max_size, {}};
}

}  // namespace telltale::proxy_protocol::v1
