#pragma once

#include "protocol/http/header_block.h"
#include "protocol/http1/octet_rules.h"
#include "protocol/http1/parser.h"

#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace telltale::http1 {

/// Validates a chunked body (RFC 9112 7.1) so that it can be forwarded as it came, up to and including the last
/// chunk's line `0\r\n`; the trailer section is parsed and kept apart, to be filtered and written anew. Strict: plain
/// hex sizes of at most 15 digits, exact CRLFs, extensions by the grammar (no white space but in a closed quoted
/// string) within a budget. Outcome and error do not depend on how the octets were cut.
class ChunkedDecoder {
 public:
  static constexpr std::size_t max_size_line_octets = 256;
  static constexpr std::size_t max_extension_octets = 16 * 1024;  ///< in all, for one body
  static constexpr std::size_t max_trailer_octets = 8 * 1024;
  static constexpr std::size_t max_trailer_fields = 32;

  struct Outcome {
    Status status;
    std::size_t consumed;  ///< octets of this input that belong to the body
    std::size_t verbatim;  ///< of these, how many (from the front) are chunks to forward unchanged
  };

  /// Before each body.
  void reset();
  /// With `payload`, the decoded octets are appended to it too (an HTTP/1.0 client gets no chunks).
  Outcome feed(std::string_view octets, std::string* payload = nullptr);
  std::uint64_t payload_octets() const { return payload_octets_; }
  const http::HeaderBlock& trailers() const { return trailers_; }
  boost::system::error_code error() const { return error_; }

 private:
  enum class State : std::uint8_t {
    size,
    extension_name,
    extension_value,
    token_value,
    quoted_value,
    quoted_pair,
    after_quoted,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer,
    done,
    failed,
  };
  static constexpr unsigned max_size_digits = 15;
  static constexpr std::size_t max_idle_capacity = 256;

  const char* feed_size_line(const char* p, const char* end);
  State next_in_size(char c);
  State next_in_extension(char c);
  const char* feed_data(const char* p, const char* end, std::string* payload);
  const char* feed_trailer(const char* p, const char* end);
  void split_trailer();
  const char* fail(const char* p, Error error);

  State state_ = State::size;
  std::uint8_t size_digits_ = 0;
  bool name_started_ = false;  // at least one octet of an extension's name or token value
  std::uint64_t remaining_ = 0;
  std::uint64_t payload_octets_ = 0;
  std::size_t line_octets_ = 0;
  std::size_t extension_octets_ = 0;
  OctetRules trailer_rules_;
  std::string trailer_octets_;
  http::HeaderBlock trailers_;
  boost::system::error_code error_;
};

/// Which trailer fields may be forwarded (RFC 9110 6.5.1): none that frames, routes, authenticates, or says who the
/// client is.
bool trailer_allowed(http::FieldId id, std::string_view name);

}  // namespace telltale::http1
