#include "tests/unit/conf/findings.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

using namespace test;

/// One route on its own line, of a listener with this in `tls`.
std::string with_match(std::string_view client_cert, std::string_view mode = "optional") {
  return "listeners: [{listen: ':80', tls: {certificates: [{certificate: /a, key: /b}], client_certificates: {ca: /ca, "
         "mode: " +
         std::string(mode) + "}}, routes: [\n{respond: {}, match: {client_cert: " + std::string(client_cert) +
         "}}\n]}]\n";
}

TEST(MatchClientCert, SaysWhatIsWrong) {
  const std::string place = "listeners[0].routes[0].match.client_cert";
  const std::string never = "2:1: warning: listeners[0].routes[0]: this route can never match";
  const std::string digits = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  const Case cases[] = {
      {"one", with_match("{verified: true}"), {}},
      {"all", with_match("{verified: true, subject: 'CN=a,O=b', san: 'DNS:a', fingerprint: " + digits + "}"), {}},
      {"nobody without one", with_match("{verified: false}", "required"), {never}},
      {"nobody is asked", with_match("{subject: CN=a}", "off"), {never}},
      {"nobody is asked, and none is wanted", with_match("{verified: false}", "off"), {}},
      {"nothing", with_match("{}"), {"2:36: error: " + place + ": says nothing of the certificate"}},
      {"neither",
       with_match("{verified: maybe}"),
       {"2:47: error: " + place + ".verified: \"maybe\" is not one of true, false"}},
      {"none, and something of it",
       with_match("{verified: false, san: 'DNS:a'}"),
       {"2:47: error: " + place + ".verified: no certificate can be none and have what is asked for besides"}},
      {"what is no fingerprint",
       with_match("{fingerprint: ab:cd}"),
       {"2:50: error: " + place + ".fingerprint: \"ab:cd\" is not the SHA-256 of a certificate"}},
  };
  expect(cases);
}

TEST(MatchClientCert, AFingerprintMayBeWrittenAsOpensslPrintsIt) {
  std::string printed, plain;
  for (int i = 0; i < 32; ++i) printed += (i == 0 ? "AB" : ":AB"), plain += "ab";
  const auto model = load_text(with_match("{fingerprint: '" + printed + "'}")).model;
  ASSERT_NE(model, nullptr);
  const auto& conditions = model->listeners[0].routes[0].match.conditions;
  ASSERT_EQ(conditions.size(), 1u);
  EXPECT_EQ(conditions[0].octets, plain);
  EXPECT_EQ(model->listeners[0].routes[0].name, "client_cert.fingerprint=" + plain);
}

}  // namespace
}  // namespace telltale::conf
