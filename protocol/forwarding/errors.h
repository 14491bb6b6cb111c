#pragma once

#include "protocol/forwarding/client_address.h"

#include <boost/system/error_code.hpp>

namespace telltale::forwarding {

/// Why a request was refused for its forwarding header. Values of error_category(); the client is answered 400.
enum class Error {
  not_an_address = 1,  ///< with `on_invalid: reject`
  malformed,           ///< likewise
  list_too_long,       ///< more than max_list_entries, or max_list_octets
};
const boost::system::error_category& error_category();
boost::system::error_code make_error_code(Error error);

/// For a result that resolve_client_address() did not call ok.
boost::system::error_code error_of(const ClientAddress& client);

}  // namespace telltale::forwarding
