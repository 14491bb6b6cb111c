#include "proxy/health/probe_connection.h"

#include <boost/asio/error.hpp>
#include <gtest/gtest.h>

#include <cerrno>

namespace telltale::proxy {
namespace {

using boost::system::error_code;

TEST(ProbeConnection, TellsWhatIsOurFaultFromWhatTheTargetOrARouterSaid) {
  struct Case {
    int error;
    bool at_once, later;  // as connect() returns it, and as it comes from then on
  };
  const Case cases[] = {
      {EMFILE, true, true},
      {ENFILE, true, true},
      {ENOBUFS, true, true},
      {ENOMEM, true, true},
      {ENOSPC, true, true},
      {EADDRNOTAVAIL, true, true},
      {EAFNOSUPPORT, true, true},
      // A route or a filter of our own, or an ICMPv6 "administratively prohibited" from elsewhere.
      {EACCES, true, false},
      {EPERM, true, false},
      {ECONNREFUSED, false, false},
      {ECONNRESET, false, false},
      {EHOSTUNREACH, false, false},
      {ENETUNREACH, false, false},
      {ENOPROTOOPT, false, false},
      {ETIMEDOUT, false, false},
      {ENOENT, false, false},
  };
  for (const Case& c : cases) {
    const error_code error(c.error, boost::system::system_category());
    EXPECT_EQ(is_own_fault(error, true), c.at_once) << error.message();
    EXPECT_EQ(is_own_fault(error, false), c.later) << error.message();
  }
  EXPECT_FALSE(is_own_fault(boost::asio::error::eof, true)) << "of another category, whatever its number";
  EXPECT_FALSE(is_own_fault(error_code(EMFILE, boost::system::generic_category()), true));
}

}  // namespace
}  // namespace telltale::proxy
