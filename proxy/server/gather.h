#pragma once

#include "proxy/server/worker.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace telltale::proxy {

/// Asks every worker on its own thread, between two passes of its loop, and hands all the answers, in the order in
/// which they came, to `done` on the control thread. No lock; nothing comes when a worker ends meanwhile.
template <class T>
void gather(boost::asio::io_context& control, std::span<const std::unique_ptr<Worker>> workers,
            const std::function<T(WorkerContext&)>& ask, std::function<void(std::vector<T>)> done) {
  struct State {
    std::vector<T> answers;
    std::size_t missing;
    std::function<void(std::vector<T>)> done;
  };
  const auto state = std::make_shared<State>(State{{}, workers.size(), std::move(done)});
  for (const auto& worker : workers) {
    worker->post([&control, state, ask](WorkerContext& context) {
      boost::asio::post(control, [state, answer = ask(context)]() mutable {
        state->answers.push_back(std::move(answer));
        if (--state->missing == 0) state->done(std::move(state->answers));
      });
    });
  }
}

/// Calls `done`, on the control thread, when every worker has done what was posted to it so far.
inline void after_posted(boost::asio::io_context& control, std::span<const std::unique_ptr<Worker>> workers,
                         std::function<void()> done) {
  gather<std::monostate>(
      control, workers, [](WorkerContext&) { return std::monostate{}; },
      [done = std::move(done)](const std::vector<std::monostate>&) { done(); });
}

}  // namespace telltale::proxy
