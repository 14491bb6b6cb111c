#include "protocol/forwarding/identity_headers.h"
#include "protocol/forwarding/propagate.h"
#include "tests/unit/protocol/forwarding/propagate_support.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace telltale::forwarding {
namespace {

using namespace test;
using http::FieldId;

// What a request can carry to pretend an identity, with every name in its aliases too.
std::string every_identity_line() {
  std::string lines;
  for (auto i = static_cast<unsigned>(http::first_identity_field);
       i <= static_cast<unsigned>(http::last_identity_field); ++i) {
    std::string name(http::field_name(static_cast<FieldId>(i)));
    lines += name + ": 203.0.113.99\n";
    for (char& c : name) c = c == '-' ? '_' : c;
    lines += name + ": 203.0.113.98\n";
  }
  return lines +
         "X-Forwarded-Tls-Client-Cert: 203.0.113.97\nX-Acme-Client: 203.0.113.96\nx_acme_client: 203.0.113.95\n"
         "Accept: */*\nX_Other: y";
}

std::vector<std::string> names_in(std::string_view head) {
  std::vector<std::string> names;
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    names.emplace_back(line.substr(0, line.find(':')));
    head.remove_prefix(line.size() + 2);
  }
  return names;
}

TEST(Sanitising, NothingOfAnUntrustedHopLeaves) {
  HeaderTrust trusted = xff(private_net());
  trusted.extra_identity_names = {"x-acme-client"};
  EXPECT_EQ(sent({direct, trusted, every_identity_line()}, none()), "Accept: */*\r\nX_Other: y\r\n");
  trusted = single("x-acme-client", private_net());
  EXPECT_EQ(sent({direct, trusted, every_identity_line()}, none()), "Accept: */*\r\nX_Other: y\r\n")
      << "a configured name is identity too";
}

TEST(Sanitising, ATrustedHopKeepsTheConfiguredHeaderAndItsSiblings) {
  HeaderTrust trusted = single("cf-connecting-ip", private_net());
  trusted.extra_identity_names = {"X_Acme_Client"};
  EXPECT_EQ(sent({lb, trusted, every_identity_line()}, none()),
            "cf-connecting-ip: 203.0.113.99\r\nAccept: */*\r\nX_Other: y\r\nX-Forwarded-Host: 203.0.113.99\r\n");
  EXPECT_EQ(sent({lb, single("x-acme-client", private_net()), every_identity_line()}, none()),
            "X-Acme-Client: 203.0.113.96\r\nAccept: */*\r\nX_Other: y\r\nX-Forwarded-Host: 203.0.113.99\r\n");
  EXPECT_EQ(sent({lb, single("x-real-ip", private_net()), "X-Real-IP: 192.0.2.1"}, none()), "X-Real-IP: 192.0.2.1\r\n");
}

TEST(Sanitising, NominationsOfConfiguredNamesAreSeen) {
  HeaderTrust trust = xff({});
  trust.extra_identity_names = {"x-acme-client"};
  const struct {
    const char* description;
    const char* lines;
    bool nominates;
  } rows[] = {
      {"no Connection", "X-Acme-Client: 1", false},
      {"another name", "Connection: close, X-Acme", false},
      {"the name", "Connection: x-acme-client", true},
      {"in a list, in another case", "Connection: close , X-ACME-Client", true},
      {"on a second line", "Connection: close\nConnection: x-acme-client", true},
      {"an alias", "Connection: X_Acme_Client", true},
      {"one of the registry", "Connection: true-client-ip", true},
  };
  for (const auto& row : rows)
    EXPECT_EQ(nominates_identity(fields(row.lines), trust), row.nominates) << row.description;
  EXPECT_TRUE(nominates_identity(fields("Connection: x-acme-client"), single("x-acme-client", {})));
  EXPECT_FALSE(nominates_identity(fields("Connection: x-acme-client"), xff({})));
}

TEST(Sanitising, ASingleAddressThatWasRefusedDoesNotPass) {
  EXPECT_EQ(sent({lb, single("x-real-ip", private_net()), "X-Real-IP: 192.0.2.1\nX-Real-IP: 203.0.113.99"}, none()),
            "");
  EXPECT_EQ(sent({lb, single("x-real-ip", private_net()), "X-Real-IP: 192.0.2.1, 203.0.113.99"}, none()), "");
  EXPECT_EQ(sent({lb, single("x-acme-client", private_net()), "X-Acme-Client: me"}, none()), "");
}

TEST(Sanitising, NoIdentityHeaderEverLeavesTwice) {
  const std::string lines =
      every_identity_line() +
      "\nX-Forwarded-Proto: https\nX-Forwarded-Proto: http\nX-Forwarded-Port: 1\nX-Forwarded-Port: 2"
      "\nVia: 1.0 a\nVia: 1.0 b\nForwarded: for=192.0.2.1\nX-Forwarded-For: 192.0.2.1";
  HeaderTrust trusts[] = {xff({}),
                          xff(private_net()),
                          single("x-real-ip", private_net()),
                          single("x-acme-client", private_net()),
                          trust(HeaderTrust::Kind::none, "", {}),
                          forwarded(cidrs({"192.0.2.0/24"}))};
  for (HeaderTrust& trusted : trusts) {
    trusted.extra_identity_names = {"x-acme-client"};
    for (const PeerInfo& peer : {direct, lb}) {
      for (unsigned flags = 0; flags < 25 * 4; ++flags) {
        Propagate p;
        p.x_forwarded_for = static_cast<ListMode>(flags % 5);
        p.forwarded.mode = static_cast<ListMode>(flags / 5 % 5);
        p.x_forwarded_proto = p.x_forwarded_host = p.x_forwarded_port = p.x_real_ip = flags / 25 % 2;
        if (p.x_forwarded_for == ListMode::off) continue;  // no such mode in a configuration
        const std::string head = sent({peer, trusted, lines}, p);
        const std::vector<std::string> names = names_in(head);
        for (std::size_t i = 0; i < names.size(); ++i) {
          for (std::size_t j = 0; j < i; ++j) ASSERT_FALSE(http::folded_equal(names[i], names[j])) << head;
        }
      }
    }
  }
}

TEST(IdentityNames, FoldAndCountTheConfiguredOnes) {
  HeaderTrust trusted = single("x-acme-client", {});
  trusted.extra_identity_names = {"x-edge-ip"};
  const auto is_identity = [&](std::string_view name) { return is_identity_name(http::field_id(name), name, trusted); };
  EXPECT_TRUE(is_identity("X_Forwarded_For"));
  EXPECT_TRUE(is_identity("X_ACME-client"));
  EXPECT_TRUE(is_identity("X_Edge_IP"));
  EXPECT_FALSE(is_identity("X-Edge-IPs"));
  EXPECT_FALSE(is_identity("Accept"));
  trusted.kind = HeaderTrust::Kind::none;
  EXPECT_FALSE(is_identity("X-Acme-Client"));
}

}  // namespace
}  // namespace telltale::forwarding
