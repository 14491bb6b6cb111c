#include "proxy/net/event_loop.h"

#include "proxy/net/descriptor.h"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <thread>

namespace telltale::proxy {
namespace {

[[noreturn]] void throw_errno(const char* what) { throw std::system_error(errno, std::system_category(), what); }

std::size_t this_thread() { return std::hash<std::thread::id>{}(std::this_thread::get_id()) | 1; }

}  // namespace

EventLoop::EventLoop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      eventfd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      now_(Clock::now()),
      wheel_(now_),
      scratch_(std::make_unique_for_overwrite<char[]>(scratch_size)) {
  if (!epoll_) throw_errno("epoll_create1");
  if (!eventfd_) throw_errno("eventfd");
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = nullptr}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, eventfd_.get(), &event) != 0) throw_errno("epoll_ctl");
}

EventLoop::~EventLoop() {
  abort_all();
  drop_tasks();
  shutdown();
  destroy();
  free_closed();
}

void EventLoop::run() {
  thread_.store(this_thread(), std::memory_order_relaxed);
  while (!stopped_.load(std::memory_order_acquire)) run_once(std::chrono::hours{1});
}

void EventLoop::stop() {
  stopped_.store(true, std::memory_order_release);
  wake();
}

int EventLoop::wait_milliseconds(std::chrono::milliseconds max_wait) const {
  if (!local_tasks_.empty() || !soon_.empty()) return 0;
  auto wait = max_wait;
  if (const auto next = wheel_.until_next(now_)) wait = std::min(wait, *next);
  return static_cast<int>(wait.count());
}

std::size_t EventLoop::run_once(std::chrono::milliseconds max_wait) {
  thread_.store(this_thread(), std::memory_order_relaxed);
  std::array<epoll_event, max_events> events;
  const int count =
      ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_milliseconds(max_wait));
  const Clock::time_point pass_before = std::exchange(now_, Clock::now());
  for (int i = 0; i < count; ++i) {
    // The eventfd is edge-triggered and never read: its only news is that remote_tasks_ has some.
    const auto& event = events[static_cast<std::size_t>(i)];
    if (event.data.ptr != nullptr) static_cast<Descriptor*>(event.data.ptr)->on_events(event.events);
  }
  run_tasks();
  signal_soon();
  look_at_deadlines(pass_before, count);
  if (end_of_pass_) end_of_pass_();
  free_closed();
  return static_cast<std::size_t>(std::max(count, 0));
}

/// What had come when the pass before began has been taken by this one, unless there was more than it could take, or
/// the kernel did not say (EINTR, which SIGCONT causes). Then by the first that is not full, or when the full ones
/// together took as many events as there are descriptors: the kernel tells of them in turn.
void EventLoop::look_at_deadlines(Clock::time_point pass_before, int count) {
  if (round_events_ == 0) round_began_ = pass_before;
  if (count < 0) return;
  round_events_ += static_cast<std::size_t>(count);
  if (static_cast<std::size_t>(count) == max_events && round_events_ <= descriptor_count_) return;
  round_events_ = 0;
  wheel_.advance(round_began_, [](DeadlineWheel::Entry& entry) { static_cast<Descriptor&>(entry).on_deadline(); });
}

void EventLoop::post_task(std::unique_ptr<Task> task) {
  if (thread_.load(std::memory_order_relaxed) == this_thread()) {
    local_tasks_.push_back(std::move(task));
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    remote_tasks_.push_back(std::move(task));
  }
  remote_pending_.store(true, std::memory_order_release);
  wake();
}

void EventLoop::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(eventfd_.get(), &one, sizeof one);
}

void EventLoop::run_tasks() {
  if (remote_pending_.exchange(false, std::memory_order_acquire)) {
    const std::lock_guard lock(mutex_);
    std::move(remote_tasks_.begin(), remote_tasks_.end(), std::back_inserter(local_tasks_));
    remote_tasks_.clear();
  }
  // Only what is there now: work that posts more work must not starve the descriptors.
  running_.swap(local_tasks_);
  for (auto& task : running_) {
    task->call();
    task.reset();
  }
  running_.clear();
}

void EventLoop::signal_soon() {
  // What is added meanwhile waits for the next pass; what closes meanwhile has nobody left who waits.
  signalled_.swap(soon_);
  for (Descriptor* descriptor : signalled_) {
    descriptor->queued_ = false;
    descriptor->signal();
  }
  signalled_.clear();
}

void EventLoop::abort_all() {
  // A coroutine that unwinds closes descriptors and may wait on others: start over until nobody waits.
  thread_.store(this_thread(), std::memory_order_relaxed);
  stopped_.store(true, std::memory_order_release);
  for (bool again = true; again;) {
    again = false;
    for (Descriptor* d = open_; d != nullptr; d = d->next_) {
      if (!d->input_.waiting() && !d->output_.waiting()) continue;
      d->input_.fail(boost::asio::error::operation_aborted);
      if (d->fd_) d->output_.fail(boost::asio::error::operation_aborted);
      again = true;
      break;
    }
    if (!local_tasks_.empty()) {
      run_tasks();
      again = true;
    }
  }
}

void EventLoop::drop_tasks() {
  // Destroying a task may destroy a coroutine that posts another one while it unwinds.
  while (!local_tasks_.empty() || !remote_tasks_.empty()) {
    const Tasks local = std::exchange(local_tasks_, {});
    const Tasks remote = std::exchange(remote_tasks_, {});
  }
}

void EventLoop::free_closed() {
  for (Descriptor* descriptor : closed_) delete descriptor;
  closed_.clear();
}

}  // namespace telltale::proxy
