#include "protocol/proxy_protocol/serializer.h"

#include "protocol/proxy_protocol/crc32c.h"
#include "protocol/proxy_protocol/v1.h"
#include "protocol/proxy_protocol/v2.h"

#include <array>
#include <charconv>
#include <span>

namespace telltale::proxy_protocol {
namespace {

constexpr std::size_t max_length = 0xffff;

void append16(std::string& out, std::size_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value);
}

void append_octets(std::string& out, std::span<const std::uint8_t> octets) {
  out.append(reinterpret_cast<const char*>(octets.data()), octets.size());
}

void append_decimal(std::string& out, unsigned value) {
  char digits[10];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

// In IPv6's form when the family is INET6, so that two addresses of different families have one form.
void append_address_text(std::string& out, const net::IpAddress& address, Family family) {
  if (family == Family::inet6 && address.is_v4()) out += "::ffff:";
  address.append_to(out);
}
void append_address_octets(std::string& out, const net::IpAddress& address, Family family) {
  if (family == Family::inet6) return append_octets(out, address.mapped_octets());
  append_octets(out, address.octets());
}

struct Endpoints {
  Family family;
  net::IpPort source, destination;
};

net::IpPort unspecified_like(const net::IpPort& source) {
  if (source.address.is_v4()) return {};
  return {net::IpAddress::v6(std::array<std::uint8_t, 16>{}), 0};
}

// What there is to say of addresses; Family::unspecified when nothing is.
Endpoints endpoints_of(const Header& header) {
  if (header.command == Command::local) return {Family::unspecified, {}, {}};
  if (header.source) {
    const net::IpPort destination = header.destination.value_or(unspecified_like(*header.source));
    return {family_of(*header.source, destination), *header.source, destination};
  }
  return {header.family == Family::unix ? Family::unix : Family::unspecified, {}, {}};
}

void serialize_v1(const Header& header, std::string& out) {
  const Endpoints ends = endpoints_of(header);
  const bool known = ends.family == Family::inet || ends.family == Family::inet6;
  out += v1::signature;
  if (!known || header.transport == Transport::datagram) {
    out += "UNKNOWN\r\n";
    return;
  }
  out += ends.family == Family::inet ? "TCP4 " : "TCP6 ";
  append_address_text(out, ends.source.address, ends.family);
  out += ' ';
  append_address_text(out, ends.destination.address, ends.family);
  out += ' ';
  append_decimal(out, ends.source.port);
  out += ' ';
  append_decimal(out, ends.destination.port);
  out += "\r\n";
}

void append_padded(std::string& out, std::string_view path) {
  out += path;
  out.append(v2::unix_path_size - path.size(), '\0');
}

void append_block(std::string& out, const Endpoints& ends, const Header& header) {
  switch (ends.family) {
    case Family::unspecified:
      break;
    case Family::inet:
    case Family::inet6:
      append_address_octets(out, ends.source.address, ends.family);
      append_address_octets(out, ends.destination.address, ends.family);
      append16(out, ends.source.port);
      append16(out, ends.destination.port);
      break;
    case Family::unix:
      append_padded(out, header.source_path);
      append_padded(out, header.destination_path);
      break;
  }
}

std::uint8_t family_octet(Family family, Transport transport) {
  if (family == Family::unspecified) return 0;
  const unsigned low = transport == Transport::datagram ? 2 : 1;
  return static_cast<std::uint8_t>(static_cast<unsigned>(family) << 4 | low);
}

void append_tlvs(std::string& out, std::string_view section) {
  const TlvRange range(section);
  if (!range.find(TlvType::crc32c)) {
    out += section;
    return;
  }
  for (const Tlv& tlv : range)
    if (tlv.type != TlvType::crc32c) append_tlv(out, tlv.type, tlv.value);
}

// Spec 2.2.4: a NOOP fills 3 octets or more. `size` is that of the header without it.
void append_padding(std::string& out, std::size_t size, std::size_t pad_to) {
  if (pad_to == 0 || size % pad_to == 0) return;
  std::size_t missing = pad_to - size % pad_to;
  while (missing < TlvRange::head_size) missing += pad_to;
  out += static_cast<char>(TlvType::noop);
  append16(out, missing - TlvRange::head_size);
  out.append(missing - TlvRange::head_size, '\0');
}

// Spec 2.2.3: zeros first, then the checksum of the whole in their place.
void fill_crc32c(std::string& out, std::size_t begin) {
  const std::uint32_t crc = Crc32c().update(std::string_view(out).substr(begin)).finish();
  for (std::size_t i = 0; i < v2::crc32c_size; ++i) out[out.size() - 1 - i] = static_cast<char>(crc >> (8 * i));
}

bool serialize_v2(const Header& header, std::string& out, bool with_crc32c, std::size_t pad_to) {
  if (!TlvRange(header.tlvs).well_formed()) return false;
  const Endpoints ends = endpoints_of(header);
  if (ends.family == Family::unix &&
      (header.source_path.size() > v2::unix_path_size || header.destination_path.size() > v2::unix_path_size)) {
    return false;
  }
  const std::size_t begin = out.size();
  out += v2::signature;
  out += header.command == Command::proxy ? '\x21' : '\x20';
  out += static_cast<char>(family_octet(ends.family, header.transport));
  out.append(2, '\0');
  append_block(out, ends, header);
  append_tlvs(out, header.tlvs);
  const std::size_t crc32c_tlv_size = with_crc32c ? TlvRange::head_size + v2::crc32c_size : 0;
  append_padding(out, out.size() - begin + crc32c_tlv_size, pad_to);
  if (with_crc32c) append_tlv(out, TlvType::crc32c, std::string_view("\0\0\0\0", v2::crc32c_size));

  const std::size_t length = out.size() - begin - v2::fixed_size;
  if (length > max_length) {
    out.resize(begin);
    return false;
  }
  out[begin + 14] = static_cast<char>(length >> 8);
  out[begin + 15] = static_cast<char>(length);
  if (with_crc32c) fill_crc32c(out, begin);
  return true;
}

}  // namespace

bool append_tlv(std::string& tlvs, TlvType type, std::string_view value) {
  if (value.size() > max_length || (type == TlvType::unique_id && value.size() > max_unique_id_size)) return false;
  tlvs += static_cast<char>(type);
  append16(tlvs, value.size());
  tlvs += value;
  return true;
}

bool serialize(const Header& header, std::string& out, bool with_crc32c, std::size_t pad_to) {
  if (header.version == Version::v2) return serialize_v2(header, out, with_crc32c, pad_to);
  serialize_v1(header, out);
  return true;
}

}  // namespace telltale::proxy_protocol
