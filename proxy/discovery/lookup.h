#pragma once

#include "conf/model_service.h"
#include "proxy/discovery/resolver.h"

#include <functional>
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
};

/// One lookup of a name, as questions and replies: which are to be asked, in what order, and what came of it. An
/// address is looked for in the hosts file first, then A and AAAA are asked together; SRV records are asked for, then
/// the addresses of all their targets. A relative name goes through the search list while both families (the records)
/// are conclusively not there; a server's failure ends the search: the next domain might have another one's host by
/// this name. Pure: somebody else asks.
class Lookup {
 public:
  /// The addresses that the system's hosts file has for a name.
  using Hosts = std::function<std::vector<net::IpAddress>(std::string_view name)>;
  /// What is in a file has no TTL.
  static constexpr std::chrono::seconds hosts_ttl{10};

  /// `name.port` does not matter.
  Lookup(conf::DnsName name, const SearchList& search, Hosts hosts);

  /// What is to be asked first; nothing: the hosts file had it.
  std::vector<Question> begin();
  /// The reply to a question, and what is to be asked because of it.
  std::vector<Question> take(const Question& question, DnsReply reply);
  bool is_done() const { return open_ == 0; }
  LookupResult take_result();

 private:
  struct Host {
    std::string name;
    std::vector<std::string> candidates;
    std::size_t at = 0;
    std::optional<DnsReply> a, aaaa;
  };

  std::vector<Question> begin_host(std::string name, std::vector<std::string> candidates);
  std::vector<Question> begin_targets();
  std::vector<Question> ask(std::vector<Question> questions);
  std::vector<Question> take_srv(DnsReply reply);

  conf::DnsName name_;
  std::vector<std::string> candidates_;
  Hosts hosts_file_;
  std::size_t at_ = 0;  // of candidates_, for SRV
  std::optional<DnsReply> srv_;
  std::vector<Host> hosts_;
  std::size_t open_ = 0;  // questions
};

}  // namespace telltale::proxy
