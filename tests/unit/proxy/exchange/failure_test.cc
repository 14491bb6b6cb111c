#include "proxy/exchange/failure.h"

#include "protocol/http1/parser.h"

#include <boost/asio/error.hpp>
#include <gtest/gtest.h>

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
      {"connection refused", {code(errc::connection_refused), Side::upstream, Phase::connect, true}, 502},
      {"connection timed out", {code(errc::timed_out), Side::upstream, Phase::connect, true}, 504},
      {"no local port left", {code(errc::address_not_available), Side::upstream, Phase::connect, true}, 503},
      {"no descriptor left", {code(errc::too_many_files_open), Side::upstream, Phase::connect, true}, 503},
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
