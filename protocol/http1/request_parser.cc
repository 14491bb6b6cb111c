#include "protocol/http1/head_reader.h"
#include "protocol/http1/parser.h"
#include "protocol/http1/settle.h"
#include "protocol/http1/syntax.h"

namespace telltale::http1 {
namespace {

constexpr std::size_t max_method_octets = 32;
constexpr unsigned max_empty_lines = 2;

}  // namespace

struct RequestParser::Impl {
  enum class State : std::uint8_t { before, empty_line_lf, method, head, complete, failed };

  State state = State::complete;
  unsigned empty_lines = 0;
  boost::system::error_code error;
  RequestHead* head = nullptr;
  HeadLimits limits;
  HeadReader reader;

  Outcome fail(boost::system::error_code reason, std::size_t consumed) {
    error = reason;
    state = State::failed;
    return {Status::failed, consumed};
  }

  /// The octets of the empty lines and the method, with its space.
  Outcome feed_start(std::string_view octets);
  Outcome end_method(std::size_t consumed);
  Outcome feed_head(std::string_view octets, std::size_t consumed_before);
};

Outcome RequestParser::Impl::feed_start(std::string_view octets) {
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const char c = octets[i];
    if (state == State::empty_line_lf) {
      if (c != '\n') return fail(Error::malformed, i);
      state = State::before;
    } else if (state == State::before && c == '\r') {
      if (++empty_lines > max_empty_lines) return fail(Error::malformed, i);
      state = State::empty_line_lf;
    } else if (is_token_char(c)) {
      if (head->method_text.size() == max_method_octets) return fail(Error::malformed, i);
      head->method_text += c;
      state = State::method;
    } else if (c == ' ' && state == State::method) {
      return end_method(i + 1);
    } else {
      return fail(Error::malformed, i);
    }
  }
  return {Status::need_more, octets.size()};
}

Outcome RequestParser::Impl::end_method(std::size_t consumed) {
  head->method = method_of(head->method_text);
  if (head->method == Method::connect) return fail(Error::connect_refused, consumed);
  reader.start_request(limits, head->method_text.size() + 1, head->target, head->fields);
  state = State::head;
  return {Status::need_more, consumed};
}

Outcome RequestParser::Impl::feed_head(std::string_view octets, std::size_t consumed_before) {
  Outcome outcome = reader.feed(octets);
  outcome.consumed += consumed_before;
  if (outcome.status == Status::failed) return fail(reader.error(), outcome.consumed);
  if (outcome.status == Status::need_more) return outcome;
  head->minor_version = static_cast<std::uint8_t>(reader.minor_version());
  if (const auto reason = settle_request(*head)) return fail(reason, outcome.consumed);
  if (reader.refused_underscore()) return fail(Error::bad_field, outcome.consumed);
  state = State::complete;
  return outcome;
}

RequestParser::RequestParser() : impl_(std::make_unique<Impl>()) {}
RequestParser::~RequestParser() = default;

void RequestParser::start(RequestHead& head, const HeadLimits& limits) {
  head.clear();
  impl_->state = Impl::State::before;
  impl_->empty_lines = 0;
  impl_->error = {};
  impl_->head = &head;
  impl_->limits = limits;
}

Outcome RequestParser::feed(std::string_view octets) {
  std::size_t consumed = 0;
  if (impl_->state < Impl::State::head) {
    const Outcome outcome = impl_->feed_start(octets);
    if (impl_->state != Impl::State::head) return outcome;
    consumed = outcome.consumed;
  }
  if (impl_->state == Impl::State::head) return impl_->feed_head(octets.substr(consumed), consumed);
  return {impl_->state == Impl::State::complete ? Status::complete : Status::failed, 0};
}

bool RequestParser::started() const { return impl_->state > Impl::State::empty_line_lf; }
boost::system::error_code RequestParser::error() const { return impl_->error; }

}  // namespace telltale::http1
