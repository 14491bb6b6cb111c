#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace telltale::proxy {

/// A move-only function<void(error_code)> whose small targets lie inline: a coroutine's handler is two pointers, so
/// waiting allocates nothing. Larger handlers (other completion tokens) go to the heap.
class HandlerSlot {
 public:
  HandlerSlot() = default;
  HandlerSlot(const HandlerSlot&) = delete;
  HandlerSlot& operator=(const HandlerSlot&) = delete;
  ~HandlerSlot() { reset(); }

  explicit operator bool() const { return operation_ != nullptr; }

  template <typename Handler>
  void emplace(Handler&& handler) {
    using H = std::decay_t<Handler>;
    reset();
    if constexpr (fits_inline<H>) {
      ::new (static_cast<void*>(storage_)) H(std::forward<Handler>(handler));
    } else {
      ::new (static_cast<void*>(storage_)) H*(new H(std::forward<Handler>(handler)));
    }
    operation_ = &operate<H>;
  }

  /// Empties the slot, then calls what was in it: the handler may wait again at once.
  void complete(boost::system::error_code error) { std::exchange(operation_, nullptr)(storage_, &error); }

  void reset() {
    if (operation_ != nullptr) std::exchange(operation_, nullptr)(storage_, nullptr);
  }

 private:
  static constexpr std::size_t inline_size = 4 * sizeof(void*);
  template <typename H>
  static constexpr bool fits_inline =
      sizeof(H) <= inline_size && alignof(H) <= alignof(void*) && std::is_nothrow_move_constructible_v<H>;

  /// Takes the handler out of `storage`; calls it unless `error` is null.
  template <typename H>
  static void operate(void* storage, const boost::system::error_code* error) {
    if constexpr (fits_inline<H>) {
      H* stored = static_cast<H*>(storage);
      H handler(std::move(*stored));
      stored->~H();
      if (error != nullptr) std::move(handler)(*error);
    } else {
      H* stored = *static_cast<H**>(storage);
      H handler(std::move(*stored));
      delete stored;
      if (error != nullptr) std::move(handler)(*error);
    }
  }

  alignas(void*) unsigned char storage_[inline_size];
  void (*operation_)(void*, const boost::system::error_code*) = nullptr;
};

/// Something to wait for: a descriptor that became readable or writable, or an event of our own. One waiter at a time.
/// Belongs to one loop's thread; handlers are called from the loop, never from inside async_wait().
class Readiness {
 public:
  /// Completes with success when signalled, or with the error given to fail() (timed_out, operation_aborted).
  /// Signature: void(error_code). Cancellation (total, partial, terminal) aborts the wait.
  template <typename CompletionToken>
  auto async_wait(CompletionToken&& token) {
    return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
        [this](auto&& handler) {
          auto slot = boost::asio::get_associated_cancellation_slot(handler);
          if (slot.is_connected()) {
            slot.assign([this](boost::asio::cancellation_type type) {
              if (type != boost::asio::cancellation_type::none) fail(boost::asio::error::operation_aborted);
            });
          }
          waiter_.emplace(std::forward<decltype(handler)>(handler));
        },
        token);
  }

  bool waiting() const { return static_cast<bool>(waiter_); }
  /// Wakes the waiter, if there is one.
  void signal() {
    if (waiter_) waiter_.complete({});
  }
  void fail(boost::system::error_code error) {
    if (waiter_) waiter_.complete(error);
  }
  /// Forgets the waiter without calling it.
  void disarm() { waiter_.reset(); }

 private:
  HandlerSlot waiter_;
};

}  // namespace telltale::proxy
