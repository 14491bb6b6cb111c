#include "proxy/discovery/lookup.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

namespace telltale::proxy {
namespace {

bool is_nothing(const DnsReply& reply) {
  return reply.outcome == LookupOutcome::no_data || reply.outcome == LookupOutcome::no_such_name;
}

/// Returns how many are left out.
std::size_t cut(std::vector<dns::SrvRecord>& records) {
  if (records.size() <= Lookup::max_srv_records) return 0;
  std::ranges::sort(records, {}, [](const dns::SrvRecord& each) {
    return std::tie(each.priority, each.target, each.port, each.weight);
  });
  const std::size_t left_out = records.size() - Lookup::max_srv_records;
  records.resize(Lookup::max_srv_records);
  return left_out;
}

DnsReply from_hosts_file(const std::vector<net::IpAddress>& all, bool v4) {
  DnsReply reply{.ttl = Lookup::hosts_ttl};
  std::ranges::copy_if(all, std::back_inserter(reply.addresses),
                       [&](const net::IpAddress& address) { return address.is_v4() == v4; });
  if (reply.addresses.empty()) reply.outcome = LookupOutcome::no_data;
  return reply;
}

}  // namespace

Lookup::Lookup(conf::DnsName name, const SearchList& search, Hosts hosts, std::string found_as)
    : name_(std::move(name)),
      search_{.candidates = search.candidates(name_.name)},
      hosts_file_(std::move(hosts)),
      found_as_(std::move(found_as)) {}

std::vector<Question> Lookup::begin() {
  if (name_.kind == conf::DnsName::Kind::srv) return ask({{search_.candidates.front(), dns::RecordType::srv}});
  return begin_host(name_.name, search_);
}

std::vector<Question> Lookup::ask(std::vector<Question> questions) {
  open_ += questions.size();
  return questions;
}

std::vector<Question> Lookup::begin_host(std::string name, Search search) {
  Host& host = hosts_.emplace_back(Host{.name = std::move(name), .search = std::move(search)});
  if (const auto listed = hosts_file_(host.name); !listed.empty()) {
    host.a = from_hosts_file(listed, true);
    host.aaaa = from_hosts_file(listed, false);
    return {};
  }
  const std::string& first = host.search.candidates.front();
  return ask({{first, dns::RecordType::a}, {first, dns::RecordType::aaaa}});
}

std::vector<Question> Lookup::begin_targets() {
  std::vector<Question> questions;
  for (const dns::SrvRecord& record : srv_->services) {
    const bool known = std::ranges::find(hosts_, record.target, &Host::name) != hosts_.end();
    if (record.target.empty() || known) continue;  // RFC 2782: "." says that there is no such service
    std::ranges::move(begin_host(record.target, {.candidates = {record.target}}), std::back_inserter(questions));
  }
  return questions;
}

/// Whether the next candidate is to be asked for, given all replies of this one; then it is at `search.at`.
bool Lookup::goes_on(Search& search, std::initializer_list<const DnsReply*> replies) const {
  bool failed = false;
  for (const DnsReply* reply : replies) {
    if (is_nothing(*reply)) continue;
    if (reply->outcome != LookupOutcome::server_failed) return false;
    failed = true;
  }
  if (failed && search.candidates[search.at] == found_as_) return false;
  if (search.at + 1 == search.candidates.size()) return false;
  search.passed_failure = search.passed_failure || failed;
  ++search.at;
  return true;
}

std::vector<Question> Lookup::take_srv(DnsReply reply) {
  if (goes_on(search_, {&reply})) return ask({{search_.candidates[search_.at], dns::RecordType::srv}});
  if (search_.passed_failure && is_nothing(reply)) reply.outcome = LookupOutcome::server_failed;
  srv_ = std::move(reply);
  left_out_ = cut(srv_->services);
  return begin_targets();
}

std::vector<Question> Lookup::take(const Question& question, DnsReply reply) {
  --open_;
  if (question.type == dns::RecordType::srv) return take_srv(std::move(reply));
  for (Host& host : hosts_) {
    Search& search = host.search;
    if (search.candidates[search.at] != question.name) continue;
    (question.type == dns::RecordType::a ? host.a : host.aaaa) = std::move(reply);
    if (!host.a || !host.aaaa) return {};
    if (goes_on(search, {&*host.a, &*host.aaaa})) {
      host.a.reset();
      host.aaaa.reset();
      return ask(
          {{search.candidates[search.at], dns::RecordType::a}, {search.candidates[search.at], dns::RecordType::aaaa}});
    }
    if (search.passed_failure && is_nothing(*host.a) && is_nothing(*host.aaaa)) {
      host.a->outcome = host.aaaa->outcome = LookupOutcome::server_failed;
    }
    return {};
  }
  return {};
}

LookupResult Lookup::take_result() {
  LookupResult result{.srv = std::move(srv_), .left_out = left_out_};
  bool found = result.srv && result.srv->outcome == LookupOutcome::answered;
  for (Host& host : hosts_) {
    if (!result.srv) {
      found = host.a->outcome == LookupOutcome::answered || host.aaaa->outcome == LookupOutcome::answered;
      search_ = std::move(host.search);
    }
    result.hosts.push_back({std::move(host.name), std::move(*host.a), std::move(*host.aaaa)});
  }
  if (found) result.found_as = std::move(search_.candidates[search_.at]);
  return result;
}

}  // namespace telltale::proxy
