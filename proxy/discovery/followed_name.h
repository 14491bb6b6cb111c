#pragma once

#include "conf/model.h"
#include "proxy/discovery/lookup.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace telltale::proxy {

/// One host that a name stands for.
struct Target {
  std::string host;                                  ///< the name itself, or the target of an SRV record
  std::uint16_t port = 0, priority = 0, weight = 0;  ///< of the SRV record
  std::vector<net::IpAddress> addresses;             ///< sorted, each once
  friend bool operator==(const Target&, const Target&) = default;
};
/// What a name stands for: sorted by priority; no target is without addresses; none: nobody serves.
using Answer = std::vector<Target>;

/// How many addresses names may bring to one service.
inline constexpr std::size_t max_addresses = 10'000;
/// How many addresses there are altogether.
std::size_t count_addresses(const Answer& answer);
/// Leaves the first `max` addresses. Returns how many are left out.
std::size_t cut(Answer& answer, std::size_t max);

enum class NameState : std::uint8_t {
  waiting,   ///< never answered: still asked for the first time, or failing since
  answered,  ///< by the last lookup
  stale,     ///< the last lookup failed, or said for the first time that there is nothing; the last good answer holds
  gone,      ///< there is nothing by this name
  count_
};
const char* to_string(NameState state);

/// `10.0.0.1`, of an SRV record `10.0.0.1:8080 priority 1 weight 10`: one for each address.
std::vector<std::string> to_texts(const Answer& answer, conf::DnsName::Kind kind);

/// What is known of a name, from lookup to lookup. A failing server leaves the last good answer in force, for each host
/// and family by itself. That there is nothing any more is believed when it is said twice in a row, `retry` apart:
/// servers that start, or lost their zone, say that too. Of more than max_addresses the first ones count. Pure: the
/// time is given.
class FollowedName {
 public:
  using Time = std::chrono::system_clock::time_point;
  /// Whether this machine has a route to an address. Where a host has addresses of both families, those of one that
  /// leads nowhere are left out (RFC 6724 6, rule 1).
  using HasRoute = std::function<bool(const net::IpAddress&)>;

  struct Message {
    bool is_warning = false;
    std::string text;  ///< one line
  };
  struct Outcome {
    LookupOutcome result = LookupOutcome::answered;  ///< for counting: a failure if any part of it failed
    bool changed = false;                            ///< answer() is another
    std::chrono::milliseconds ask_again{0};          ///< in how long
    std::vector<Message> messages;                   ///< for the log
  };

  FollowedName(conf::DnsName name, const conf::Dns& conf, HasRoute has_route);

  Outcome take(LookupResult result, Time now);

  const conf::DnsName& name() const { return name_; }
  const Answer& answer() const { return answer_; }
  /// The absolute name that answered last: for the next lookup.
  const std::string& found_as() const { return found_as_; }
  /// Has been looked up, with whatever outcome.
  bool is_settled() const { return settled_; }
  NameState state() const { return state_; }
  Time since() const { return since_; }  ///< of the state; {}: from the beginning
  /// Why the last lookup, or a part of it, brought nothing; empty: it did.
  const std::string& error() const { return error_; }
  std::optional<Time> answered() const { return answered_; }  ///< when the last good answer came
  std::chrono::milliseconds ttl() const { return ttl_; }      ///< of that, within min_ttl and max_ttl

 private:
  using Families = std::array<std::vector<net::IpAddress>, 2>;  // IPv4, IPv6
  using Known = std::map<std::string, Families>;                // by host

  /// What a lookup says, with what was known before where a server failed.
  struct Found {
    Answer answer;
    Known known;
    LookupOutcome result = LookupOutcome::answered;
    std::chrono::seconds ttl = std::chrono::seconds::max();
    bool is_fresh = false;  // some address is from this lookup
    std::string error;
    std::size_t records_left_out = 0, addresses_left_out = 0;
  };
  Found find(LookupResult result) const;
  void note(Found& found, const std::string& host, const char* type, const DnsReply& reply) const;
  void add_host(Found& found, HostReplies replies) const;
  std::vector<net::IpAddress> usable(const Families& families) const;

  void use(Found found, Time now, Outcome& outcome);
  void keep(const Found& found, Time now, Outcome& outcome);
  void miss(const Found& found, Time now, Outcome& outcome);
  void enter(NameState state, Time now);
  void begin_failure(Time now, const char* consequence, Outcome& outcome);
  void end_failure(Time now, Outcome& outcome);
  void note_limits(const Found& found, Outcome& outcome);
  void say(Outcome& outcome, bool is_warning, const std::string& text) const;

  conf::DnsName name_;
  const conf::Dns* conf_;
  HasRoute has_route_;
  Answer answer_;
  std::string found_as_;
  Known known_;  // the last good addresses
  bool settled_ = false;
  bool missed_ = false;   // the last lookup said that there is nothing
  bool limited_ = false;  // the last answer was more than is used, which was said
  NameState state_ = NameState::waiting;
  Time since_{};
  std::string error_;
  std::optional<Time> failing_since_;
  std::optional<Time> answered_;
  std::chrono::milliseconds ttl_{0};
};

}  // namespace telltale::proxy
