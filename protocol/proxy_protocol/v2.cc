#include "protocol/proxy_protocol/v2.h"

#include "protocol/proxy_protocol/crc32c.h"
#include "protocol/proxy_protocol/tlv.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace telltale::proxy_protocol::v2 {
namespace {

using Status = Parser::Status;

constexpr std::uint8_t max_family = 3;
constexpr std::uint8_t max_transport = 2;
constexpr std::array<std::size_t, max_family + 1> block_sizes{0, inet_block_size, inet6_block_size, unix_block_size};

std::uint8_t octet(std::string_view octets, std::size_t i) { return static_cast<std::uint8_t>(octets[i]); }
std::size_t load16(std::string_view octets, std::size_t i) {
  return std::size_t{octet(octets, i)} << 8 | octet(octets, i + 1);
}
std::uint32_t load32(std::string_view octets) {
  return static_cast<std::uint32_t>(load16(octets, 0) << 16 | load16(octets, 2));
}

// The fixed part, judged octet by octet so that the verdict does not depend on how the input was cut.
Scan scan_fixed_part(std::string_view octets, std::size_t max_length) {
  const auto failed = [](Error error) { return Scan{Status::failed, 0, error}; };
  if (octets.size() <= 12) return {Status::need_more, fixed_size, {}};
  const unsigned version = octet(octets, 12) >> 4, command = octet(octets, 12) & 0xf;
  if (version != 2) return failed(Error::v2_bad_version);
  if (command > 1) return failed(Error::v2_bad_command);
  const bool local = command == 0;

  if (octets.size() <= 13) return {Status::need_more, fixed_size, {}};
  const unsigned family = octet(octets, 13) >> 4, transport = octet(octets, 13) & 0xf;
  // LOCAL: "discard the protocol block including the family which is ignored".
  if (!local && (family > max_family || transport > max_transport)) return failed(Error::v2_bad_family);

  if (octets.size() < fixed_size) return {Status::need_more, fixed_size, {}};
  const std::size_t length = load16(octets, 14);
  if (length > max_length) return failed(Error::v2_length_too_long);
  if (!local && length < block_sizes[family]) return failed(Error::v2_length_too_short);
  const std::size_t size = fixed_size + length;
  return {octets.size() < size ? Status::need_more : Status::complete, size, {}};
}

// Spec 2.2.3: over the whole header, with the checksum's own four octets as zeros.
bool crc32c_matches(std::string_view whole, std::string_view stored) {
  const auto begin = static_cast<std::size_t>(stored.data() - whole.data());
  Crc32c crc;
  crc.update(whole.substr(0, begin)).update(std::string_view("\0\0\0\0", 4)).update(whole.substr(begin + crc32c_size));
  return crc.finish() == load32(stored);
}

// `section` lies inside `whole` and reaches to its end. Zero: accepted.
Error check_tlvs(std::string_view whole, std::string_view section) {
  std::string_view checksum;
  TlvRange range(section);
  auto it = range.begin();
  for (; it != range.end(); ++it) {
    if (it->type == TlvType::unique_id && it->value.size() > max_unique_id_size) return Error::v2_bad_tlv;
    if (it->type == TlvType::ssl && !is_ssl_value(it->value)) return Error::v2_bad_tlv;
    if (it->type != TlvType::crc32c) continue;
    if (it->value.size() != crc32c_size || !checksum.empty()) return Error::v2_bad_tlv;
    checksum = it->value;
  }
  if (it.octets_left() > 0) return Error::v2_bad_tlv;
  if (!checksum.empty() && !crc32c_matches(whole, checksum)) return Error::v2_bad_crc32c;
  return Error{};
}

// LOCAL and UNSPEC: what the block holds is for us to ignore, and whether an address stands before the TLVs is the
// sender's secret. An AWS health check says LOCAL, TCP4, and sends TLVs alone. So: the TLVs are wherever they can be
// read and their checksum is right; a wrong checksum is a failure; if there are none, none were meant.
Error take_tlvs_wherever(std::string_view whole, std::size_t declared_block_size, Header& header) {
  const std::string_view payload = whole.substr(fixed_size);
  bool bad_checksum = false;
  for (const std::size_t skip : {std::size_t{0}, declared_block_size}) {
    if (skip > payload.size()) continue;
    const Error error = check_tlvs(whole, payload.substr(skip));
    if (error == Error{}) {
      header.tlvs.assign(payload.substr(skip));
      return Error{};
    }
    bad_checksum |= error == Error::v2_bad_crc32c;
  }
  return bad_checksum ? Error::v2_bad_crc32c : Error{};
}

template <std::size_t N>
net::IpAddress address_at(std::string_view octets, std::size_t begin) {
  std::array<std::uint8_t, N> raw;
  std::copy_n(octets.data() + begin, N, reinterpret_cast<char*>(raw.data()));
  if constexpr (N == 4) return net::IpAddress::v4(raw);
  if constexpr (N == 16) return net::IpAddress::v6(raw);
}

template <std::size_t N>
void take_addresses(std::string_view block, Header& header) {
  header.source = {address_at<N>(block, 0), static_cast<std::uint16_t>(load16(block, 2 * N))};
  header.destination = {address_at<N>(block, N), static_cast<std::uint16_t>(load16(block, 2 * N + 2))};
  header.family = family_of(*header.source, *header.destination);
}

// A path ends at its first NUL. A name in Linux's abstract space begins with one: there only the padding is cut off.
std::string_view without_padding(std::string_view path) {
  if (path[0] != '\0') return path.substr(0, path.find('\0'));
  return path.substr(0, path.find_last_not_of('\0') + 1);
}

void take_block(std::string_view block, unsigned family, Header& header) {
  if (family == 1) take_addresses<4>(block, header);
  if (family == 2) take_addresses<16>(block, header);
  if (family == 3) {
    header.family = Family::unix;
    header.source_path.assign(without_padding(block.substr(0, unix_path_size)));
    header.destination_path.assign(without_padding(block.substr(unix_path_size, unix_path_size)));
  }
}

// `whole` is exactly one header whose fixed part was accepted. Zero: accepted.
Error parse(std::string_view whole, Header& header) {
  const bool local = (octet(whole, 12) & 0xf) == 0;
  const unsigned family = octet(whole, 13) >> 4, transport = octet(whole, 13) & 0xf;
  header.version = Version::v2;
  header.command = local ? Command::local : Command::proxy;
  if (local || family == 0) return take_tlvs_wherever(whole, family <= max_family ? block_sizes[family] : 0, header);

  const std::string_view block = whole.substr(fixed_size, block_sizes[family]);
  const std::string_view section = whole.substr(fixed_size + block.size());
  if (const Error error = check_tlvs(whole, section); error != Error{}) return error;
  header.tlvs.assign(section);
  // A known family over an unspecified protocol: "the receiver should ignore address information".
  if (transport == 0) return Error{};
  header.transport = transport == 1 ? Transport::stream : Transport::datagram;
  take_block(block, family, header);
  return Error{};
}

}  // namespace

Scan scan(std::string_view octets, std::size_t max_length, Header& header) {
  const Scan fixed = scan_fixed_part(octets, max_length);
  if (fixed.status != Status::complete) return fixed;
  const Error error = parse(octets.substr(0, fixed.size), header);
  if (error != Error{}) return {Status::failed, 0, error};
  return fixed;
}

}  // namespace telltale::proxy_protocol::v2
