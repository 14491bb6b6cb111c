#include "proxy/discovery/followed_name.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

namespace telltale::proxy {
namespace {

constexpr std::size_t max_logged = 8;

/// Why there is nothing; `answered`: there are records, but not one address.
const char* explain_nothing(LookupOutcome outcome, bool is_srv) {
  if (outcome == LookupOutcome::no_such_name) return "there is no such name";
  if (outcome == LookupOutcome::no_data) return is_srv ? "there are no such records" : "there is no address";
  return is_srv ? "no target has an address" : "there is no address that can be connected to";
}

const char* explain(LookupOutcome outcome) {
  switch (outcome) {
    case LookupOutcome::timed_out:
      return "timed out";
    case LookupOutcome::server_failed:
      return "no server could be reached, or each failed or refused";
    case LookupOutcome::malformed:
      return "not a name, or an answer that cannot be read";
    default:
      return to_string(outcome);
  }
}

std::string join(const std::vector<std::string>& all) {
  std::string text;
  for (std::size_t i = 0; i < all.size() && i < max_logged; ++i) text += (i == 0 ? "" : ", ") + all[i];
  if (all.size() > max_logged) text += " and " + std::to_string(all.size() - max_logged) + " more";
  return text;
}

std::string seconds(std::chrono::milliseconds duration) {
  return std::to_string(std::chrono::round<std::chrono::seconds>(duration).count()) + " s";
}

}  // namespace

const char* to_string(NameState state) {
  switch (state) {
    case NameState::waiting:
      return "waiting";
    case NameState::answered:
      return "answered";
    case NameState::stale:
      return "stale";
    case NameState::gone:
      return "gone";
    case NameState::count_:
      break;
  }
  return "";
}

std::vector<std::string> to_texts(const Answer& answer, conf::DnsName::Kind kind) {
  std::vector<std::string> texts;
  for (const Target& target : answer) {
    for (const net::IpAddress& address : target.addresses) {
      if (kind == conf::DnsName::Kind::address) {
        texts.push_back(address.to_string());
      } else {
        texts.push_back(net::IpPort{address, target.port}.to_string() + " priority " + std::to_string(target.priority) +
                        " weight " + std::to_string(target.weight));
      }
    }
  }
  return texts;
}

std::size_t count_addresses(const Answer& answer) {
  std::size_t sum = 0;
  for (const Target& target : answer) sum += target.addresses.size();
  return sum;
}

std::size_t cut(Answer& answer, std::size_t max) {
  std::size_t left_out = 0;
  for (Target& target : answer) {
    const std::size_t kept = std::min(target.addresses.size(), max);
    left_out += target.addresses.size() - kept;
    target.addresses.resize(kept);
    max -= kept;
  }
  std::erase_if(answer, [](const Target& target) { return target.addresses.empty(); });
  return left_out;
}

FollowedName::FollowedName(conf::DnsName name, const conf::Dns& conf, HasRoute has_route)
    : name_(std::move(name)), conf_(&conf), has_route_(std::move(has_route)) {}

FollowedName::Outcome FollowedName::take(LookupResult result, Time now) {
  settled_ = true;
  std::string found_as = std::move(result.found_as);
  Found found = find(std::move(result));
  Outcome outcome{.result = found.result};
  if (found.is_fresh) {
    found_as_ = std::move(found_as);
    use(std::move(found), now, outcome);
  } else if (!is_conclusive(found.result)) {
    keep(found, now, outcome);
  } else {
    miss(found, now, outcome);
  }
  return outcome;
}

/// A failure counts more than that there is nothing, and that more than an answer.
void FollowedName::note(Found& found, const std::string& host, const char* type, const DnsReply& reply) const {
  if (reply.outcome == LookupOutcome::answered) {
    found.ttl = std::min(found.ttl, reply.ttl);
    return;
  }
  const bool is_worse = is_conclusive(found.result) && !is_conclusive(reply.outcome);
  if (found.result == LookupOutcome::answered || is_worse) {
    found.result = reply.outcome;
    found.error = std::string(type) + (host == name_.name ? "" : " of " + host) + ": " + explain(reply.outcome);
  }
}

FollowedName::Found FollowedName::find(LookupResult result) const {
  Found found;
  found.records_left_out = result.left_out;
  if (result.srv) note(found, name_.name, "SRV", *result.srv);
  for (HostReplies& host : result.hosts) add_host(found, std::move(host));
  const auto add = [&](Target target) {
    target.addresses = usable(found.known[target.host]);
    if (!target.addresses.empty()) found.answer.push_back(std::move(target));
  };
  if (!result.srv) {
    add({.host = name_.name});
  } else {
    for (dns::SrvRecord& record : result.srv->services) {
      if (record.target.empty()) continue;
      add({.host = std::move(record.target),
           .port = record.port,
           .priority = record.priority,
           .weight = record.weight});
    }
  }
  std::ranges::sort(found.answer, {},
                    [](const Target& each) { return std::tie(each.priority, each.host, each.port, each.weight); });
  found.addresses_left_out = cut(found.answer, max_addresses);
  if (found.is_fresh && is_conclusive(found.result)) {
    // One family without addresses, one target without any: nothing is wrong.
    found.result = LookupOutcome::answered;
    found.error.clear();
  } else if (is_conclusive(found.result)) {
    found.error = explain_nothing(result.srv ? result.srv->outcome : found.result, result.srv.has_value());
    if (found.result == LookupOutcome::answered) found.result = LookupOutcome::no_data;
  }
  return found;
}

void FollowedName::add_host(Found& found, HostReplies replies) const {
  Families& families = found.known[replies.host];
  const auto before = known_.find(replies.host);
  const auto add = [&](std::size_t family, const char* type, DnsReply& reply) {
    note(found, replies.host, type, reply);
    if (!is_conclusive(reply.outcome)) {
      if (before != known_.end()) families[family] = before->second[family];
      return;
    }
    families[family] = std::move(reply.addresses);
    // 0.0.0.0 is what a filter answers; whoever connects there gets this machine.
    std::erase_if(families[family], [](const net::IpAddress& address) { return address.is_unspecified(); });
    found.is_fresh = found.is_fresh || !families[family].empty();
  };
  add(0, "A", replies.a);
  add(1, "AAAA", replies.aaaa);
}

std::vector<net::IpAddress> FollowedName::usable(const Families& families) const {
  std::vector<net::IpAddress> all;
  for (const auto& family : families) all.insert(all.end(), family.begin(), family.end());
  if (!families[0].empty() && !families[1].empty()) {
    std::vector<net::IpAddress> routed;
    std::ranges::copy_if(all, std::back_inserter(routed), has_route_);
    if (!routed.empty()) all = std::move(routed);
  }
  std::ranges::sort(all);
  // An IPv4-mapped AAAA is an A once more.
  const auto rest = std::ranges::unique(all);
  all.erase(rest.begin(), rest.end());
  return all;
}

/// Said once, until an answer is within them again.
void FollowedName::note_limits(const Found& found, Outcome& outcome) {
  const bool was_limited = std::exchange(limited_, found.records_left_out + found.addresses_left_out > 0);
  if (was_limited) return;
  const auto say_limit = [&](std::size_t limit, const char* what, std::size_t left_out) {
    if (left_out == 0) return;
    say(outcome, true,
        "more than " + std::to_string(limit) + " " + what + ": the last " + std::to_string(left_out) + " are left out");
  };
  say_limit(Lookup::max_srv_records, "SRV records (by priority, target, port)", found.records_left_out);
  say_limit(max_addresses, "addresses", found.addresses_left_out);
}

void FollowedName::use(Found found, Time now, Outcome& outcome) {
  note_limits(found, outcome);
  outcome.changed = found.answer != answer_;
  answer_ = std::move(found.answer);
  known_ = std::move(found.known);
  answered_ = now;
  missed_ = false;
  error_ = std::move(found.error);
  ttl_ = std::clamp<std::chrono::milliseconds>(found.ttl, conf_->min_ttl, conf_->max_ttl);
  outcome.ask_again = error_.empty() ? ttl_ : std::min(ttl_, conf_->retry);
  enter(NameState::answered, now);
  if (error_.empty()) {
    end_failure(now, outcome);
  } else {
    begin_failure(now, "the rest of the answer is used, with what was known before", outcome);
  }
  if (outcome.changed) say(outcome, false, join(to_texts(answer_, name_.kind)) + " (TTL " + seconds(ttl_) + ")");
}

void FollowedName::keep(const Found& found, Time now, Outcome& outcome) {
  missed_ = false;
  error_ = found.error;
  outcome.ask_again = conf_->retry;
  if (!answer_.empty()) enter(NameState::stale, now);
  begin_failure(now, answer_.empty() ? "nobody serves by this name yet" : "the last good answer stays in force",
                outcome);
}

void FollowedName::miss(const Found& found, Time now, Outcome& outcome) {
  error_ = found.error;
  outcome.ask_again = conf_->retry;
  end_failure(now, outcome);
  if (!answer_.empty() && !std::exchange(missed_, true)) {
    enter(NameState::stale, now);
    return say(outcome, true, error_ + "; if that is said again, nobody serves by this name any more");
  }
  outcome.changed = !answer_.empty();
  answer_.clear();
  known_.clear();
  found_as_.clear();
  if (state_ != NameState::gone) say(outcome, true, error_ + "; nobody serves by this name");
  enter(NameState::gone, now);
}

void FollowedName::enter(NameState state, Time now) {
  if (state_ == state) return;
  state_ = state;
  since_ = now;
}

/// Said once: an outage lasts until all was answered.
void FollowedName::begin_failure(Time now, const char* consequence, Outcome& outcome) {
  if (failing_since_) return;
  failing_since_ = now;
  say(outcome, true, error_ + "; " + consequence);
}

void FollowedName::end_failure(Time now, Outcome& outcome) {
  if (!failing_since_) return;
  const auto lasted = std::chrono::duration_cast<std::chrono::milliseconds>(now - *failing_since_);
  failing_since_.reset();
  say(outcome, false, "answered again, after " + seconds(lasted));
}

void FollowedName::say(Outcome& outcome, bool is_warning, const std::string& text) const {
  outcome.messages.push_back({is_warning, "DNS: " + name_.name + ": " + text});
}

}  // namespace telltale::proxy
