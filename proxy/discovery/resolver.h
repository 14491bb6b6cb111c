#pragma once

#include "protocol/dns/reply.h"
#include "protocol/net/ip_address.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace telltale::proxy {

/// How relative names are made absolute: resolv.conf(5), `search` and `ndots`.
struct SearchList {
  std::vector<std::string> domains;
  unsigned ndots = 1;
  /// The absolute names to be asked for, in this order, each without its last dot. `name.` stands for itself.
  std::vector<std::string> candidates(const std::string& name) const;
};

struct Question {
  std::string name;  ///< absolute
  dns::RecordType type = dns::RecordType::a;
  friend bool operator==(const Question&, const Question&) = default;
};

/// What became of a question, or of the lookup of a name with all its questions.
enum class LookupOutcome : std::uint8_t {
  answered,
  no_data,       ///< the name exists, without such records
  no_such_name,  ///< NXDOMAIN
  timed_out,
  server_failed,  ///< every server was unreachable, failed (SERVFAIL) or refused
  malformed,      ///< an answer that cannot be read; a name that cannot be asked for
  count_
};
const char* to_string(LookupOutcome outcome);

/// Says something about the name; else it only says something about the servers.
constexpr bool is_conclusive(LookupOutcome outcome) { return outcome <= LookupOutcome::no_such_name; }

struct DnsReply {
  LookupOutcome outcome = LookupOutcome::answered;
  std::chrono::seconds ttl{0};            ///< of answered
  std::vector<net::IpAddress> addresses;  ///< of answered A and AAAA: sorted, each once
  std::vector<dns::SrvRecord> services;   ///< of answered SRV: likewise
};

/// Asks DNS servers. Control thread only.
class Resolver {
 public:
  using Done = std::function<void(DnsReply)>;
  virtual ~Resolver() = default;
  /// `done` is called once, later, never from within this call; not after stop() or the end of this object, which may
  /// not come from a `done`.
  virtual void ask(const Question& question, Done done) = 0;
  virtual const SearchList& search() const = 0;
  /// Idempotent; may be called from a `done`.
  virtual void stop() = 0;
};

}  // namespace telltale::proxy
