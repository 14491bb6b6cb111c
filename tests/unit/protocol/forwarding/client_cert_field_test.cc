#include "protocol/forwarding/client_cert_field.h"

#include "protocol/forwarding/propagate.h"
#include "tests/unit/protocol/forwarding/propagate_support.h"

#include <gtest/gtest.h>

namespace telltale::forwarding {
namespace {

using namespace test;

std::string element(std::string subject, std::vector<std::string> sans = {}) {
  std::string out;
  append_client_cert_element(
      out, {.subject = std::move(subject), .fingerprint = "ab12", .sans = std::move(sans), .der = "not told"});
  return out;
}

TEST(ClientCertField, HasTheFormOfEnvoy) {
  EXPECT_EQ(element("CN=shop,O=Example", {"DNS:a.example", "URI:spiffe://a/b", "email:c@d", "DNS:b.example"}),
            R"(Hash=ab12;Subject="CN=shop,O=Example";URI=spiffe://a/b;DNS=a.example;DNS=b.example)");
  EXPECT_EQ(element(""), R"(Hash=ab12;Subject="")");
}

TEST(ClientCertField, NoValueEndsItsPair) {
  struct {
    const char* description;
    std::string subject;
    std::vector<std::string> sans;
    const char* expected;
  } const cases[] = {
      {"a quote is escaped as it is in RFC 4514", R"(CN=a\";Hash=0)", {}, R"(Hash=ab12;Subject="CN=a\";Hash=0")"},
      {"a bare quote too", R"(CN=a"b)", {}, R"(Hash=ab12;Subject="CN=a\"b")"},
      {"a backslash at the end, for a reader to whom \\\" is a quote",
       R"(CN=a\\)",
       {},
       R"(Hash=ab12;Subject="CN=a\5C")"},
      {"a backslash before a quote", R"(CN=\\\")", {}, R"(Hash=ab12;Subject="CN=\5C\"")"},
      {"a backslash that escapes nothing", "CN=a\\", {}, R"(Hash=ab12;Subject="CN=a\5C")"},
      {"other escapes stay", R"(CN=a\,b\C3\BC)", {}, R"(Hash=ab12;Subject="CN=a\,b\C3\BC")"},
      {"a name with separators is quoted",
       "",
       {"URI:http://a/?b=c", "URI:http://a/,b", "DNS:a;By=x"},
       R"(Hash=ab12;Subject="";URI="http://a/?b=c";URI="http://a/,b";DNS="a;By=x")"},
      {"a name that is none is left out", "", {"URI:a\"b", "DNS:a\\20b", "DNS:"}, R"(Hash=ab12;Subject="")"},
  };
  for (const auto& c : cases) {
    const std::string written = element(c.subject, c.sans);
    EXPECT_EQ(written, c.expected) << c.description;
    EXPECT_TRUE(is_whole_client_cert_list(written)) << c.description;
  }
}

TEST(ClientCertField, KnowsAnOpenQuote) {
  for (const char* whole : {"", "Hash=a", R"(Hash=a;Subject="b,c",Hash=d)", R"(Subject="a\"b")", R"(a\)", R"("\\x")"}) {
    EXPECT_TRUE(is_whole_client_cert_list(whole)) << whole;
  }
  for (const char* open : {R"(")", R"(Subject="a)", R"(Subject="a\")", R"(Subject="a\\")", R"("a\\",Hash="b")"}) {
    EXPECT_FALSE(is_whole_client_cert_list(open)) << open;
  }
}

std::string told(const Request& request, ListMode mode, const ClientCertificate* certificate) {
  Propagate propagate = none();
  propagate.x_forwarded_client_cert = mode;
  const http::HeaderBlock received = fields(request.lines);
  ClientAddress client;
  resolve_client_address(request.peer, received, request.trust, client);
  std::string out;
  for (const http::HeaderBlock::Field field : received) {
    if (keeps_field(field.id, field.name, request.trust, client, propagate)) out.append(field.name).append("\r\n");
  }
  const TlsFacts tls{.client_cert = certificate};
  RequestFacts facts{request.peer, client, "https", "a"};
  facts.tls = &tls;
  append_identity_fields(out, received, request.trust, propagate, facts);
  return out;
}

TEST(ClientCertField, IsWrittenAsConfigured) {
  const ClientCertificate ours{.subject = "CN=us", .fingerprint = "1"};
  const std::string element = R"(Hash=1;Subject="CN=us")";
  const std::string received = "X-Forwarded-Client-Cert: Hash=0;Subject=\"CN=a,b\"\nx-forwarded-client-cert: Hash=2";
  const std::string alias = "\nX_Forwarded_Client_Cert: Hash=3";
  const std::string kept = "Hash=0;Subject=\"CN=a,b\", Hash=2";
  const auto line = [](const std::string& value) { return "X-Forwarded-Client-Cert: " + value + "\r\n"; };
  const HeaderTrust trusted = xff(private_net());
  struct {
    const char* description;
    PeerInfo peer;
    std::string lines;
    ListMode mode;
    bool has_certificate;
    std::string expected;
  } const cases[] = {
      {"off", lb, received, ListMode::off, true, ""},
      {"replace", lb, received, ListMode::replace, true, line(element)},
      {"replace without one", lb, received, ListMode::replace, false, ""},
      {"append behind a trusted hop", lb, received + alias, ListMode::append, true, line(kept + ", " + element)},
      {"append without one", lb, received, ListMode::append, false, line(kept)},
      {"append behind nobody we trust", direct, received + alias, ListMode::append, true, line(element)},
      {"and without one", direct, received, ListMode::append, false, ""},
      {"an open quote would swallow ours", lb,
       "X-Forwarded-Client-Cert: Hash=0;Subject=\"CN\nX-Forwarded-Client-Cert: Hash=2", ListMode::append, true,
       line("Hash=2, " + element)},
      {"nothing received", lb, "", ListMode::append, true, line(element)},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(told({c.peer, trusted, c.lines}, c.mode, c.has_certificate ? &ours : nullptr), c.expected)
        << c.description;
  }
  EXPECT_EQ(told({lb, single("x-forwarded-client-cert", private_net()), "X-Forwarded-Client-Cert: 192.0.2.1"},
                 ListMode::replace, &ours),
            line(element))
      << "once, whatever it is believed for";
}

}  // namespace
}  // namespace telltale::forwarding
