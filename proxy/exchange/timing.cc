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

milliseconds Exchange::output_timeout() const {
  return tunnel_ ? timeouts_->idle : within_total(connection_->listener->timeouts.write);
}

milliseconds Exchange::upload_timeout() const {
  return within_total(status_ == 0 ? timeouts_->response : timeouts_->idle);
}

milliseconds Exchange::answer_timeout() const {
  if (status_ != 0) return within_total(timeouts_->idle);
  const milliseconds of_try = retries_->per_try_timeout;
  return within_total(of_try.count() > 0 ? std::min(of_try, timeouts_->response) : timeouts_->response);
}

/// The client waits to be told `100 Continue` (RFC 9110 10.1.1), which no other interim head does. It need not wait for
/// ever: once it began with its body, or has its answer, it is owed no more.
bool Exchange::awaits_continue() const {
  return client_->request().expects_continue && !continued_ && !body_touched_ && status_ == 0;
}

/// Whether the backend has all that the client sent, and the rest is for the client to send.
bool Exchange::is_clients_turn() const { return pump_running_ && !upstream_.has_pending() && !awaits_continue(); }

/// The client's time runs while the rest of the request is its to send: not while it waits for a 100.
void Exchange::time_upload() {
  if (!awaits_continue()) {
    client_->expires_after(input_timeout());
  } else if (!client_full_) {
    client_->expires_never();
  }
}

/// The response's time runs while upstream is the one to act: from the last octet sent on, not while the client is slow
/// with the rest.
void Exchange::time_response() {
  if (!is_clients_turn()) {
    upstream_.expires_after(answer_timeout());
  } else if (deadline_ == never) {
    upstream_.expires_never();
  } else {
    upstream_.expires_after(within_total(milliseconds::max()));
  }
}

}  // namespace telltale::proxy
