#pragma once

#include "conf/model.h"
#include "proxy/discovery/resolver.h"
#include "proxy/files/file_watcher.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

struct ares_channeldata;

namespace telltale::proxy {

/// Questions by c-ares: over UDP, again over TCP when an answer is cut. Each server is asked `attempts` times in turn,
/// with `timeout` in the first round, twice as long in the next, and so on; a server that fails or refuses is like one
/// that is silent. Questions beyond max_in_flight wait, so that many names do not overrun a server at once. The
/// system's resolv.conf says the search list, and the servers unless they are configured; when it changes, it is read
/// again and what is in flight is asked anew. Control thread only.
class DnsClient final : public Resolver {
 public:
  static constexpr std::size_t max_in_flight = 64;

  /// Throws std::system_error where c-ares cannot be set up.
  DnsClient(boost::asio::io_context& io, const conf::Dns& conf, std::string resolv_conf = "/etc/resolv.conf");
  ~DnsClient() override;
  DnsClient(const DnsClient&) = delete;
  DnsClient& operator=(const DnsClient&) = delete;

  void ask(const Question& question, Done done) override;
  const SearchList& search() const override { return search_; }
  void stop() override;

 private:
  using Channel = ares_channeldata*;
  struct Asked {
    DnsClient* client;
    Question question;
    Done done;
  };
  struct Socket;

  Channel make_channel(std::string& problem);
  void read_search_list();
  void reopen();
  void send();
  void deliver();
  void pump();
  void process(int readable, int writable);
  void wait_for(const std::shared_ptr<Socket>& socket);
  void wait_for_sockets();
  void wait_for_timeout();
  static void on_reply(void* asked, int status, int timeouts, unsigned char* message, int size);
  static void on_socket(void* client, int fd, int wants_read, int wants_write);

  boost::asio::io_context& io_;
  conf::Dns conf_;
  std::string resolv_conf_;
  SearchList search_;
  std::deque<std::unique_ptr<Asked>> waiting_;
  std::map<Asked*, std::unique_ptr<Asked>> in_flight_;
  std::deque<std::pair<Done, DnsReply>> replies_;  // to be told outside of c-ares
  std::map<int, std::shared_ptr<Socket>> sockets_;
  boost::asio::steady_timer timer_;
  FileWatcher watcher_;
  bool pump_posted_ = false;
  bool stopped_ = false;
  std::shared_ptr<char> alive_ = std::make_shared<char>();  // handlers that outlive us see it gone
  Channel channel_ = nullptr;
};

}  // namespace telltale::proxy
