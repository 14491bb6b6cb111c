#include "protocol/http1/octet_rules.h"

#include "protocol/http1/syntax.h"

#include <algorithm>

namespace telltale::http1 {
namespace {

constexpr std::string_view version_start = "HTTP/1.";
constexpr std::size_t major_index = 5;

}  // namespace

void OctetRules::start(State state, const HeadLimits& limits, std::size_t counted) {
  state_ = state;
  response_ = state == State::version;
  index_ = 0;
  octets_left_ = limits.max_head_bytes > counted ? limits.max_head_bytes - counted : 0;
  target_left_ = limits.max_target_bytes;
  fields_left_ = limits.max_fields;
  name_octets_ = 0;
}

void OctetRules::start_request(const HeadLimits& limits, std::size_t counted) { start(State::target, limits, counted); }

void OctetRules::start_response(const HeadLimits& limits) { start(State::version, limits, 0); }

void OctetRules::start_trailer(std::size_t max_octets, std::size_t max_fields) {
  start(State::field_start, HeadLimits{.max_head_bytes = max_octets, .max_fields = max_fields}, 0);
}

OctetRules::Scan OctetRules::scan(std::string_view octets) {
  const char* const begin = octets.data();
  const char* const end = begin + std::min(octets.size(), octets_left_);
  const char* p = begin;
  if (state_ < State::field_start) p = scan_first_line(p, end);
  if (state_ >= State::field_start) p = scan_fields(p, end);
  const auto allowed = static_cast<std::size_t>(p - begin);
  octets_left_ -= allowed;
  if (state_ != State::done && state_ != State::failed && octets_left_ == 0) fail(p, Error::head_too_large);
  if (state_ == State::failed) return {Status::failed, allowed, error_};
  return {state_ == State::done ? Status::complete : Status::need_more, allowed, error_};
}

const char* OctetRules::fail(const char* p, Error error) {
  state_ = State::failed;
  error_ = error;
  return p;
}

const char* OctetRules::expect(const char* p, char octet, State next) {
  if (*p != octet) return fail(p, Error::malformed);
  state_ = next;
  return p + 1;
}

const char* OctetRules::scan_first_line(const char* p, const char* end) {
  while (p != end && state_ < State::field_start) {
    switch (state_) {
      case State::target:
        p = scan_target(p, end);
        break;
      case State::version:
        p = scan_version(p, end);
        break;
      case State::before_status:
        p = expect(p, ' ', State::status);
        break;
      case State::status:
        // RFC 9110 15: three digits, 100 to 999 as others accept them.
        if (!is_digit(*p) || (index_ == 0 && *p == '0')) return fail(p, Error::malformed);
        ++p;
        if (++index_ == 3) state_ = State::after_status;
        break;
      case State::after_status:
        // The space belongs there even before an empty reason (RFC 9112 4), but many servers leave it out.
        if (*p == '\r') {
          state_ = State::line_cr;
        } else {
          p = expect(p, ' ', State::reason);
        }
        break;
      case State::reason:
        p = find_control(p, end);
        if (p != end) state_ = State::line_cr;
        break;
      case State::line_cr:
        p = expect(p, '\r', State::line_lf);
        break;
      default:  // line_lf
        p = expect(p, '\n', State::field_start);
        break;
    }
  }
  return p;
}

const char* OctetRules::scan_target(const char* p, const char* end) {
  const char* const begin = p;
  const char* const limit = begin + std::min(static_cast<std::size_t>(end - begin), target_left_);
  while (p != limit && is_visible(*p)) ++p;
  target_left_ -= static_cast<std::size_t>(p - begin);
  if (p != begin) index_ = 1;
  if (p == end) return p;
  if (is_visible(*p)) return fail(p, Error::target_too_long);
  if (*p != ' ') return fail(p, *p == '\r' || *p == '\n' ? Error::malformed : Error::bad_target);
  if (index_ == 0) return fail(p, Error::malformed);  // a second space after the method
  index_ = 0;
  state_ = State::version;
  return p + 1;
}

const char* OctetRules::scan_version(const char* p, const char* end) {
  if (index_ == 0 && end - p > std::ssize(version_start) &&
      std::string_view(p, version_start.size()) == version_start) {
    p += version_start.size();  // the usual case: all of it is here
    index_ = version_start.size();
  }
  const bool as_expected = index_ < version_start.size() ? *p == version_start[index_] : *p == '0' || *p == '1';
  if (!as_expected) {
    const bool other_version = is_digit(*p) && (index_ == major_index || index_ == version_start.size());
    return fail(p, other_version ? Error::bad_version : Error::malformed);
  }
  if (index_++ == version_start.size()) {
    index_ = 0;
    state_ = response_ ? State::before_status : State::line_cr;
  }
  return p + 1;
}

const char* OctetRules::scan_fields(const char* p, const char* end) {
  while (p != end) {
    switch (state_) {
      case State::field_start:
        if (*p == '\r') {
          state_ = State::end_lf;
          ++p;
          break;
        }
        if (fields_left_ == 0) return fail(p, Error::too_many_fields);
        --fields_left_;
        name_octets_ = 0;
        state_ = State::name;
        [[fallthrough]];
      case State::name:
        p = scan_name(p, end);
        break;
      case State::value:
        p = find_control(p, end);
        if (p != end) p = expect(p, '\r', State::value_lf);
        break;
      case State::value_lf:
        p = expect(p, '\n', State::field_start);
        break;
      case State::end_lf:
        return expect(p, '\n', State::done);
      default:  // done, failed
        return p;
    }
  }
  return p;
}

const char* OctetRules::scan_name(const char* p, const char* end) {
  const char* const begin = p;
  while (p != end && is_token_char(*p)) ++p;
  name_octets_ += static_cast<std::size_t>(p - begin);
  if (name_octets_ > max_name_octets) return fail(p - (name_octets_ - max_name_octets), Error::head_too_large);
  if (p == end) return p;
  // Also a space before the colon, and a line that begins with white space: obs-fold (RFC 9112 5.1, 5.2).
  if (*p != ':' || name_octets_ == 0) return fail(p, Error::malformed);
  state_ = State::value;
  return p + 1;
}

}  // namespace telltale::http1
