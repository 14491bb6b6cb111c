#include "proxy/discovery/dns_client.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <ares.h>
#include <cctype>
#include <span>
#include <sys/time.h>
#include <system_error>

namespace telltale::proxy {
namespace {

namespace asio = boost::asio;

constexpr int class_in = 1;
/// What passes everywhere in one piece (DNS flag day 2020); larger answers come over TCP.
constexpr int udp_payload_octets = 1232;

/// Once in the process; c-ares has nothing to be ended on this system.
void set_up_library() {
  static const int status = ::ares_library_init(ARES_LIB_INIT_ALL);
  if (status != ARES_SUCCESS) throw std::system_error(std::make_error_code(std::errc::io_error), "c-ares");
}

std::string to_csv(const std::vector<net::IpPort>& servers) {
  std::string csv;
  for (const auto& server : servers) csv += (csv.empty() ? "" : ",") + server.to_string();
  return csv;
}

LookupOutcome outcome_of(int status) {
  switch (status) {
    case ARES_ENODATA:
      return LookupOutcome::no_data;
    case ARES_ENOTFOUND:
      return LookupOutcome::no_such_name;
    case ARES_ETIMEOUT:
      return LookupOutcome::timed_out;
    case ARES_EBADNAME:
    case ARES_EBADQUERY:
    case ARES_EBADRESP:
      return LookupOutcome::malformed;
    default:
      return LookupOutcome::server_failed;
  }
}

DnsReply to_reply(dns::RecordType type, int status, std::span<const std::uint8_t> message) {
  if (status != ARES_SUCCESS) return {.outcome = outcome_of(status)};
  auto parsed = dns::parse_reply(message, type);
  if (!parsed) return {.outcome = LookupOutcome::malformed};
  // An alias that leads to a name without such records.
  if (parsed->is_empty()) return {.outcome = LookupOutcome::no_data};
  return {.outcome = LookupOutcome::answered,
          .ttl = std::chrono::seconds(parsed->ttl_seconds),
          .addresses = std::move(parsed->addresses),
          .services = std::move(parsed->services)};
}

}  // namespace

/// One of c-ares' own; it closes them.
struct DnsClient::Socket {
  explicit Socket(asio::io_context& io) : descriptor(io) {}
  ~Socket() { leave(); }
  void leave() {
    if (descriptor.is_open()) descriptor.release();
  }
  asio::posix::stream_descriptor descriptor;
  bool wants_read = false, wants_write = false;
  bool reading = false, writing = false;
};

DnsClient::DnsClient(asio::io_context& io, const conf::Dns& conf, std::string resolv_conf)
    : io_(io), conf_(conf), resolv_conf_(std::move(resolv_conf)), timer_(io), watcher_(io, resolv_conf_, [this] {
        reopen();
      }) {
  set_up_library();
  watcher_.about_to_read();
  std::string problem;
  channel_ = make_channel(problem);
  if (channel_ == nullptr) throw std::system_error(std::make_error_code(std::errc::io_error), problem);
  read_search_list();
  watcher_.start();
}

DnsClient::~DnsClient() { stop(); }

void DnsClient::stop() {
  if (stopped_) return;
  stopped_ = true;
  watcher_.stop();
  timer_.cancel();
  waiting_.clear();
  replies_.clear();
  ::ares_destroy(channel_);
  channel_ = nullptr;
}

/// Null where it fails, out of memory say. A resolv.conf that cannot be read is like none: 127.0.0.1 is asked.
DnsClient::Channel DnsClient::make_channel(std::string& problem) {
  ares_options options{};
  options.flags = ARES_FLAG_EDNS;
  options.ednspsz = udp_payload_octets;
  options.timeout = static_cast<int>(conf_.timeout.count());
  options.tries = static_cast<int>(conf_.attempts);
  options.sock_state_cb = &on_socket;
  options.sock_state_cb_data = this;
  options.resolvconf_path = resolv_conf_.data();
  int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB |
             ARES_OPT_RESOLVCONF;
  if (!conf_.servers.empty()) mask |= ARES_OPT_NOROTATE;
  Channel channel = nullptr;
  int status = ::ares_init_options(&channel, &options, mask);
  if (status == ARES_SUCCESS && !conf_.servers.empty()) {
    status = ::ares_set_servers_ports_csv(channel, to_csv(conf_.servers).c_str());
    if (status != ARES_SUCCESS) ::ares_destroy(std::exchange(channel, nullptr));
  }
  if (status != ARES_SUCCESS) problem = "DNS, by " + resolv_conf_ + ": " + ::ares_strerror(status);
  return channel;
}

void DnsClient::read_search_list() {
  ares_options options{};
  int mask = 0;
  search_ = {};
  if (::ares_save_options(channel_, &options, &mask) != ARES_SUCCESS) return;
  search_.ndots = static_cast<unsigned>(std::max(options.ndots, 0));
  for (const char* domain : std::span(options.domains, static_cast<std::size_t>(std::max(options.ndomains, 0)))) {
    std::string text(domain);
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (text.ends_with('.')) text.pop_back();
    if (!text.empty()) search_.domains.push_back(std::move(text));
  }
  ::ares_destroy_options(&options);
}

/// resolv.conf has changed.
void DnsClient::reopen() {
  if (stopped_) return;
  std::string problem;
  const Channel fresh = make_channel(problem);
  if (fresh == nullptr) return spdlog::error("{}; the servers and the search list from before stay in use", problem);
  ::ares_destroy(channel_);  // what is in flight comes back to waiting_
  channel_ = fresh;
  read_search_list();
  spdlog::info("DNS: {} read again", resolv_conf_);
  pump();
}

void DnsClient::ask(const Question& question, Done done) {
  if (stopped_) return;
  waiting_.push_back(std::make_unique<Asked>(Asked{this, question, std::move(done)}));
  if (std::exchange(pump_posted_, true)) return;
  asio::post(io_, [this, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    pump_posted_ = false;
    pump();
  });
}

void DnsClient::send() {
  while (!stopped_ && !waiting_.empty() && in_flight_.size() < max_in_flight) {
    std::unique_ptr<Asked> next = std::move(waiting_.front());
    waiting_.pop_front();
    Asked* const asked = next.get();
    in_flight_.emplace(asked, std::move(next));
    ::ares_query(channel_, asked->question.name.c_str(), class_in, static_cast<int>(asked->question.type), &on_reply,
                 asked);
  }
}

/// Called by c-ares, maybe within ares_query(): nobody is told from here.
void DnsClient::on_reply(void* asked, int status, int /*timeouts*/, unsigned char* message, int size) {
  DnsClient& self = *static_cast<Asked*>(asked)->client;
  auto node = self.in_flight_.extract(static_cast<Asked*>(asked));
  std::unique_ptr<Asked> question = std::move(node.mapped());
  if (self.stopped_) return;
  if (status == ARES_EDESTRUCTION) return self.waiting_.push_front(std::move(question));
  const std::size_t octets = message == nullptr ? 0 : static_cast<std::size_t>(size);
  self.replies_.emplace_back(std::move(question->done), to_reply(question->question.type, status, {message, octets}));
}

void DnsClient::deliver() {
  while (!replies_.empty()) {
    auto [done, reply] = std::move(replies_.front());
    replies_.pop_front();
    done(std::move(reply));
  }
}

/// After anything that may have brought replies, outside of c-ares.
void DnsClient::pump() {
  send();
  while (!replies_.empty()) {
    deliver();
    send();
  }
  if (stopped_) return;
  wait_for_sockets();
  wait_for_timeout();
}

void DnsClient::process(int readable, int writable) {
  if (stopped_) return;
  ::ares_process_fd(channel_, readable, writable);
  pump();
}

void DnsClient::on_socket(void* client, int fd, int wants_read, int wants_write) {
  auto& self = *static_cast<DnsClient*>(client);
  if (wants_read == 0 && wants_write == 0) {
    // At once: it is about to be closed, the next one may have its number, and the Socket may outlive this.
    if (const auto known = self.sockets_.extract(fd)) known.mapped()->leave();
    return;
  }
  auto& socket = self.sockets_[fd];
  if (!socket) {
    socket = std::make_shared<Socket>(self.io_);
    boost::system::error_code refused;  // then the question times out
    socket->descriptor.assign(fd, refused);
  }
  socket->wants_read = wants_read != 0;
  socket->wants_write = wants_write != 0;
}

void DnsClient::wait_for_sockets() {
  for (const auto& [fd, socket] : sockets_) wait_for(socket);
}

void DnsClient::wait_for(const std::shared_ptr<Socket>& socket) {
  using Descriptor = asio::posix::stream_descriptor;
  const auto wait = [&](Descriptor::wait_type what, bool Socket::* pending) {
    if (std::exchange(*socket.*pending, true)) return;
    socket->descriptor.async_wait(what,
                                  [this, what, pending, weak = std::weak_ptr(socket)](boost::system::error_code error) {
                                    const auto same = weak.lock();
                                    if (same == nullptr || error) return;
                                    *same.*pending = false;
                                    const int fd = same->descriptor.native_handle();
                                    process(what == Descriptor::wait_read ? fd : ARES_SOCKET_BAD,
                                            what == Descriptor::wait_write ? fd : ARES_SOCKET_BAD);
                                  });
  };
  if (socket->wants_read) wait(Descriptor::wait_read, &Socket::reading);
  if (socket->wants_write) wait(Descriptor::wait_write, &Socket::writing);
}

void DnsClient::wait_for_timeout() {
  timeval left{};
  if (::ares_timeout(channel_, nullptr, &left) == nullptr) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec));
  timer_.async_wait([this, alive = std::weak_ptr(alive_)](boost::system::error_code error) {
    if (!error && !alive.expired()) process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  });
}

}  // namespace telltale::proxy
