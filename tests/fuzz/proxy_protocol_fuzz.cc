// PROXY header in -> out -> in, and whole against cut. Any difference is a defect.
#include "protocol/proxy_protocol/parser.h"
#include "protocol/proxy_protocol/serializer.h"
#include "protocol/proxy_protocol/tlv.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>

namespace {

using namespace telltale::proxy_protocol;
using Status = Parser::Status;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Result {
  Status status;
  std::size_t consumed;
  boost::system::error_code error;
  Header header;
};

// Feeds pieces of `step` octets; none at all is a piece too.
Result parse(std::string_view input, std::size_t step) {
  Parser parser;
  Result result{Status::need_more, 0, {}, {}};
  for (std::size_t at = 0; at < input.size() && result.status == Status::need_more; at += step) {
    const std::string_view piece = input.substr(at, step);
    const std::string buffered(parser.buffered());
    require(buffered == input.substr(0, at));
    const auto outcome = parser.feed(piece);
    require(outcome.consumed <= piece.size());
    result.status = outcome.status;
    result.consumed = at + outcome.consumed;
    if (outcome.status == Status::need_more) require(outcome.consumed == piece.size());
    if (outcome.status == Status::no_signature || outcome.status == Status::failed) {
      require(outcome.consumed == 0 && parser.buffered() == buffered);
      result.consumed = 0;
    }
  }
  result.error = parser.error();
  require((result.status == Status::failed) == result.error.failed());
  result.header = parser.header();
  return result;
}

std::string without_crc32c(std::string_view section) {
  std::string kept;
  for (const Tlv& tlv : TlvRange(section))
    if (tlv.type != TlvType::crc32c) require(append_tlv(kept, tlv.type, tlv.value));
  return kept;
}

void round_trip(const Header& header) {
  require(TlvRange(header.tlvs).well_formed());
  require(header.source.has_value() == header.destination.has_value());
  require(header.command == Command::proxy || (!header.source && header.family == Family::unspecified));
  for (const bool with_crc32c : {false, true}) {
    std::string wire;
    require(serialize(header, wire, with_crc32c));
    const Result again = parse(wire + "payload", wire.size() + 7);
    require(again.status == Status::complete);
    require(again.consumed == wire.size());
    Header expected = header, got = again.header;
    require(TlvRange(got.tlvs).find(TlvType::crc32c).has_value() == (with_crc32c && header.version == Version::v2));
    expected.tlvs = without_crc32c(header.tlvs);
    got.tlvs = without_crc32c(got.tlvs);
    require(got == expected);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // The first octet chooses the cut.
  const std::size_t step = std::size_t{data[0]} % 40 + 1;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  const Result whole = parse(input, input.size() + 1);
  const Result cut = parse(input, step);
  require(whole.status == cut.status && whole.consumed == cut.consumed && whole.error == cut.error);
  require(whole.header == cut.header);
  if (whole.status == Status::complete) round_trip(whole.header);
  return 0;
}

// Chance finds neither a signature nor a right length or checksum: plant and repair them, some of the time.
namespace {

constexpr std::string_view v1_lines[] = {
    "PROXY TCP4 192.0.2.1 192.0.2.2 52110 80\r\n",
    "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.2 52110 443\r\n",
    "PROXY UNKNOWN 2001:db8::1 ::1 1 2\r\n",
};

std::size_t plant(std::string_view text, std::uint8_t* data, std::size_t size, std::size_t max_size) {
  if (text.size() + 1 > max_size) return size;
  text.copy(reinterpret_cast<char*>(data) + 1, text.size());
  return std::max(size, text.size() + 1);
}

std::size_t repair_v2(std::uint8_t* data, std::size_t size, std::size_t max_size, bool checksum_too) {
  if (size < 17 || size - 17 > 0xffff) return size;
  plant({"\r\n\r\n\0\r\nQUIT\n", 12}, data, size, max_size);
  data[15] = static_cast<std::uint8_t>((size - 17) >> 8);
  data[16] = static_cast<std::uint8_t>(size - 17);
  Parser parser;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  if (!checksum_too || parser.feed(input).status != Status::complete) return size;
  std::string repaired;
  if (!serialize(parser.header(), repaired, true)) return size;
  return std::min(plant(repaired, data, size, max_size), repaired.size() + 1);
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (size == 0) return size;
  const unsigned choice = seed % 16;
  if (choice < std::size(v1_lines)) return plant(v1_lines[choice], data, size, max_size);
  if (choice < 8) return repair_v2(data, size, max_size, choice % 2 == 0);
  return size;
}
