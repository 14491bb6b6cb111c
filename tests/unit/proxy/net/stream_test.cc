#include "proxy/net/stream.h"

#include "tests/unit/proxy/net/socket_pair.h"

#include <boost/asio/error.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>

namespace telltale::proxy {
namespace {

TEST(Stream, PutBackOctetsComeFirstAndAreTakenBackWithoutACopy) {
  EventLoop loop;
  SocketPair pair(loop);
  pair.send("head body");
  run_until(loop, [&] { return pair.stream.descriptor().readable(); });
  auto got = pair.stream.read();
  pair.stream.unread(got.octets.substr(5));
  EXPECT_TRUE(pair.stream.has_unread());
  got = pair.stream.read(2);
  EXPECT_EQ(got.octets, "bo");
  pair.stream.unread(got.octets.substr(1));
  got = pair.stream.read();
  EXPECT_EQ(got.octets, "ody");
  EXPECT_EQ(pair.stream.read().error, boost::asio::error::would_block);
}

/// Two ends of one TCP connection over loopback, both blocking.
struct TcpPair {
  TcpPair() {
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener.get(), raw, size), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener.get(), raw, &size), 0);
    peer = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(peer.get(), raw, size), 0);
    own = UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  UniqueFd own, peer;
};

/// The kernel's tcp_info, of which libc knows the beginning.
struct TcpInfo {
  tcp_info known;
  std::uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
  std::uint32_t segs_out, segs_in;
};

std::uint32_t segments_in(int fd) {
  TcpInfo info{};
  socklen_t size = sizeof info;
  EXPECT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
  return info.segs_in;
}

/// How many segments bring "bye" and the end.
std::uint32_t segments_of_a_goodbye(Stream::Next next) {
  EventLoop loop;
  TcpPair pair;
  const std::uint32_t before = segments_in(pair.peer.get());
  Stream stream(Descriptor::open(loop, std::move(pair.own), Descriptor::Initially::ready));
  EXPECT_EQ(stream.write("bye", next).size, 3u);
  stream.close();
  char octets[4];
  EXPECT_EQ(::recv(pair.peer.get(), octets, 3, MSG_WAITALL), 3);
  EXPECT_EQ(std::string_view(octets, 3), "bye");
  EXPECT_EQ(::recv(pair.peer.get(), octets, 1, 0), 0);
  return segments_in(pair.peer.get()) - before;
}

TEST(Stream, EndThatComesAtOnceSharesTheLastSegment) {
  EXPECT_EQ(segments_of_a_goodbye(Stream::Next::whenever), 2u);
  // The kernel waits 200 ms for what comes behind: a machine that stalls for so long between the two calls may do it
  // again.
  std::uint32_t segments = 0;
  for (int tries = 0; tries < 5 && segments != 1; ++tries) segments = segments_of_a_goodbye(Stream::Next::at_once);
  EXPECT_EQ(segments, 1u);
}

}  // namespace
}  // namespace telltale::proxy
