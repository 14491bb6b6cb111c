#include "proxy/exchange/failure.h"

#include "protocol/forwarding/errors.h"
#include "protocol/http1/parser.h"
#include "proxy/net/transparent_source.h"

#include <boost/asio/error.hpp>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <string>

namespace telltale::proxy {
namespace {

namespace errc = boost::system::errc;
using boost::system::error_code;

error_code code(errc::errc_t value) { return make_error_code(value); }

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

TEST(FailureReason, HasADescriptionForPeople) {
  EXPECT_EQ(describe({code(errc::connection_refused), Side::upstream, Phase::connect}), "Connection refused");
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
  EXPECT_EQ(phases.size(), 11u);
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
