#include "proxy/tls/handshake_budget.h"

#include <cstddef>
#include <utility>

namespace telltale::proxy {
namespace {

constexpr unsigned steps_per_pass = 8;

}  // namespace

bool HandshakeBudget::take() {
  if (loop_.now() != pass_) {
    pass_ = loop_.now();
    left_ = steps_per_pass;
  }
  if (left_ == 0) return false;
  --left_;
  return true;
}

bool HandshakeBudget::take(Readiness& turn) {
  if (waiting_.empty() && take()) return true;  // nobody overtakes those who wait
  waiting_.push_back(&turn);
  give_turns_soon();
  return false;
}

void HandshakeBudget::give_turns_soon() {
  if (std::exchange(posted_, true)) return;
  loop_.async_yield([this](boost::system::error_code error) { give_turns(error); });
}

/// `error`: the loop has ended, and so does every wait.
void HandshakeBudget::give_turns(boost::system::error_code error) {
  posted_ = false;
  // Not to those who come meanwhile: they have their turn in another pass.
  for (std::size_t left = waiting_.size(); left > 0 && (error || take()); --left) {
    Readiness* const turn = waiting_.front();
    waiting_.pop_front();
    if (error) {
      turn->fail(error);
    } else {
      turn->signal();
    }
  }
  if (!waiting_.empty()) give_turns_soon();
}

}  // namespace telltale::proxy
