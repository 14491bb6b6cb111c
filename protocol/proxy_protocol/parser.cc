#include "protocol/proxy_protocol/parser.h"

#include "protocol/proxy_protocol/v1.h"
#include "protocol/proxy_protocol/v2.h"

#include <algorithm>

namespace telltale::proxy_protocol {
namespace {

struct ErrorText {
  Error error;
  const char* label;
  const char* message;
};
constexpr ErrorText error_texts[] = {
    {Error::v1_malformed, "v1_malformed", "PROXY v1: not a line of the form TCP4|TCP6|UNKNOWN ... CRLF"},
    {Error::v1_too_long, "v1_too_long", "PROXY v1: no CRLF within 107 octets"},
    {Error::v1_bad_address, "v1_bad_address", "PROXY v1: not an address or port of the announced family"},
    {Error::v2_bad_version, "v2_bad_version", "PROXY v2: version is not 2"},
    {Error::v2_bad_command, "v2_bad_command", "PROXY v2: command is neither LOCAL nor PROXY"},
    {Error::v2_bad_family, "v2_bad_family", "PROXY v2: unassigned address family or transport"},
    {Error::v2_length_too_short, "v2_length_too_short", "PROXY v2: length is below what the address family needs"},
    {Error::v2_length_too_long, "v2_length_too_long", "PROXY v2: length is above the limit"},
    {Error::v2_bad_tlv, "v2_bad_tlv", "PROXY v2: a TLV breaks its bounds"},
    {Error::v2_bad_crc32c, "v2_bad_crc32c", "PROXY v2: checksum is wrong"},
};

const ErrorText* find_text(int value) {
  const auto* text = std::find_if(std::begin(error_texts), std::end(error_texts),
                                  [value](const ErrorText& t) { return static_cast<int>(t.error) == value; });
  return text == std::end(error_texts) ? nullptr : text;
}

// Boost's base has no virtual destructor, and needs none: categories are static.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class Category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "telltale.proxy_protocol"; }
  std::string message(int value) const override {
    const ErrorText* text = find_text(value);
    return text ? text->message : "unknown PROXY protocol error";
  }
};

#pragma GCC diagnostic pop

bool is_prefix_of_each_other(std::string_view a, std::string_view b) {
  const std::size_t size = std::min(a.size(), b.size());
  return a.substr(0, size) == b.substr(0, size);
}

Scan scan(std::string_view octets, std::size_t max_v2_length, Header& header) {
  if (is_prefix_of_each_other(octets, v2::signature)) return v2::scan(octets, max_v2_length, header);
  if (is_prefix_of_each_other(octets, v1::signature)) return v1::scan(octets, header);
  return {Parser::Status::no_signature, 0, {}};
}

void clear(Header& header) {
  header.version = Version::v2;
  header.command = Command::local;
  header.family = Family::unspecified;
  header.transport = Transport::unspecified;
  header.source.reset();
  header.destination.reset();
  header.source_path.clear();
  header.destination_path.clear();
  header.tlvs.clear();
}

}  // namespace

const boost::system::error_category& error_category() {
  static const Category category;
  return category;
}

boost::system::error_code make_error_code(Error error) { return {static_cast<int>(error), error_category()}; }

std::string_view error_label(Error error) {
  const ErrorText* text = find_text(static_cast<int>(error));
  return text ? text->label : "unknown";
}

Parser::Outcome Parser::feed(std::string_view octets) {
  // The usual case: the whole header in one piece, read where it lies.
  const std::size_t before = buffer_.size();
  std::size_t taken = 0;
  Scan result{Status::need_more, 0, {}};
  if (before == 0) {
    result = scan(octets, max_v2_length_, header_);
    if (result.status == Status::need_more) buffer_.assign(octets);
    taken = octets.size();
  }
  // Else it is gathered, never more than what is known to be missing.
  while (result.status == Status::need_more && taken < octets.size()) {
    const std::size_t missing = std::max(result.size, buffer_.size() + 1) - buffer_.size();
    const std::string_view piece = octets.substr(taken, missing);
    buffer_.append(piece);
    taken += piece.size();
    result = scan(buffer_, max_v2_length_, header_);
  }
  if (result.status == Status::need_more) return {Status::need_more, octets.size()};
  buffer_.resize(before);
  if (result.status == Status::complete) return {Status::complete, result.size - before};
  if (result.status == Status::failed) error_ = result.error;
  clear(header_);
  return {result.status, 0};
}

void Parser::reset() {
  buffer_.clear();
  clear(header_);
  error_.clear();
}

}  // namespace telltale::proxy_protocol
