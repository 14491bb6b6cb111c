#include "protocol/http1/chunked.h"

#include "protocol/http1/syntax.h"

#include <algorithm>

namespace telltale::http1 {

void ChunkedDecoder::reset() {
  state_ = State::size;
  size_digits_ = 0;
  name_started_ = false;
  remaining_ = 0;
  payload_octets_ = 0;
  line_octets_ = 0;
  extension_octets_ = 0;
  if (trailer_octets_.capacity() > max_idle_capacity) trailer_octets_ = std::string();
  trailer_octets_.clear();
  trailers_.clear();
  error_ = {};
}

ChunkedDecoder::Outcome ChunkedDecoder::feed(std::string_view octets, std::string* payload) {
  const char* const begin = octets.data();
  const char* const end = begin + octets.size();
  const char* p = begin;
  const char* chunks_end = begin;
  while (p != end && state_ < State::done) {
    if (state_ <= State::size_lf) {
      p = feed_size_line(p, end);
    } else if (state_ <= State::data_lf) {
      p = feed_data(p, end, payload);
    } else {
      p = feed_trailer(p, end);
      continue;
    }
    chunks_end = p;
  }
  const Status status = state_ == State::done     ? Status::complete
                        : state_ == State::failed ? Status::failed
                                                  : Status::need_more;
  return {status, static_cast<std::size_t>(p - begin), static_cast<std::size_t>(chunks_end - begin)};
}

const char* ChunkedDecoder::fail(const char* p, Error error) {
  state_ = State::failed;
  error_ = error;
  return p;
}

/// `chunk-size [ chunk-ext ] CRLF`, for the last chunk too.
const char* ChunkedDecoder::feed_size_line(const char* p, const char* end) {
  for (; p != end; ++p) {
    if (++line_octets_ > max_size_line_octets) return fail(p, Error::bad_chunk);
    if (state_ == State::size_lf) {
      if (*p != '\n') return fail(p, Error::bad_chunk);
      const bool last = remaining_ == 0;
      state_ = last ? State::trailer : State::data;
      line_octets_ = 0;
      size_digits_ = 0;
      if (last) trailer_rules_.start_trailer(max_trailer_octets, max_trailer_fields);
      return p + 1;
    }
    const bool in_size = state_ == State::size;
    state_ = in_size ? next_in_size(*p) : next_in_extension(*p);
    if (state_ == State::failed) return fail(p, Error::bad_chunk);
    if (!in_size && ++extension_octets_ > max_extension_octets) return fail(p, Error::bad_chunk);
  }
  return p;
}

ChunkedDecoder::State ChunkedDecoder::next_in_size(char c) {
  if (const int digit = hex_digit(c); digit >= 0) {
    if (++size_digits_ > max_size_digits) return State::failed;
    remaining_ = remaining_ << 4 | static_cast<unsigned>(digit);
    return State::size;
  }
  if (size_digits_ == 0) return State::failed;
  name_started_ = false;
  return c == ';' ? State::extension_name : c == '\r' ? State::size_lf : State::failed;
}

/// RFC 9112 7.1.1 without its "bad" white space. A quote left open would let a reader that honours quotes first see the
/// chunk begin elsewhere.
ChunkedDecoder::State ChunkedDecoder::next_in_extension(char c) {
  const auto after_value = [&] {
    if (c == ';') name_started_ = false;
    return c == ';' ? State::extension_name : c == '\r' ? State::size_lf : State::failed;
  };
  switch (state_) {
    case State::extension_name:
      if (is_token_char(c)) {
        name_started_ = true;
        return State::extension_name;
      }
      if (!name_started_) return State::failed;
      return c == '=' ? State::extension_value : after_value();
    case State::extension_value:
      return c == '"' ? State::quoted_value : is_token_char(c) ? State::token_value : State::failed;
    case State::token_value:
      return is_token_char(c) ? State::token_value : after_value();
    case State::quoted_value:
      if (c == '"') return State::after_quoted;
      if (c == '\\') return State::quoted_pair;
      return is_visible(c) || c == ' ' ? State::quoted_value : State::failed;
    case State::quoted_pair:
      return is_visible(c) || c == ' ' ? State::quoted_value : State::failed;
    default:  // after_quoted
      return after_value();
  }
}

const char* ChunkedDecoder::feed_data(const char* p, const char* end, std::string* payload) {
  if (state_ == State::data) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, static_cast<std::size_t>(end - p)));
    if (payload != nullptr) payload->append(p, size);
    payload_octets_ += size;
    remaining_ -= size;
    if (remaining_ == 0) state_ = State::data_cr;
    return p + size;
  }
  if (*p != (state_ == State::data_cr ? '\r' : '\n')) return fail(p, Error::bad_chunk);
  state_ = state_ == State::data_cr ? State::data_lf : State::size;
  return p + 1;
}

const char* ChunkedDecoder::feed_trailer(const char* p, const char* end) {
  const OctetRules::Scan scan = trailer_rules_.scan({p, static_cast<std::size_t>(end - p)});
  if (scan.status == Status::failed) return fail(p + scan.octets, scan.error);
  const bool complete = scan.status == Status::complete;
  if (!complete || !trailer_octets_.empty() || scan.octets > 2) trailer_octets_.append(p, scan.octets);
  if (complete) {
    split_trailer();
    state_ = State::done;
  }
  return p + scan.octets;
}

/// The octet rules have seen to it that this is `name ":" value CRLF`, over and over, then CRLF.
void ChunkedDecoder::split_trailer() {
  std::string_view rest = trailer_octets_;
  while (rest.size() > 2) {
    const std::size_t colon = rest.find(':');
    const std::size_t line_end = rest.find('\r');
    trailers_.append(rest.substr(0, colon), trim_ows(rest.substr(colon + 1, line_end - colon - 1)));
    rest.remove_prefix(line_end + 2);
  }
}

}  // namespace telltale::http1
