#include "proxy/health/ejector.h"

#include <boost/asio/post.hpp>

#include <utility>

namespace telltale::proxy {

Ejector::Ejector(boost::asio::io_context& io, std::vector<std::shared_ptr<Service>> services, Location location,
                 std::function<void(std::size_t)> on_change)
    : io_(io),
      services_(std::move(services)),
      ejections_(services_, std::move(location)),
      on_change_(std::move(on_change)),
      timer_(io) {}

void Ejector::start() {
  for (const auto& service : services_) {
    if (!service->conf().ejection) continue;
    service->on_failing(
        [&io = io_, weak = weak_from_this(), index = service->index()](std::uint64_t id, std::string why) {
          boost::asio::post(io, [weak, index, id, why = std::move(why)] {
            if (const auto self = weak.lock()) self->failing(index, id, why);
          });
        });
  }
}

void Ejector::stop() {
  stopped_ = true;
  timer_.cancel();
}

void Ejector::failing(std::size_t service, std::uint64_t id, const std::string& why) {
  if (stopped_) return;
  if (ejections_.failing(service, id, why, Ejections::Now::read()) != nullptr) tell({service});
}

void Ejector::succeeded(const ProbeTarget& target, std::chrono::steady_clock::time_point began) {
  if (!stopped_) tell(ejections_.succeeded(target, began, Ejections::Now::read()));
}

void Ejector::tell(const std::vector<std::size_t>& changed) {
  if (changed.empty()) return;
  for (const std::size_t service : changed) on_change_(service);
  arm();
}

void Ejector::arm() {
  const auto next = ejections_.next();
  if (stopped_ || next == std::chrono::steady_clock::time_point::max()) return;
  timer_.expires_at(next);
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (error || !self || self->stopped_) return;
    self->tell(self->ejections_.end_due(Ejections::Now::read()));
    self->arm();
  });
}

}  // namespace telltale::proxy
