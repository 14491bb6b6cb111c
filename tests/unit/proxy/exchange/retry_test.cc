#include "proxy/exchange/retry.h"

#include "protocol/http1/parser.h"
#include "proxy/net/tls_error.h"
#include "proxy/net/transparent_source.h"

#include <boost/asio/error.hpp>
#include <gtest/gtest.h>
#include <openssl/x509_vfy.h>

namespace telltale::proxy {
namespace {

namespace errc = boost::system::errc;
using enum TryEnd;

TEST(TryEnd, IsToldByTheFailure) {
  const auto code = [](errc::errc_t value) { return make_error_code(value); };
  const struct {
    const char* description;
    Failure failure;
    bool response_began;
    TryEnd end;
  } rows[] = {
      {"refused", {code(errc::connection_refused), Side::upstream, Phase::connect}, false, connect_failure},
      {"no answer to the SYN", {code(errc::timed_out), Side::upstream, Phase::connect}, false, connect_failure},
      {"not believed",
       {tls_verify_error(X509_V_ERR_CERT_HAS_EXPIRED), Side::upstream, Phase::handshake},
       false,
       connect_failure},
      {"no end of the handshake", {code(errc::timed_out), Side::upstream, Phase::handshake}, false, connect_failure},
      {"no port left", {code(errc::address_not_available), Side::upstream, Phase::connect}, false, connect_failure},
      {"another family", {SourceError::other_family, Side::upstream, Phase::connect}, false, connect_failure},
      {"the whole time over while connecting",
       {code(errc::timed_out), Side::upstream, Phase::connect, Reason::total_timeout},
       false,
       other},
      {"ended while connecting", {boost::asio::error::operation_aborted, Side::upstream, Phase::connect}, false, other},
      {"reset under the request", {code(errc::broken_pipe), Side::upstream, Phase::request_write}, false, reset},
      {"closed before a response", {boost::asio::error::eof, Side::upstream, Phase::response_head}, false, reset},
      {"reset before a response", {code(errc::connection_reset), Side::upstream, Phase::response_head}, false, reset},
      {"closed within a head", {boost::asio::error::eof, Side::upstream, Phase::response_head}, true, other},
      {"no head in time", {code(errc::timed_out), Side::upstream, Phase::response_head}, false, timeout},
      {"half a head in time", {code(errc::timed_out), Side::upstream, Phase::response_head}, true, timeout},
      {"a try's time over",
       {code(errc::timed_out), Side::upstream, Phase::response_head, Reason::per_try_timeout},
       false,
       timeout},
      {"the whole time over",
       {code(errc::timed_out), Side::upstream, Phase::response_head, Reason::total_timeout},
       false,
       other},
      {"not HTTP", {http1::Error::malformed, Side::upstream, Phase::response_head}, true, other},
      {"nobody to choose", {{}, Side::proxy, Phase::pick}, false, other},
      {"waited in vain", {{}, Side::proxy, Phase::pick, Reason::pending_timeout}, false, other},
      {"the client went", {code(errc::connection_reset), Side::downstream, Phase::request_body}, false, other},
      {"no failure", {}, false, other},
  };
  for (const auto& row : rows) EXPECT_EQ(end_of_try(row.failure, row.response_began), row.end) << row.description;
}

conf::Retries on(bool connect, bool reset_too, bool timeout_too, unsigned attempts = 1) {
  conf::Retries retries;
  retries.connect_failure = connect;
  retries.reset = reset_too;
  retries.timeout = timeout_too;
  retries.attempts = attempts;
  return retries;
}

TEST(Retry, IsMadeWhereThePolicySaysSoAndItDoesNoHarm) {
  const conf::Retries all = on(true, true, true), none = on(false, false, false);
  const struct {
    const char* description;
    conf::Retries retries;
    Attempt attempt;
    bool again;
  } rows[] = {
      {"a failed connect", all, {.end = connect_failure}, true},
      {"whatever the method: nothing was sent", all, {.end = connect_failure, .replayable = false}, true},
      {"not where it is not asked for", none, {.end = connect_failure}, false},
      {"not at the same endpoint at once", all, {.end = connect_failure, .other_endpoint = false}, false},
      {"a reset", all, {.end = reset, .replayable = true}, true},
      {"at the same endpoint if there is no other",
       all,
       {.end = reset, .replayable = true, .other_endpoint = false},
       true},
      {"not of a POST, or a body that has begun", all, {.end = reset}, false},
      {"not where it is not asked for", on(true, false, true), {.end = reset, .replayable = true}, false},
      {"a timeout", all, {.end = timeout, .replayable = true}, true},
      {"not of a POST", all, {.end = timeout}, false},
      {"not where it is not asked for", on(true, true, false), {.end = timeout, .replayable = true}, false},
      {"a listed status", none, {.end = status, .replayable = true}, true},
      {"not of a POST", none, {.end = status}, false},
      {"not once a 1xx has gone to the client", all, {.end = reset, .replayable = true, .answered = true}, false},
      {"not after a 1xx, be it a connect", all, {.end = connect_failure, .answered = true}, false},
      {"nothing else", all, {.end = other, .replayable = true}, false},
      {"no more than the attempts", all, {.end = connect_failure, .retries = 1}, false},
      {"the third of three", on(true, true, true, 3), {.end = connect_failure, .retries = 2}, true},
      {"never a fourth", on(true, true, true, 9), {.end = connect_failure, .retries = 3}, false},
      {"none at all", on(true, true, true, 0), {.end = connect_failure}, false},
  };
  for (const auto& row : rows) EXPECT_EQ(may_retry(row.retries, row.attempt), row.again) << row.description;
}

TEST(Retry, StatusesAreRanges) {
  const std::vector<conf::StatusRange> ranges = {{502, 504}, {429, 429}};
  for (const unsigned listed : {502u, 503u, 504u, 429u}) EXPECT_TRUE(is_listed(ranges, listed)) << listed;
  for (const unsigned other : {501u, 505u, 428u, 200u, 0u}) EXPECT_FALSE(is_listed(ranges, other)) << other;
  EXPECT_FALSE(is_listed({}, 503));
}

}  // namespace
}  // namespace telltale::proxy
