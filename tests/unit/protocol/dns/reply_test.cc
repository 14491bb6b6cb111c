#include "protocol/dns/reply.h"

#include "tests/unit/protocol/dns/message_builder.h"

#include <gtest/gtest.h>

namespace telltale::dns {
namespace {

using Builder = test::MessageBuilder;
using namespace std::string_literals;

constexpr unsigned a = 1, cname = 5, txt = 16, aaaa = 28, srv = 33;

const std::string ip1 = "\x0a\0\0\x01"s, ip2 = "\x0a\0\0\x02"s;
const std::string ip6 = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01";

Builder asked(std::string_view name, unsigned type, unsigned rcode = 0) {
  return std::move(Builder(rcode).question(name, type));
}

/// `10.0.0.1 10.0.0.2 ttl 30`, `1/2/80/host ttl 5`, `rcode 3`.
std::string told(const std::string& message, RecordType type) {
  const auto reply = parse_reply(test::octets(message), type);
  if (!reply) return "malformed";
  std::string text;
  for (const auto& address : reply->addresses) text += address.to_string() + " ";
  for (const auto& each : reply->services) {
    text += std::to_string(each.priority) + "/" + std::to_string(each.weight) + "/" + std::to_string(each.port) + "/" +
            each.target + " ";
  }
  if (reply->rcode != 0) return text + "rcode " + std::to_string(reply->rcode);
  return text + "ttl " + std::to_string(reply->ttl_seconds);
}

struct Case {
  const char* description;
  std::string message;
  RecordType type;
  std::string expected;
};

const Case cases[] = {
    {"one address", asked("shop.test", a).answer(a, 30, ip1).text(), RecordType::a, "10.0.0.1 ttl 30"},
    {"several: sorted, the least TTL", asked("shop.test", a).answer(a, 30, ip2).answer(a, 20, ip1).text(),
     RecordType::a, "10.0.0.1 10.0.0.2 ttl 20"},
    {"an address twice is one", asked("shop.test", a).answer(a, 30, ip1).answer(a, 30, ip1).text(), RecordType::a,
     "10.0.0.1 ttl 30"},
    {"IPv6", asked("shop.test", aaaa).answer(aaaa, 30, ip6).text(), RecordType::aaaa, "2001:db8::1 ttl 30"},
    {"an alias: its TTL counts",
     asked("shop.test", a)
         .answer(cname, 7, Builder::name("web.test"))
         .answer(a, 30, ip1, Builder::name("web.test"))
         .text(),
     RecordType::a, "10.0.0.1 ttl 7"},
    {"an alias without an address", asked("shop.test", a).answer(cname, 7, Builder::name("web.test")).text(),
     RecordType::a, "ttl 0"},
    {"records of other types and classes are passed over",
     asked("shop.test", a)
         .answer(txt, 1, "\x03xyz")
         .answer(a, 1, ip2, Builder::pointer(12), 3)
         .answer(a, 30, ip1)
         .text(),
     RecordType::a, "10.0.0.1 ttl 30"},
    {"a TTL with the first bit set is 0 (RFC 2181 8)", asked("shop.test", a).answer(a, 0x80000001, ip1).text(),
     RecordType::a, "10.0.0.1 ttl 0"},
    {"no such name", asked("shop.test", a, 3).text(), RecordType::a, "rcode 3"},
    {"no question, as some answer", Builder().answer(a, 30, ip1, Builder::name("")).text(), RecordType::a,
     "10.0.0.1 ttl 30"},
    {"SRV", asked("_http._tcp.test", srv).answer(srv, 9, Builder::srv(1, 2, 80, Builder::name("Web-1.Test"))).text(),
     RecordType::srv, "1/2/80/web-1.test ttl 9"},
    {"SRV: the target may point backwards",
     asked("_http._tcp.test", srv)
         .answer(srv, 9, Builder::srv(1, 2, 80, Builder::name("web", Builder::pointer(23))))
         .text(),
     RecordType::srv, "1/2/80/web.test ttl 9"},
    {"SRV: the root says that there is no such service",
     asked("_http._tcp.test", srv).answer(srv, 9, Builder::srv(0, 0, 0, Builder::name(""))).text(), RecordType::srv,
     "0/0/0/ ttl 9"},
    {"SRV: sorted",
     asked("_http._tcp.test", srv)
         .answer(srv, 9, Builder::srv(2, 0, 80, Builder::name("b")))
         .answer(srv, 8, Builder::srv(1, 5, 80, Builder::name("c")))
         .text(),
     RecordType::srv, "1/5/80/c 2/0/80/b ttl 8"},

    {"a question is not an answer", Builder(0, 0x0100).question("shop.test", a).text(), RecordType::a, "malformed"},
    {"an address of another size", asked("shop.test", a).answer(a, 30, "\x0a\0\0"s).text(), RecordType::a, "malformed"},
    {"an IPv6 address as A", asked("shop.test", a).answer(a, 30, ip6).text(), RecordType::a, "malformed"},
    {"more answers announced than there are", asked("shop.test", a).answer(a, 30, ip1).more_answers(1).text(),
     RecordType::a, "malformed"},
    {"a pointer to itself",
     asked("t", srv).answer(srv, 9, Builder::srv(1, 2, 80, Builder::pointer(12 + 7 + 12 + 6))).text(), RecordType::srv,
     "malformed"},
    {"a pointer ahead", asked("t", srv).answer(srv, 9, Builder::srv(1, 2, 80, Builder::pointer(60))).text() + "\0"s,
     RecordType::srv, "malformed"},
    {"a label of a reserved kind", asked("t", srv).answer(srv, 9, Builder::srv(1, 2, 80, "\x41x\0"s)).text(),
     RecordType::srv, "malformed"},
    {"a dot within a label would be another name",
     asked("t", srv).answer(srv, 9, Builder::srv(1, 2, 80, "\x03"s + "a.b\0"s)).text(), RecordType::srv, "malformed"},
    {"a target shorter than its record says",
     asked("t", srv).answer(srv, 9, Builder::srv(1, 2, 80, Builder::name("a")) + "x").text(), RecordType::srv,
     "malformed"},
    {"a target longer than its record says",
     asked("t", srv).answer(srv, 9, Builder::srv(1, 2, 80, "\x01")).text() + "a\0"s, RecordType::srv, "malformed"},
};

TEST(DnsReply, Table) {
  for (const Case& each : cases) EXPECT_EQ(told(each.message, each.type), each.expected) << each.description;
}

TEST(DnsReply, NamesHaveAnEnd) {
  std::string name;
  for (int i = 0; i < 5; ++i) name += std::string(60, 'x') + ".";
  const auto message = asked("t", srv).answer(srv, 9, Builder::srv(1, 2, 80, Builder::name(name))).text();
  EXPECT_EQ(told(message, RecordType::srv), "malformed");
}

/// A pointer to a pointer to a pointer …: each leads backwards, so it ends.
TEST(DnsReply, ChainsOfPointersEnd) {
  auto message = asked("t", srv);
  unsigned at = 12 + 7, target = 12;
  for (int i = 0; i < 200; ++i) {
    message.answer(srv, 9, Builder::srv(1, 2, 80, Builder::pointer(target)));
    target = at + 12 + 6;
    at += 12 + 8;
  }
  EXPECT_EQ(told(message.text(), RecordType::srv), "1/2/80/t ttl 9");
}

TEST(DnsReply, CutAnywhereIsMalformed) {
  for (const Case& each : cases) {
    if (each.expected == "malformed") continue;
    for (std::size_t size = 0; size < each.message.size(); ++size) {
      EXPECT_EQ(told(each.message.substr(0, size), each.type), "malformed") << each.description << " at " << size;
    }
  }
}

}  // namespace
}  // namespace telltale::dns
