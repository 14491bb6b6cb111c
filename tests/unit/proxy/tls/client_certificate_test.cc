#include "proxy/tls/client_certificate.h"

#include "tests/unit/proxy/tls/made_certificates.h"

#include <algorithm>

namespace telltale::proxy {
namespace {

using namespace test;
using namespace std::string_literals;

forwarding::ClientCertificate described(const CertificateSpec& spec) {
  return describe_certificate(make_certificate(spec).certificate.get());
}

TEST(ClientCertificate, IsDescribed) {
  const MadeCertificate authority = make_authority("Root");
  const MadeCertificate made = make_certificate({.subject = {{"C", "DE"}, {"O", "Example"}, {"CN", "shop"}},
                                                 .sans = {{GEN_DNS, "shop.example"},
                                                          {GEN_URI, "spiffe://example/shop?a=b,c"},
                                                          {GEN_EMAIL, "a@b.example"},
                                                          {GEN_IPADD, "\xc0\0\2\1"s},
                                                          {GEN_IPADD, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"s},
                                                          {GEN_IPADD, "\1\2\3"s}},
                                                 .serial = 0x0abc},
                                                &authority);
  const auto told = describe_certificate(made.certificate.get());
  EXPECT_EQ(told.subject, "CN=shop,O=Example,C=DE");
  EXPECT_EQ(told.issuer, "CN=Root");
  EXPECT_EQ(told.common_name, "shop");
  EXPECT_EQ(told.serial, "0ABC");
  EXPECT_EQ(told.sans, (std::vector<std::string>{"DNS:shop.example", "URI:spiffe://example/shop?a=b,c",
                                                 "email:a@b.example", "IP:192.0.2.1", "IP:2001:db8::1"}));
  EXPECT_EQ(told.fingerprint.size(), 64u);
  EXPECT_EQ(told.fingerprint.find_first_not_of("0123456789abcdef"), std::string::npos);
  const auto* der = reinterpret_cast<const unsigned char*>(told.der.data());
  const Handle<X509> again(d2i_X509(nullptr, &der, static_cast<long>(told.der.size())));
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(X509_cmp(again.get(), made.certificate.get()), 0);
}

TEST(ClientCertificate, NamesCannotBeMisread) {
  struct {
    const char* description;
    std::string name;
    std::string subject;
    std::string common_name;
  } const cases[] = {
      {"nothing", "", "CN=", ""},
      {"what stands for itself", "a b.c/d:e@f", "CN=a b.c/d:e@f", "a b.c/d:e@f"},
      {"a comma would begin another part", "a,O=b", "CN=a\\,O=b", "a,O=b"},
      {"a plus", "a+O=b", "CN=a\\+O=b", "a+O=b"},
      {"quotes and backslashes", "a\"b\\", "CN=a\\\"b\\\\", "a\"b\\"},
      {"a line that ends", "a\r\nX-Admin: 1", "CN=a\\0D\\0AX-Admin: 1", ""},
      {"NUL", "admin\0.evil"s, "CN=admin\\00.evil", ""},
      {"DEL and escape", "\x1b[2J\x7f", "CN=\\1B[2J\\7F", ""},
      {"beyond ASCII", "J\xc3\xbcrgen", "CN=J\\C3\\BCrgen", "J\xc3\xbcrgen"},
      {"a C1 control", "\xc2\x85", "CN=\\C2\\85", "\xc2\x85"},
      {"blanks at its ends", " a ", "CN=\\ a\\ ", " a "},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    const auto told = described({.subject = {{"CN", c.name}}});
    EXPECT_EQ(told.subject, c.subject);
    EXPECT_EQ(told.common_name, c.common_name);
  }
  EXPECT_EQ(described({.subject = {{"O", "x"}}}).common_name, "");
  EXPECT_EQ(described({.subject = {{"CN", "first"}, {"CN", "second"}}}).common_name, "first");
}

TEST(ClientCertificate, AlternativeNamesCannotBeMisread) {
  const auto told = described({.subject = {{"CN", "a"}},
                               .sans = {{GEN_DNS, "a\0.evil"s},
                                        {GEN_DNS, "a, DNS:b"},  // CVE-2021-44532
                                        {GEN_URI, "http://a\r\nX: y"},
                                        {GEN_URI, "a\"b\\"},
                                        {GEN_EMAIL, "\xff@b"},
                                        {GEN_DNS, ""}}});
  EXPECT_EQ(told.sans, (std::vector<std::string>{"DNS:a\\00.evil", "DNS:a,\\20DNS:b", "URI:http://a\\0D\\0AX:\\20y",
                                                 "URI:a\"b\\5C", "email:\\FF@b", "DNS:"}));
}

TEST(ClientCertificate, LongAndManyNamesAreWhole) {
  CertificateSpec spec{.subject = {{"2.5.4.13", std::string(20'000, 'd')}}};
  for (int i = 0; i < 1000; ++i) spec.sans.emplace_back(GEN_DNS, "h" + std::to_string(i) + std::string(200, 'x'));
  const auto told = described(spec);
  EXPECT_EQ(told.subject, "description=" + std::string(20'000, 'd'));
  ASSERT_EQ(told.sans.size(), 1000u);
  EXPECT_EQ(told.sans.back(), "DNS:h999" + std::string(200, 'x'));
}

TEST(ClientCertificate, ASanThatCannotBeReadIsNone) {
  MadeCertificate made = make_certificate({.subject = {{"CN", "a"}}});
  ASN1_OCTET_STRING* junk = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(junk, reinterpret_cast<const unsigned char*>("\x30\x05junk"), 6);
  X509_EXTENSION* extension = X509_EXTENSION_create_by_NID(nullptr, NID_subject_alt_name, 0, junk);
  X509_add_ext(made.certificate.get(), extension, -1);
  X509_EXTENSION_free(extension);
  ASN1_OCTET_STRING_free(junk);
  EXPECT_TRUE(describe_certificate(made.certificate.get()).sans.empty());
}

}  // namespace
}  // namespace telltale::proxy
