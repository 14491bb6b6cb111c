#include "proxy/discovery/lookup.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace telltale::proxy {
namespace {

bool is_nothing(const DnsReply& reply) {
  return is_conclusive(reply.outcome) && reply.outcome != LookupOutcome::answered;
}

DnsReply from_hosts_file(const std::vector<net::IpAddress>& all, bool v4) {
  DnsReply reply{.ttl = Lookup::hosts_ttl};
  std::ranges::copy_if(all, std::back_inserter(reply.addresses),
                       [&](const net::IpAddress& address) { return address.is_v4() == v4; });
  if (reply.addresses.empty()) reply.outcome = LookupOutcome::no_data;
  return reply;
}

}  // namespace

Lookup::Lookup(conf::DnsName name, const SearchList& search, Hosts hosts)
    : name_(std::move(name)), candidates_(search.candidates(name_.name)), hosts_file_(std::move(hosts)) {}

std::vector<Question> Lookup::begin() {
  if (name_.kind == conf::DnsName::Kind::srv) return ask({{candidates_.front(), dns::RecordType::srv}});
  return begin_host(name_.name, candidates_);
}

std::vector<Question> Lookup::ask(std::vector<Question> questions) {
  open_ += questions.size();
  return questions;
}

std::vector<Question> Lookup::begin_host(std::string name, std::vector<std::string> candidates) {
  Host& host = hosts_.emplace_back(Host{.name = std::move(name), .candidates = std::move(candidates)});
  if (const auto listed = hosts_file_(host.name); !listed.empty()) {
    host.a = from_hosts_file(listed, true);
    host.aaaa = from_hosts_file(listed, false);
    return {};
  }
  return ask({{host.candidates.front(), dns::RecordType::a}, {host.candidates.front(), dns::RecordType::aaaa}});
}

std::vector<Question> Lookup::begin_targets() {
  std::vector<Question> questions;
  for (const dns::SrvRecord& record : srv_->services) {
    const bool known = std::ranges::find(hosts_, record.target, &Host::name) != hosts_.end();
    if (record.target.empty() || known) continue;  // RFC 2782: "." says that there is no such service
    std::ranges::move(begin_host(record.target, {record.target}), std::back_inserter(questions));
  }
  return questions;
}

std::vector<Question> Lookup::take_srv(DnsReply reply) {
  if (is_nothing(reply) && at_ + 1 < candidates_.size()) return ask({{candidates_[++at_], dns::RecordType::srv}});
  srv_ = std::move(reply);
  return begin_targets();
}

std::vector<Question> Lookup::take(const Question& question, DnsReply reply) {
  --open_;
  if (question.type == dns::RecordType::srv) return take_srv(std::move(reply));
  for (Host& host : hosts_) {
    if (host.candidates[host.at] != question.name) continue;
    (question.type == dns::RecordType::a ? host.a : host.aaaa) = std::move(reply);
    const bool nothing = host.a && host.aaaa && is_nothing(*host.a) && is_nothing(*host.aaaa);
    if (!nothing || host.at + 1 == host.candidates.size()) return {};
    host.a.reset();
    host.aaaa.reset();
    const std::string& next = host.candidates[++host.at];
    return ask({{next, dns::RecordType::a}, {next, dns::RecordType::aaaa}});
  }
  return {};
}

LookupResult Lookup::take_result() {
  LookupResult result{.srv = std::move(srv_)};
  for (Host& host : hosts_) result.hosts.push_back({std::move(host.name), std::move(*host.a), std::move(*host.aaaa)});
  return result;
}

}  // namespace telltale::proxy
