#include "proxy/discovery/name_table.h"

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include <set>
#include <utility>
#include <vector>

namespace telltale::proxy {
namespace {

constexpr double max_lateness = 0.1;

}  // namespace

NameTable::NameTable(boost::asio::io_context& io, const conf::Dns& conf, Resolver& resolver, Options options)
    : io_(io), conf_(conf), resolver_(resolver), options_(std::move(options)) {}

void NameTable::follow(std::span<const conf::DnsName> names) {
  std::set<Key> wanted;
  for (const conf::DnsName& name : names) {
    const Key key(name);
    if (!wanted.insert(key).second || entries_.contains(key)) continue;
    const auto added = entries_.try_emplace(key, io_, FollowedName(name, conf_, options_.has_route), next_id_++).first;
    if (running_) look_up(key, added->second);
  }
  std::erase_if(entries_, [&](const auto& each) { return !wanted.contains(each.first); });
}

void NameTable::start() {
  running_ = true;
  for (auto& [key, entry] : entries_) look_up(key, entry);
}

void NameTable::stop() {
  running_ = false;
  for (auto& [key, entry] : entries_) entry.timer.cancel();
}

const FollowedName* NameTable::find(const conf::DnsName& name) const {
  const auto found = entries_.find(Key(name));
  return found == entries_.end() ? nullptr : &found->second.name;
}

NameTable::Entry* NameTable::find(const Key& key, std::uint64_t id) {
  const auto found = entries_.find(key);
  return running_ && found != entries_.end() && found->second.id == id ? &found->second : nullptr;
}

void NameTable::look_up(const Key& key, Entry& entry) {
  const auto questions =
      entry.lookup.emplace(entry.name.name(), resolver_.search(), options_.hosts, entry.name.found_as()).begin();
  if (!entry.lookup->is_done()) return ask(key, entry.id, questions);
  // The hosts file had it. Like every other answer, this one comes later.
  boost::asio::post(io_, [this, key, id = entry.id, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    if (Entry* same = find(key, id)) finish(key, *same);
  });
}

void NameTable::ask(const Key& key, std::uint64_t id, const std::vector<Question>& questions) {
  for (const Question& question : questions) {
    resolver_.ask(question, [this, key, id, question](DnsReply reply) { take(key, id, question, std::move(reply)); });
  }
}

void NameTable::take(const Key& key, std::uint64_t id, const Question& question, DnsReply reply) {
  Entry* entry = find(key, id);
  if (entry == nullptr) return;
  ask(key, id, entry->lookup->take(question, std::move(reply)));
  if (entry->lookup->is_done()) finish(key, *entry);
}

void NameTable::finish(const Key& key, Entry& entry) {
  const auto now = std::chrono::system_clock::now();
  const FollowedName::Outcome outcome = entry.name.take(entry.lookup->take_result(), now);
  entry.lookup.reset();
  ++lookups_[static_cast<std::size_t>(outcome.result)];
  for (const auto& message : outcome.messages) {
    spdlog::log(message.is_warning ? spdlog::level::warn : spdlog::level::info, "{}", message.text);
  }
  const auto wait =
      std::chrono::duration_cast<std::chrono::milliseconds>(outcome.ask_again * (1 + max_lateness * options_.random()));
  entry.next = now + wait;
  entry.timer.expires_after(wait);
  entry.timer.async_wait([this, key, id = entry.id, alive = std::weak_ptr(alive_)](boost::system::error_code error) {
    if (error || alive.expired()) return;
    if (Entry* same = find(key, id)) look_up(key, *same);
  });
  options_.on_lookup(key, outcome.changed);  // may follow others: `entry` may be gone
}

NameStatus NameTable::describe(const conf::DnsName& name) const {
  const auto found = entries_.find(Key(name));
  if (found == entries_.end()) return {.name = name};
  const Entry& entry = found->second;
  NameStatus status{.name = name,
                    .state = entry.name.state(),
                    .addresses = to_texts(entry.name.answer(), name.kind),
                    .error = entry.name.error(),
                    .answered = entry.name.answered(),
                    .ttl = entry.name.ttl(),
                    .since = entry.name.since()};
  if (!entry.lookup) status.next = entry.next;
  return status;
}

void NameTable::count(DiscoveryCounts& counts) const {
  counts.lookups = lookups_;
  for (const auto& [key, entry] : entries_) ++counts.names[static_cast<std::size_t>(entry.name.state())];
}

}  // namespace telltale::proxy
