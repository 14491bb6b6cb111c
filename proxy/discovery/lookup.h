#pragma once

#include "conf/model_service.h"
#include "proxy/discovery/resolver.h"

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::proxy {

/// What was found out of one host's addresses.
struct HostReplies {
  std::string host;
  DnsReply a, aaaa;
};

struct LookupResult {
  std::optional<DnsReply> srv;     ///< of a name with SRV records
  std::vector<HostReplies> hosts;  ///< the name itself, or the targets of the records, each once
  std::string found_as;            ///< the absolute name that answered; empty: none did
  std::size_t left_out = 0;        ///< SRV records beyond max_srv_records
};

/// One lookup of a name, as questions and replies: which are to be asked, in what order, and what came of it. An
/// address is looked for in the hosts file first, then A and AAAA are asked together; SRV records are asked for, then
/// the addresses of all their targets. A relative name goes through the search list while both families (the records)
/// are not there, and past domains that every server fails for, as with glibc: some resolvers do that. But if nothing
/// is found then, the lookup has failed; and where the name was found last time, a failure ends the search: further on
/// there may be another one's host by this name. Of too many SRV records those count that come first by priority,
/// target and port, whatever their weights, so that every answer leaves the same ones. Pure: somebody else asks.
class Lookup {
 public:
  /// The addresses that the system's hosts file has for a name.
  using Hosts = std::function<std::vector<net::IpAddress>(std::string_view name)>;
  /// What is in a file has no TTL.
  static constexpr std::chrono::seconds hosts_ttl{10};
  /// Each is two more questions.
  static constexpr std::size_t max_srv_records = 256;

  /// `name.port` does not matter; `found_as`: by the lookup before.
  Lookup(conf::DnsName name, const SearchList& search, Hosts hosts, std::string found_as = {});

  /// What is to be asked first; nothing: the hosts file had it.
  std::vector<Question> begin();
  /// The reply to a question, and what is to be asked because of it.
  std::vector<Question> take(const Question& question, DnsReply reply);
  bool is_done() const { return open_ == 0; }
  LookupResult take_result();

 private:
  /// The way of one name through the search list.
  struct Search {
    std::vector<std::string> candidates;
    std::size_t at = 0;
    bool passed_failure = false;
  };
  struct Host {
    std::string name;
    Search search;
    std::optional<DnsReply> a, aaaa;
  };

  std::vector<Question> begin_host(std::string name, Search search);
  bool goes_on(Search& search, std::initializer_list<const DnsReply*> replies) const;
  std::vector<Question> begin_targets();
  std::vector<Question> ask(std::vector<Question> questions);
  std::vector<Question> take_srv(DnsReply reply);

  conf::DnsName name_;
  Search search_;  // of name_
  Hosts hosts_file_;
  std::string found_as_;
  std::optional<DnsReply> srv_;
  std::size_t left_out_ = 0;  // of its records
  std::vector<Host> hosts_;
  std::size_t open_ = 0;  // questions
};

}  // namespace telltale::proxy
