#include "protocol/http1/head_reader.h"
#include "protocol/http1/parser.h"
#include "protocol/http1/settle.h"

namespace telltale::http1 {

struct ResponseParser::Impl {
  Status status = Status::complete;
  bool started = false;
  boost::system::error_code error;
  ResponseHead* head = nullptr;
  ResponseContext context;
  HeadReader reader;

  Outcome fail(boost::system::error_code reason, std::size_t consumed) {
    error = reason;
    status = Status::failed;
    return {status, consumed};
  }
};

ResponseParser::ResponseParser() : impl_(std::make_unique<Impl>()) {}
ResponseParser::~ResponseParser() = default;

void ResponseParser::start(ResponseHead& head, const HeadLimits& limits, ResponseContext context) {
  head.clear();
  impl_->status = Status::need_more;
  impl_->started = false;
  impl_->error = {};
  impl_->head = &head;
  impl_->context = context;
  impl_->reader.start_response(limits, head.reason, head.fields);
}

Outcome ResponseParser::feed(std::string_view octets) {
  if (impl_->status != Status::need_more) return {impl_->status, 0};
  if (octets.empty()) return {Status::need_more, 0};
  impl_->started = true;
  const Outcome outcome = impl_->reader.feed(octets);
  if (outcome.status == Status::failed) return impl_->fail(impl_->reader.error(), outcome.consumed);
  if (outcome.status == Status::need_more) return outcome;
  ResponseHead& head = *impl_->head;
  head.status = static_cast<std::uint16_t>(impl_->reader.status());
  head.minor_version = static_cast<std::uint8_t>(impl_->reader.minor_version());
  if (const auto reason = settle_response(head, impl_->context)) return impl_->fail(reason, outcome.consumed);
  impl_->status = Status::complete;
  return outcome;
}

bool ResponseParser::started() const { return impl_->started; }
boost::system::error_code ResponseParser::error() const { return impl_->error; }

}  // namespace telltale::http1
