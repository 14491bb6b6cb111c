#include "proxy/tls/client_authorities.h"

#include "tests/unit/proxy/observe/temporary_directory.h"
#include "tests/unit/proxy/tls/made_certificates.h"

#include <gmock/gmock.h>

#include <fstream>

namespace telltale::proxy {
namespace {

using namespace test;
using std::chrono::system_clock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ClientAuthoritiesTest : public ::testing::Test {
 protected:
  /// A file with these in it.
  template <class... T>
  std::string file(const char* name, const T&... all) {
    std::string path = (directory_ / name);
    std::ofstream(path) << "what stands between is ignored\n";
    (append_pem(path, all.get()), ...);
    return path;
  }
  static std::string error_of(const conf::ClientCertificates& conf) {
    try {
      read_client_authorities(conf);
      return {};
    } catch (const RevocationListError& error) {
      return std::string("crl: ") + error.what();
    } catch (const CertificateError& error) {
      return std::string("ca: ") + error.what();
    }
  }
  static std::vector<std::string> doubts_of(const conf::ClientCertificates& conf) {
    std::vector<std::string> texts;
    for (const AuthorityDoubt& doubt : doubts(*read_client_authorities(conf), system_clock::now())) {
      texts.push_back((doubt.of_list ? "crl: " : "ca: ") + doubt.text);
    }
    return texts;
  }

  TemporaryDirectory directory_;
  MadeCertificate a_ = make_authority("A"), b_ = make_authority("B");
};

TEST_F(ClientAuthoritiesTest, ReadsSeveral) {
  const auto list = make_list(a_, a_);
  const auto read =
      read_client_authorities({.ca_file = file("ca", a_.certificate, b_.certificate), .crl_file = file("crl", list)});
  EXPECT_EQ(read->authorities.size(), 2u);
  EXPECT_EQ(read->revocation_lists.size(), 1u);
}

TEST_F(ClientAuthoritiesTest, SaysWhatIsWrong) {
  const std::string ca = file("ca", a_.certificate), empty = file("empty"), none = (directory_ / "none");
  std::ofstream((directory_ / "broken")) << "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  std::ofstream((directory_ / "broken-crl")) << "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
  const auto forged = make_list(a_, b_), of_nobody_known = make_list(b_, b_);
  EXPECT_EQ(error_of({.ca_file = none}), "ca: " + none + ": No such file or directory");
  EXPECT_EQ(error_of({.ca_file = empty}), "ca: " + empty + ": there is no certificate in it");
  EXPECT_THAT(error_of({.ca_file = "/"}), HasSubstr("ca: /: not a regular file"));
  EXPECT_THAT(error_of({.ca_file = (directory_ / "broken")}), HasSubstr("ca: " + (directory_ / "broken") + ": "));
  EXPECT_EQ(error_of({.ca_file = ca, .crl_file = none}), "crl: " + none + ": No such file or directory");
  EXPECT_EQ(error_of({.ca_file = ca, .crl_file = ca}), "crl: " + ca + ": there is no revocation list in it");
  EXPECT_THAT(error_of({.ca_file = ca, .crl_file = (directory_ / "broken-crl")}),
              HasSubstr("crl: " + (directory_ / "broken-crl") + ": "));
  const std::string crl = file("forged", forged);
  EXPECT_EQ(error_of({.ca_file = ca, .crl_file = crl}),
            "crl: " + crl + ": the list of CN=A is not signed by the one in " + ca);
  EXPECT_EQ(error_of({.ca_file = ca, .crl_file = file("other", of_nobody_known)}), "") << "of one between, perhaps";
}

TEST_F(ClientAuthoritiesTest, ThoseThatAnotherOneIssuedStandBetween) {
  const MadeCertificate middle = make_certificate({.subject = {{"CN", "middle"}}, .is_authority = true}, &a_);
  const MadeCertificate same_name = make_authority("A");  // with another key
  const auto expect = [](const std::string& path, std::size_t tops, std::size_t between) {
    const auto read = read_client_authorities({.ca_file = path});
    EXPECT_EQ(read->tops.size(), tops) << path;
    EXPECT_EQ(read->between.size(), between) << path;
  };
  expect(file("both", middle.certificate, a_.certificate), 1, 1);
  expect(file("twice", a_.certificate, a_.certificate), 2, 0);
  expect(file("alone", middle.certificate, b_.certificate), 2, 0);
  expect(file("other", middle.certificate, same_name.certificate), 2, 0);
}

TEST_F(ClientAuthoritiesTest, AListMayBeByAnEarlierKeyOfTheSameName) {
  const MadeCertificate renewed = make_authority("A");
  const auto list = make_list(a_, a_);
  const std::string crl = file("crl", list);
  EXPECT_EQ(error_of({.ca_file = file("ca", renewed.certificate, a_.certificate), .crl_file = crl}), "");
}

TEST_F(ClientAuthoritiesTest, NamesThatFitNoHandshakeAreRefused) {
  const std::string path = (directory_ / "ca");
  for (int i = 0; i < 3; ++i) {
    append_pem(path, make_authority(std::string(30'000, static_cast<char>('a' + i)).c_str()).certificate.get());
  }
  EXPECT_THAT(error_of({.ca_file = path}), HasSubstr("a handshake has room for 65533"));
}

TEST_F(ClientAuthoritiesTest, HasDoubts) {
  const std::string ca = file("ca", a_.certificate);
  EXPECT_THAT(doubts_of({.ca_file = ca}), IsEmpty());
  EXPECT_THAT(doubts_of({.ca_file = ca, .crl_file = file("crl", make_list(a_, a_))}), IsEmpty());
  const MadeCertificate expired = make_authority("Old", -1), soon = make_authority("Soon", 3 * day);
  const MadeCertificate leaf = make_certificate({.subject = {{"CN", "leaf"}}});
  const MadeCertificate early =
      make_certificate({.subject = {{"CN", "Early"}}, .is_authority = true, .begins = 2 * day});
  const std::string all = file("all", expired.certificate, soon.certificate, leaf.certificate, early.certificate);
  EXPECT_THAT(doubts_of({.ca_file = all}),
              ElementsAre(HasSubstr("ca: CN=Old expired on 20"), HasSubstr("ca: CN=Soon expires on 20"),
                          "ca: CN=leaf is no authority: it vouches for nobody but itself",
                          HasSubstr("ca: CN=Early is not valid before 20")));
  EXPECT_THAT(doubts_of({.ca_file = ca, .crl_file = file("stale", make_list(a_, a_, -10))}),
              ElementsAre(HasSubstr("crl: the list of CN=A is out of date since 20")));
  EXPECT_THAT(doubts_of({.ca_file = ca, .crl_file = file("early", make_list(a_, a_, 30 * day, 2 * day))}),
              ElementsAre(HasSubstr("crl: the list of CN=A is not valid before 20")));
  EXPECT_THAT(
      doubts_of({.ca_file = file("two", a_.certificate, b_.certificate), .crl_file = file("one", make_list(b_, b_))}),
      ElementsAre("crl: there is no list of CN=A in it: its clients are refused"));
}

TEST_F(ClientAuthoritiesTest, TheDigestIsOfAllThatDecides) {
  const std::string ca = file("ca", a_.certificate), crl = file("crl", make_list(a_, a_));
  const auto digest = [](const conf::ClientCertificates& conf) { return read_client_authorities(conf)->digest; };
  const std::string first = digest({.ca_file = ca, .crl_file = crl});
  EXPECT_EQ(digest({.ca_file = ca, .crl_file = crl}), first);
  EXPECT_EQ(digest({.ca_file = file("same", a_.certificate), .crl_file = crl}), first) << "whatever it is called";
  EXPECT_NE(digest({.mode = conf::ClientAuth::optional, .ca_file = ca, .crl_file = crl}), first);
  EXPECT_NE(digest({.ca_file = ca, .crl_file = crl, .depth = 1}), first);
  EXPECT_NE(digest({.ca_file = ca}), first);
  EXPECT_NE(digest({.ca_file = file("both", a_.certificate, b_.certificate), .crl_file = crl}), first);
  EXPECT_NE(digest({.ca_file = ca, .crl_file = file("next", make_list(a_, a_))}), first);
}

}  // namespace
}  // namespace telltale::proxy
