#include "proxy/exchange/failure.h"

#include "protocol/forwarding/errors.h"
#include "protocol/http1/parser.h"
#include "proxy/net/tls_error.h"
#include "proxy/net/transparent_source.h"

#include <boost/asio/error.hpp>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <fstream>
#include <map>
#include <set>
#include <string>

namespace telltale::proxy {
namespace {

namespace errc = boost::system::errc;
using boost::system::error_code;

error_code code(errc::errc_t value) { return make_error_code(value); }
/// What the peer said.
error_code alert(int description) {
  const unsigned long value = ERR_PACK(ERR_LIB_SSL, 0, SSL_AD_REASON_OFFSET + description);
  return {static_cast<int>(value), tls_category()};
}

TEST(FailureStatus, IsTheOneTheSideAndPhaseCallFor) {
  const struct {
    const char* description;
    Failure failure;
    unsigned status;
  } rows[] = {
      {"a malformed head", {http1::Error::malformed, Side::downstream, Phase::request_head}, 400},
      {"a head too large", {http1::Error::head_too_large, Side::downstream, Phase::request_head}, 431},
      {"a target too long", {http1::Error::target_too_long, Side::downstream, Phase::request_head}, 414},
      {"an unknown version", {http1::Error::bad_version, Side::downstream, Phase::request_head}, 505},
      {"a bad chunk", {http1::Error::bad_chunk, Side::downstream, Phase::request_body}, 400},
      {"a head that does not come", {boost::asio::error::timed_out, Side::downstream, Phase::request_head}, 408},
      {"a body that stops", {code(errc::timed_out), Side::downstream, Phase::request_body}, 408},
      {"a body over the limit", {code(errc::message_size), Side::downstream, Phase::request_body}, 413},
      {"a client that went away", {code(errc::connection_reset), Side::downstream, Phase::request_body}, 400},
      {"an end within the body", {boost::asio::error::eof, Side::downstream, Phase::request_body}, 400},
      {"nobody to send it to", {{}, Side::upstream, Phase::pick}, 503},
      {"nobody to send it to, seen as ours", {{}, Side::proxy, Phase::pick}, 503},
      {"connection refused", {code(errc::connection_refused), Side::upstream, Phase::connect}, 502},
      {"connection timed out", {code(errc::timed_out), Side::upstream, Phase::connect}, 504},
      {"no local port left", {code(errc::address_not_available), Side::upstream, Phase::connect}, 503},
      {"no descriptor left", {code(errc::too_many_files_open), Side::upstream, Phase::connect}, 503},
      {"reset while writing", {code(errc::connection_reset), Side::upstream, Phase::request_write}, 502},
      {"no response in time", {code(errc::timed_out), Side::upstream, Phase::response_head}, 504},
      {"closed before the response", {boost::asio::error::eof, Side::upstream, Phase::response_head}, 502},
      {"a malformed response: its parser's status is not for the client",
       {http1::Error::head_too_large, Side::upstream, Phase::response_head},
       502},
      {"no route", {{}, Side::proxy, Phase::routing}, 404},
      {"out of memory for buffers", {code(errc::no_buffer_space), Side::proxy, Phase::connect}, 503},
      {"our own fault", {code(errc::invalid_argument), Side::proxy, Phase::request_head}, 500},
      {"no failure at all", {}, 500},
  };
  for (const auto& row : rows) EXPECT_EQ(status_for(row.failure), row.status) << row.description;
}

TEST(FailureReason, IsToldByWhatHappenedUnlessItIsGiven) {
  const struct {
    const char* description;
    Failure failure;
    const char* reason;
  } rows[] = {
      {"a malformed head", {http1::Error::malformed, Side::downstream, Phase::request_head}, "bad_request"},
      {"a header field not believed",
       {forwarding::make_error_code(forwarding::Error::list_too_long), Side::downstream, Phase::request_head},
       "bad_request"},
      {"a bad chunk", {http1::Error::bad_chunk, Side::downstream, Phase::request_body}, "bad_request"},
      {"a late head", {code(errc::timed_out), Side::downstream, Phase::request_head}, "header_timeout"},
      {"a late body", {code(errc::timed_out), Side::downstream, Phase::request_body}, "body_timeout"},
      {"a response not taken", {code(errc::timed_out), Side::downstream, Phase::response_write}, "client_timeout"},
      {"a large body", {code(errc::message_size), Side::downstream, Phase::request_body}, "body_too_large"},
      {"a body cut", {boost::asio::error::eof, Side::downstream, Phase::request_body}, "client_closed"},
      {"a client gone", {code(errc::connection_reset), Side::downstream, Phase::response_write}, "client_closed"},
      {"a client gone while waiting", {code(errc::broken_pipe), Side::downstream, Phase::pick}, "client_closed"},
      {"no route", {{}, Side::proxy, Phase::routing}, "no_route"},
      {"no endpoint", {code(errc::host_unreachable), Side::proxy, Phase::pick}, "no_endpoint"},
      {"a reason of its own", {{}, Side::proxy, Phase::pick, Reason::max_requests}, "max_requests"},
      {"a PROXY header too long",
       {code(errc::message_size), Side::proxy, Phase::request_write},
       "proxy_header_too_long"},
      {"refused", {code(errc::connection_refused), Side::upstream, Phase::connect}, "connect_refused"},
      {"not accepted in time", {code(errc::timed_out), Side::upstream, Phase::connect}, "connect_timeout"},
      {"no way there", {code(errc::network_unreachable), Side::upstream, Phase::connect}, "connect_failed"},
      {"no descriptor", {code(errc::too_many_files_open), Side::upstream, Phase::connect}, "no_resources"},
      {"no port", {code(errc::address_not_available), Side::upstream, Phase::connect}, "no_resources"},
      {"another family", {SourceError::other_family, Side::upstream, Phase::connect}, "no_source_address"},
      {"a certificate that has expired",
       {tls_verify_error(X509_V_ERR_CERT_HAS_EXPIRED), Side::upstream, Phase::handshake},
       "tls_verify_failed"},
      {"a protocol that is not ours", {tls_wrong_protocol(), Side::upstream, Phase::handshake}, "tls_handshake_failed"},
      {"closed in the handshake", {boost::asio::error::eof, Side::upstream, Phase::handshake}, "tls_handshake_failed"},
      {"a reset in the handshake",
       {code(errc::connection_reset), Side::upstream, Phase::handshake},
       "tls_handshake_failed"},
      {"a handshake that does not end", {code(errc::timed_out), Side::upstream, Phase::handshake}, "connect_timeout"},
      {"no memory in the handshake", {code(errc::not_enough_memory), Side::upstream, Phase::handshake}, "no_resources"},
      {"our certificate is refused",
       {alert(SSL_AD_UNKNOWN_CA), Side::upstream, Phase::response_head},
       "tls_handshake_failed"},
      {"another alert", {alert(SSL_AD_INTERNAL_ERROR), Side::upstream, Phase::response_head}, "upstream_reset"},
      {"cut without a close_notify", {tls_truncated(), Side::upstream, Phase::response_body}, "upstream_closed"},
      {"a reset", {code(errc::connection_reset), Side::upstream, Phase::response_head}, "upstream_reset"},
      {"a broken pipe", {code(errc::broken_pipe), Side::upstream, Phase::request_write}, "upstream_reset"},
      {"closed", {boost::asio::error::eof, Side::upstream, Phase::response_head}, "upstream_closed"},
      {"closed within the body", {boost::asio::error::eof, Side::upstream, Phase::response_body}, "upstream_closed"},
      {"not HTTP", {http1::Error::malformed, Side::upstream, Phase::response_head}, "bad_response"},
      {"too many 1xx", {code(errc::protocol_error), Side::upstream, Phase::response_head}, "bad_response"},
      {"no head", {code(errc::timed_out), Side::upstream, Phase::response_head}, "response_timeout"},
      {"no more of a body", {code(errc::timed_out), Side::upstream, Phase::response_body}, "idle_timeout"},
      {"we end", {boost::asio::error::operation_aborted, Side::upstream, Phase::response_body}, "shutdown"},
      {"our fault", {code(errc::invalid_argument), Side::proxy, Phase::request_head}, "internal"},
      {"no failure", {}, ""},
  };
  for (const auto& row : rows) EXPECT_EQ(to_string(reason_of(row.failure)), row.reason) << row.description;
}

/// What ejection counts. The upstream side has every reason here, also those that it never has.
TEST(EndpointsFault, IsTheEndpointsAloneByEveryReason) {
  const std::map<Reason, bool> of_the_endpoint = {
      {Reason::bad_request, false},
      {Reason::header_timeout, false},
      {Reason::body_timeout, false},
      {Reason::body_too_large, false},
      {Reason::client_closed, false},
      {Reason::client_timeout, false},
      {Reason::no_route, false},
      {Reason::no_endpoint, false},
      {Reason::no_local_endpoint, false},
      {Reason::max_requests, false},
      {Reason::max_pending, false},
      {Reason::pending_timeout, false},
      {Reason::no_resources, false},
      {Reason::no_source_address, false},
      {Reason::proxy_header_too_long, false},
      {Reason::connect_refused, true},
      {Reason::connect_timeout, true},
      {Reason::connect_failed, true},
      {Reason::tls_verify_failed, true},
      {Reason::tls_handshake_failed, true},
      {Reason::per_try_timeout, true},
      {Reason::response_timeout, true},
      {Reason::idle_timeout, false},
      {Reason::total_timeout, false},
      {Reason::upstream_reset, true},
      {Reason::upstream_closed, true},
      {Reason::bad_response, true},
      {Reason::bad_status, false},
      {Reason::shutdown, false},
      {Reason::internal, false},
  };
  EXPECT_EQ(of_the_endpoint.size(), reason_count - 1);
  for (const auto& [reason, expected] : of_the_endpoint) {
    EXPECT_EQ(is_endpoints_fault({{}, Side::upstream, Phase::response_head, reason}, {}), expected)
        << to_string(reason);
    for (const Side side : {Side::none, Side::downstream, Side::proxy}) {
      EXPECT_FALSE(is_endpoints_fault({{}, side, Phase::response_head, reason}, {}))
          << to_string(reason) << ", " << to_string(side);
    }
  }
}

TEST(EndpointsFault, DependsOnHowTheTryWent) {
  constexpr TryFacts usual, at_once{.at_once = true}, reused{.reused = true};
  constexpr TryFacts answered{.answered = true}, reused_and_answered{.reused = true, .answered = true};
  constexpr TryFacts delayed{.client_delayed = true}, answered_and_delayed{.answered = true, .client_delayed = true};
  const auto connect = [](errc::errc_t value) { return Failure{code(value), Side::upstream, Phase::connect}; };
  const auto head = [](error_code error) { return Failure{error, Side::upstream, Phase::response_head}; };
  const Failure reset = head(code(errc::connection_reset)), closed = head(boost::asio::error::eof);
  const Failure cut{code(errc::connection_reset), Side::upstream, Phase::response_body};
  const struct {
    const char* description;
    Failure failure;
    TryFacts facts;
    bool expected;
  } rows[] = {
      {"nothing went wrong", {}, usual, false},
      {"refused by the network", connect(errc::connection_refused), usual, true},
      {"no server at a Unix socket", connect(errc::connection_refused), at_once, true},
      {"no Unix socket there", connect(errc::no_such_file_or_directory), at_once, true},
      {"a Unix socket's queue full", connect(errc::resource_unavailable_try_again), at_once, true},
      {"no answer to the SYN", connect(errc::timed_out), usual, true},
      {"no route to it, says a router", connect(errc::network_unreachable), usual, true},
      {"its host is gone, says a router", connect(errc::host_unreachable), usual, true},
      {"no route to it from here", connect(errc::network_unreachable), at_once, false},
      {"a route of this host that leads nowhere", connect(errc::host_unreachable), at_once, false},
      {"a policy of this host", connect(errc::permission_denied), at_once, false},
      {"a filter of this host", connect(errc::operation_not_permitted), at_once, false},
      {"this host has no IPv6", connect(errc::address_family_not_supported), at_once, false},
      {"no port left", connect(errc::address_not_available), at_once, false},
      {"no descriptor left", connect(errc::too_many_files_open), at_once, false},
      {"no buffer left", connect(errc::no_buffer_space), usual, false},
      {"the client's address is of another family",
       {SourceError::other_family, Side::upstream, Phase::connect},
       at_once,
       false},
      {"the end of us while connecting",
       {boost::asio::error::operation_aborted, Side::upstream, Phase::connect},
       usual,
       false},
      {"reset before an answer", reset, usual, true},
      {"closed before an answer", closed, usual, true},
      {"a pooled connection that had ended", reset, reused, false},
      {"a pooled connection that had been closed", closed, reused, false},
      {"a broken pipe on a pooled one", {code(errc::broken_pipe), Side::upstream, Phase::request_write}, reused, false},
      {"reset within a head", reset, answered, true},
      {"reset within a head, on a pooled connection", reset, reused_and_answered, true},
      {"tired of a client that is slow with its request", closed, delayed, false},
      {"the same, after a 100", closed, answered_and_delayed, false},
      {"a response cut", cut, answered, true},
      {"a response cut that its client was slow to take", cut, answered_and_delayed, false},
      {"no head in time", head(code(errc::timed_out)), usual, true},
      {"no head in time, on a pooled connection", head(code(errc::timed_out)), reused, true},
      {"not HTTP", head(http1::Error::malformed), reused_and_answered, true},
      {"no progress", {code(errc::timed_out), Side::upstream, Phase::response_body}, answered, false},
      {"the client left", {code(errc::connection_reset), Side::downstream, Phase::request_body}, usual, false},
  };
  for (const auto& row : rows) EXPECT_EQ(is_endpoints_fault(row.failure, row.facts), row.expected) << row.description;
}

TEST(FailureReason, HasADescriptionForPeople) {
  EXPECT_EQ(describe({code(errc::connection_refused), Side::upstream, Phase::connect}), "Connection refused");
  EXPECT_EQ(describe({tls_verify_error(X509_V_ERR_CERT_HAS_EXPIRED), Side::upstream, Phase::handshake}),
            "certificate verify failed: certificate has expired");
  EXPECT_EQ(describe({tls_wrong_protocol(), Side::upstream, Phase::handshake}),
            "the protocol that the peer chose (ALPN) is not HTTP/1.1");
  EXPECT_EQ(describe({{}, Side::proxy, Phase::pick, Reason::max_requests}), "max_requests");
  EXPECT_EQ(describe({}), "");
}

/// The table under "Reasons" in proxy/README.md has each of them, with its status.
TEST(FailureReason, EveryOneIsInTheReadmeWithItsStatus) {
  std::ifstream file(TELLTALE_SOURCE_DIR "/proxy/README.md");
  std::map<std::string, std::string> listed;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) inside = line == "## Reasons";
    if (!inside || !line.starts_with("| `")) continue;
    const auto name_end = line.find('`', 3);
    const auto status = line.find("| ", name_end) + 2;
    listed[line.substr(3, name_end - 3)] = line.substr(status, line.find(' ', status) - status);
  }
  EXPECT_EQ(listed.size(), reason_count - 1);
  for (std::size_t i = 1; i < reason_count; ++i) {
    const auto reason = static_cast<Reason>(i);
    const auto found = listed.find(std::string(to_string(reason)));
    ASSERT_NE(found, listed.end()) << to_string(reason);
    // Of those that come with a response under way, or with no client, the table says so.
    if (found->second == "cut" || found->second == "–" || reason == Reason::bad_request) continue;
    EXPECT_EQ(found->second, std::to_string(status_for({{}, Side::proxy, Phase::none, reason}))) << found->first;
  }
}

TEST(Failure, IsTrueOnlyWithASide) {
  EXPECT_FALSE(Failure{});
  EXPECT_TRUE((Failure{{}, Side::upstream, Phase::pick}));
}

TEST(Failure, EveryNameIsItsOwn) {
  std::set<std::string_view> phases;
  for (int i = 0; i <= static_cast<int>(Phase::response_write); ++i) phases.insert(to_string(static_cast<Phase>(i)));
  EXPECT_EQ(phases.size(), 12u);
  EXPECT_EQ(to_string(Phase::response_write), "response_write");
  EXPECT_EQ(to_string(Phase::proxy_header), "proxy_header");
  EXPECT_EQ(to_string(Side::none), "none");
  EXPECT_EQ(to_string(Side::downstream), "downstream");
  EXPECT_EQ(to_string(Side::upstream), "upstream");
  EXPECT_EQ(to_string(Side::proxy), "proxy");
  EXPECT_EQ(to_string(static_cast<Side>(200)), "none");
  EXPECT_EQ(to_string(static_cast<Phase>(200)), "none");
}

}  // namespace
}  // namespace telltale::proxy
