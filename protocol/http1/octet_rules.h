#pragma once

#include "protocol/http1/parser.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace telltale::http1 {

/// The octets that a head or a trailer section may hold, judged before llhttp sees them, in one pass that remembers its
/// place between inputs. It gives nothing a meaning: it refuses what llhttp 8.1 lets through, or lets through in its
/// loose build, and what another parser might read differently:
/// - a line end that is not CR LF, a bare CR, NUL and the other controls but HTAB in a value (CVE-2023-30589);
/// - a line folded onto the next (obs-fold), a space before the colon, an empty name, a name that is no token;
/// - a request target with anything but visible ASCII, more than one space between the parts of the first line;
/// - a version other than HTTP/1.0 and HTTP/1.1, the HTTP/2 preface among them;
/// - more octets or fields than the limits allow.
/// The verdict comes at the very octet that breaks a rule, so it does not depend on how the input was cut.
class OctetRules {
 public:
  /// A longer field name is refused as head_too_large.
  static constexpr std::size_t max_name_octets = 1024;

  struct Scan {
    Status status;
    std::size_t octets;  ///< allowed octets, from the front of the input; up to the end of the section if complete
    Error error;         ///< if failed
  };

  /// From the target of a request line on; `counted` octets came before it.
  void start_request(const HeadLimits& limits, std::size_t counted);
  void start_response(const HeadLimits& limits);
  /// Fields alone, to the empty line that ends them.
  void start_trailer(std::size_t max_octets, std::size_t max_fields);

  Scan scan(std::string_view octets);

 private:
  enum class State : std::uint8_t {
    target,
    version,
    before_status,
    status,
    after_status,
    reason,
    line_cr,
    line_lf,
    field_start,
    name,
    value,
    value_lf,
    end_lf,
    done,
    failed,
  };

  void start(State state, const HeadLimits& limits, std::size_t counted);
  const char* scan_first_line(const char* p, const char* end);
  const char* scan_target(const char* p, const char* end);
  const char* scan_version(const char* p, const char* end);
  const char* scan_fields(const char* p, const char* end);
  const char* scan_name(const char* p, const char* end);
  const char* expect(const char* p, char octet, State next);
  const char* fail(const char* p, Error error);

  State state_ = State::done;
  bool response_ = false;
  std::uint8_t index_ = 0;  // in the version or the status; whether there is a target at all
  Error error_ = Error::malformed;
  std::size_t octets_left_ = 0;
  std::size_t target_left_ = 0;
  std::size_t fields_left_ = 0;
  std::size_t name_octets_ = 0;
};

}  // namespace telltale::http1
