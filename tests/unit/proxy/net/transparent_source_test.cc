#include "proxy/net/transparent_source.h"

#include "proxy/net/socket_address.h"
#include "proxy/net/stream.h"

#include <gtest/gtest.h>

#include <netinet/in.h>

namespace telltale::proxy {
namespace {

conf::Address at(std::string_view text) { return {*net::parse_ip_port(text), {}}; }

TEST(TransparentSource, RefusesWhatCannotHaveTheClientsAddress) {
  EventLoop loop;
  const net::IpAddress v4 = net::IpAddress::v4(198, 51, 100, 7);
  const net::IpAddress v6 = *net::IpAddress::parse("2001:db8::7");
  struct Case {
    const char* what;
    conf::Address endpoint;
    const net::IpAddress* source;
    SourceError error;
  };
  const Case cases[] = {
      {"an IPv6 client and an IPv4 endpoint", at("127.0.0.1:80"), &v6, SourceError::other_family},
      {"an IPv4 client and an IPv6 endpoint", at("[::1]:80"), &v4, SourceError::other_family},
      {"a Unix endpoint", {std::nullopt, "/run/web.sock"}, &v4, SourceError::unix_endpoint},
  };
  for (const Case& c : cases) {
    const Connecting connecting = start_connect(loop, c.endpoint, c.source);
    EXPECT_EQ(connecting.error, make_error_code(c.error)) << c.what;
    EXPECT_FALSE(connecting.stream.is_open()) << c.what;
    EXPECT_NE(connecting.error.message().find("source_address: transparent"), std::string::npos) << c.what;
  }
}

TEST(TransparentSource, BindsToAnAddressThatIsNotOurs) {
  if (const auto refused = try_transparent_source()) {
    // The refusal is what a process without the capability must see.
    EXPECT_EQ(refused, boost::system::errc::operation_not_permitted);
    GTEST_SKIP() << "this process may not bind transparently: " << refused.message() << "; run as root";
  }
  for (const char* text : {"198.51.100.7", "2001:db8::7"}) {
    const net::IpAddress source = *net::IpAddress::parse(text);
    const UniqueFd fd(::socket(source.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_TRUE(fd) << text;
    EXPECT_EQ(bind_transparently(fd.get(), source), boost::system::error_code()) << text;
    SocketAddress bound;
    ASSERT_EQ(::getsockname(fd.get(), bound.data(), bound.size_out()), 0);
    EXPECT_EQ(bound.ip_port(), (net::IpPort{source, 0})) << "the port is connect()'s to choose";
  }
}

}  // namespace
}  // namespace telltale::proxy
