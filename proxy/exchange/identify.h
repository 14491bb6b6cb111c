#pragma once

#include "conf/model.h"
#include "protocol/forwarding/client_address.h"
#include "protocol/http1/head.h"

#include <boost/system/error_code.hpp>

namespace telltale::proxy {

/// Works out who the client of a request is, into `client`. An error: its head says something about identity for which
/// it is to be answered 400.
boost::system::error_code identify_client(const conf::Listener& listener, const forwarding::PeerInfo& peer,
                                          const http1::RequestHead& request, forwarding::ClientAddress& client);

}  // namespace telltale::proxy
