// How long an exchange waits for whom.
#include "proxy/exchange/exchange.h"

#include <algorithm>

namespace telltale::proxy {

using std::chrono::milliseconds;

/// timeouts.total ends with the response, whatever else goes on then.
milliseconds Exchange::rest_of_total(milliseconds wait) const {
  if (response_complete_) return wait;
  const auto rest = std::chrono::ceil<milliseconds>(deadline_ - worker_.loop.now());
  return std::clamp(rest, milliseconds(0), wait);
}

milliseconds Exchange::input_timeout() const {
  return tunnel_ ? timeouts_->idle : connection_->listener->timeouts.body;
}

milliseconds Exchange::upload_timeout() const {
  return within_total(status_ == 0 ? timeouts_->response : timeouts_->idle);
}

milliseconds Exchange::answer_timeout() const {
  if (status_ != 0) return within_total(timeouts_->idle);
  const milliseconds of_try = retries_->per_try_timeout;
  return within_total(of_try.count() > 0 ? std::min(of_try, timeouts_->response) : timeouts_->response);
}

/// The response's time runs while upstream is the one to act: from the last octet sent on, not while the client is slow
/// with the rest. A client that waits for `100 Continue` is not.
void Exchange::time_response() {
  const bool expects_more = !client_->request().expects_continue || interim_heads_ > 0;
  if (!pump_running_ || upstream_.has_pending() || !expects_more) {
    upstream_.expires_after(answer_timeout());
  } else if (deadline_ == never) {
    upstream_.expires_never();
  } else {
    upstream_.expires_after(within_total(milliseconds::max()));
  }
}

}  // namespace telltale::proxy
