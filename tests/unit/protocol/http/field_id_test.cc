#include "protocol/http/field_id.h"

#include <gtest/gtest.h>

#include <cctype>
#include <string>
#include <string_view>

namespace telltale::http {
namespace {

constexpr auto last_id = static_cast<unsigned>(last_identity_field);

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

TEST(FieldId, EveryNameLeadsBackToItsIdInAnyCaseAndWithUnderscores) {
  for (unsigned i = 1; i <= last_id; ++i) {
    const auto id = static_cast<FieldId>(i);
    const std::string name(field_name(id));
    ASSERT_FALSE(name.empty()) << i;
    std::string underscored = name;
    for (char& c : underscored) c = c == '-' ? '_' : c;
    EXPECT_EQ(field_id(name), id) << name;
    EXPECT_EQ(field_id(upper(name)), id) << name;
    EXPECT_EQ(field_id(underscored), id) << underscored;
    EXPECT_EQ(field_id(upper(underscored)), id) << underscored;
  }
}

TEST(FieldId, NamesOneOctetOffAreOther) {
  for (unsigned i = 1; i <= last_id; ++i) {
    const auto id = static_cast<FieldId>(i);
    const std::string name(field_name(id));
    for (std::size_t at = 0; at < name.size(); ++at) {
      std::string changed = name;
      changed[at] = '!';
      EXPECT_EQ(field_id(changed), FieldId::other) << changed;
    }
    EXPECT_NE(field_id(name.substr(0, name.size() - 1)), id);
    EXPECT_NE(field_id(name.substr(1)), id);
    if (id != FieldId::x_forwarded_tls) {
      EXPECT_NE(field_id(name + "x"), id);
    }
  }
}

TEST(FieldId, KnowsTheNamesOfTheRegistry) {
  struct Case {
    const char* description;
    std::string_view name;
    FieldId id;
  };
  const Case cases[] = {
      {"empty", "", FieldId::other},
      {"one octet", "x", FieldId::other},
      {"ordinary", "User-Agent", FieldId::other},
      {"GHSA-5m6w-wvh7-57vm: the CGI alias", "X_Forwarded_For", FieldId::x_forwarded_for},
      {"one underscore only", "x-forwarded_for", FieldId::x_forwarded_for},
      {"TLS as such", "X-Forwarded-Tls", FieldId::x_forwarded_tls},
      {"TLS family", "X-Forwarded-Tls-Client-Cert-Info", FieldId::x_forwarded_tls},
      {"TLS family, folded", "x_forwarded_tls_client_cert", FieldId::x_forwarded_tls},
      {"SSL as such", "X-Forwarded-SSL", FieldId::x_forwarded_tls},
      {"SSL family", "X-Forwarded-Ssl-Client-Cn", FieldId::x_forwarded_tls},
      {"Azure spells it without a dash", "X-Azure-ClientIP", FieldId::x_azure_client_ip},
      {"Azure socket", "X-Azure-SocketIP", FieldId::x_azure_socket_ip},
      {"Cloudflare IPv6", "CF-Connecting-IPv6", FieldId::cf_connecting_ipv6},
      {"RFC 9440", "Client-Cert", FieldId::client_cert},
      {"RFC 9440, the chain", "Client_Cert-Chain", FieldId::client_cert},
      {"AWS", "X-Amzn-Mtls-Clientcert-Serial-Number", FieldId::client_cert},
      {"ingress-nginx", "ssl-client-subject-dn", FieldId::client_cert},
      {"HAProxy and nginx by custom", "X-SSL-Client-CN", FieldId::client_cert},
      {"GCP by custom", "X-Client-Cert-Present", FieldId::client_cert},
      {"Azure App Service", "X-ARR-ClientCert", FieldId::client_cert},
      {"no client's certificate", "X-SSL-Cipher", FieldId::other},
      {"no dash, no family", "Client-Certificate", FieldId::other},
      {"HTTP_CLIENT_IP", "Client_IP", FieldId::client_ip},
      {"CloudFront", "CloudFront-Viewer-Address", FieldId::cloudfront_viewer_address},
      {"our own assertion", "X_Telltale-Client", FieldId::x_telltale_client},
      {"NUL inside is another name", {"x-forwarded\0for", 15}, FieldId::other},
      {"high octets do not fold",
       "x\xDF"
       "forwarded-for",
       FieldId::other},
  };
  for (const Case& c : cases) EXPECT_EQ(field_id(c.name), c.id) << c.description;
}

TEST(FieldId, IdentityIsExactlyTheTailOfTheRegistry) {
  EXPECT_FALSE(is_identity(FieldId::other));
  EXPECT_FALSE(is_identity(FieldId::host));
  EXPECT_FALSE(is_identity(FieldId::via));
  EXPECT_FALSE(is_identity(FieldId::server));
  for (unsigned i = static_cast<unsigned>(first_identity_field); i <= last_id; ++i) {
    EXPECT_TRUE(is_identity(static_cast<FieldId>(i))) << field_name(static_cast<FieldId>(i));
  }
  for (const char* name : {"Forwarded",
                           "X-Forwarded-For",
                           "X-Forwarded-Proto",
                           "X-Forwarded-Host",
                           "X-Forwarded-Port",
                           "X-Forwarded-Prefix",
                           "X-Forwarded-Server",
                           "X-Forwarded-Client-Cert",
                           "X-Forwarded-Tls-Client-Cert",
                           "X-Real-IP",
                           "X-Client-IP",
                           "X-Cluster-Client-IP",
                           "True-Client-IP",
                           "CF-Connecting-IP",
                           "CF-Connecting-IPv6",
                           "Fastly-Client-IP",
                           "X-Azure-ClientIP",
                           "X-Azure-SocketIP",
                           "X-Original-Forwarded-For",
                           "X-Original-Host",
                           "X-Envoy-External-Address",
                           "X-Envoy-Internal",
                           "X-ProxyUser-Ip",
                           "WL-Proxy-Client-IP",
                           "Proxy-Client-IP",
                           "Client-IP",
                           "X-Forwarded",
                           "Forwarded-For",
                           "X-Remote-IP",
                           "X-Remote-Addr",
                           "X-Originating-IP",
                           "Fly-Client-IP",
                           "DO-Connecting-IP",
                           "CloudFront-Viewer-Address",
                           "Client-Cert",
                           "Client-Cert-Chain",
                           "X-Telltale-Client"}) {
    EXPECT_TRUE(is_identity(field_id(name))) << name;
  }
}

TEST(FieldId, FoldedEqualIgnoresCaseAndUnderscore) {
  EXPECT_TRUE(folded_equal("X_Client-IP", "x-client_ip"));
  EXPECT_TRUE(folded_equal("", ""));
  EXPECT_FALSE(folded_equal("x-client-ip", "x-client-i"));
  EXPECT_FALSE(folded_equal("x-client-ip", "x.client.ip"));
  // '@' and '`', '[' and '{' differ in the case bit alone, and are no letters.
  EXPECT_FALSE(folded_equal("@", "`"));
  EXPECT_FALSE(folded_equal("[", "{"));
}

}  // namespace
}  // namespace telltale::http
