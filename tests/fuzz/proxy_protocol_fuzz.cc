// PROXY header in -> out -> in, whole against cut, and TLVs to text and back. Any difference is a defect.
#include "protocol/proxy_protocol/parser.h"
#include "protocol/proxy_protocol/serializer.h"
#include "protocol/proxy_protocol/tlv.h"
#include "protocol/proxy_protocol/tlv_names.h"

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

// Whatever a sender put into a TLV, its text is safe in a log and in a field, and stands for that value alone.
void check_text(std::string_view section, const TlvSelector& selector) {
  const auto value = find_tlv(section, selector);
  std::string text = "-";
  require(append_tlv_text(text, section, selector) == value.has_value());
  text.erase(0, 1);
  require(value || text.empty());
  require(std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
  require(!text.starts_with(' ') && !text.ends_with(' '));
  if (value) require(tlv_octets(text, selector) == *value);
}

void check_texts(std::string_view section) {
  for (const NamedTlv& named : named_tlvs()) check_text(section, named.selector);
  for (const Tlv& tlv : TlvRange(section)) {
    if (tlv.type == TlvType::ssl) require(is_ssl_value(tlv.value));
    check_text(section, {.type = tlv.type});
  }
}

void check_padding(const Header& header, std::size_t pad_to) {
  if (header.tlvs.size() > Parser::default_max_v2_length - 512) return;  // no room under the parser's cap
  std::string wire;
  require(serialize(header, wire, true, pad_to));
  require(header.version == Version::v1 || wire.size() % pad_to == 0);
  require(parse(wire, wire.size()).status == Status::complete);
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
  if (whole.status == Status::complete) {
    round_trip(whole.header);
    check_texts(whole.header.tlvs);
    check_padding(whole.header, step);
  }
  return 0;
}

// Chance finds neither a signature nor a right length or checksum: plant and repair them, some of the time.
namespace {

constexpr std::string_view v1_lines[] = {
    "PROXY TCP4 192.0.2.1 192.0.2.2 52110 80\r\n",
    "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.2 52110 443\r\n",
    "PROXY UNKNOWN 2001:db8::1 ::1 1 2\r\n",
};

// The TLVs that have a form of their own. The SSL TLV holds a version and a common name.
constexpr std::string_view tlvs[] = {
    {"\x20\0\x15\7\0\0\0\0\x21\0\7TLSv1.3\x22\0\3cn1", 24},
    {"\xea\0\7\1vpce-1", 10},
    {"\xee\0\5\1\x78\x56\x34\x12", 8},
    {"\xe0\0\x08\0\0\0\0\0\0\x30\x39", 11},
    {"\2\0\1a", 4},
    {"\5\0\2id", 5},
};

std::size_t plant(std::string_view text, std::uint8_t* data, std::size_t size, std::size_t max_size) {
  if (text.size() + 1 > max_size) return size;
  text.copy(reinterpret_cast<char*>(data) + 1, text.size());
  return std::max(size, text.size() + 1);
}

// At the end, where the section is.
std::size_t plant_tlv(std::string_view tlv, std::uint8_t* data, std::size_t size, std::size_t max_size) {
  if (size + tlv.size() > max_size) return size;
  tlv.copy(reinterpret_cast<char*>(data) + size, tlv.size());
  return size + tlv.size();
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
  if (choice >= 10) size = plant_tlv(tlvs[(seed >> 8) % std::size(tlvs)], data, size, max_size);
  if (choice < 8 || choice >= 12) return repair_v2(data, size, max_size, choice % 2 == 0);
  return size;
}
