#pragma once

#include "conf/endpoints_file.h"
#include "conf/model_service.h"
#include "proxy/discovery/followed_name.h"
#include "proxy/upstream/members.h"

#include <cstddef>
#include <functional>
#include <vector>

namespace telltale::proxy {

/// The names that the service and its file are to be followed by; ports do not matter.
std::vector<conf::DnsName> names_in(const conf::Service& service, const conf::EndpointsFile& file);

/// What a name stands for now; null: not known yet.
using FindAnswer = std::function<const Answer*(const conf::DnsName& name)>;

struct Substituted {
  Members members;
  std::size_t left_out = 0;  ///< addresses beyond max_addresses
};

/// Who serves: the nodes and endpoints of the service, then those of its file, with names replaced by what they stand
/// for: a copy of the node or endpoint for each address. A copy has the name that was configured; of an endpoint, where
/// there are several, `/ADDRESS` behind it, of SRV records `/ADDRESS:PORT`. Not so a node's: policies go by its name.
///
/// An SRV record's port is the copy's; its priority is added to the configured one. Its weight times the configured one
/// is shared by the addresses of its target: with targets of different numbers of addresses all weights of the name and
/// priority are raised until that comes out even. Weight 0 counts as 1; where others of that priority have more, those
/// count a hundredfold, for RFC 2782 gives such a record a very small chance.
///
/// An address that a name or the file brings although the service has it already (a node: with that NodePort) is left
/// out. A node that lists endpoints is left out while all of them are unknown: without any, its own port would serve.
///
/// Names bring max_addresses at most, those that come first in this order; a name's own addresses are sorted.
Substituted substitute(const conf::Service& service, const conf::EndpointsFile& file, const FindAnswer& find);

}  // namespace telltale::proxy
