#pragma once

#include "conf/model.h"
#include "proxy/discovery/followed_name.h"
#include "proxy/discovery/lookup.h"
#include "proxy/discovery/resolver.h"
#include "proxy/discovery/status.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace telltale::proxy {

/// The names that are followed, each once however many services have it: asked when they come, and again when their
/// answer's TTL is over. Control thread only.
class NameTable {
 public:
  /// What tells names apart.
  struct Key {
    explicit Key(const conf::DnsName& dns) : kind(dns.kind), name(dns.name) {}
    conf::DnsName::Kind kind;
    std::string name;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Options {
    Lookup::Hosts hosts;
    FollowedName::HasRoute has_route;
    /// Uniform in [0, 1): TTLs end up to a tenth later, so that names do not stay in step.
    std::function<double()> random;
    /// After each lookup; `changed`: find() gives another answer.
    std::function<void(const Key& key, bool changed)> on_lookup;
  };

  NameTable(boost::asio::io_context& io, const conf::Dns& conf, Resolver& resolver, Options options);
  NameTable(const NameTable&) = delete;
  NameTable& operator=(const NameTable&) = delete;

  /// Follows these and no others. New ones are asked for at once, after start().
  void follow(std::span<const conf::DnsName> names);
  void start();
  void stop();

  /// null: not followed.
  const FollowedName* find(const conf::DnsName& name) const;
  NameStatus describe(const conf::DnsName& name) const;
  /// Fills in its part.
  void count(DiscoveryCounts& counts) const;

 private:
  struct Entry {
    Entry(boost::asio::io_context& io, FollowedName followed, std::uint64_t number)
        : name(std::move(followed)), timer(io), id(number) {}
    FollowedName name;
    std::optional<Lookup> lookup;  // while it is being asked
    boost::asio::steady_timer timer;
    std::chrono::system_clock::time_point next{};
    std::uint64_t id;  // a name that left and came again is another entry
  };

  Entry* find(const Key& key, std::uint64_t id);
  void look_up(const Key& key, Entry& entry);
  void ask(const Key& key, std::uint64_t id, const std::vector<Question>& questions);
  void take(const Key& key, std::uint64_t id, const Question& question, DnsReply reply);
  void finish(const Key& key, Entry& entry);

  boost::asio::io_context& io_;
  conf::Dns conf_;  // the entries have its address
  Resolver& resolver_;
  Options options_;
  std::map<Key, Entry> entries_;
  decltype(DiscoveryCounts::lookups) lookups_{};
  std::uint64_t next_id_ = 0;
  bool running_ = false;
  std::shared_ptr<char> alive_ = std::make_shared<char>();  // handlers that outlive us see it gone
};

}  // namespace telltale::proxy
