#include "protocol/forwarding/ssl_tlv.h"

#include "protocol/proxy_protocol/serializer.h"
#include "protocol/proxy_protocol/tlv_names.h"

#include <gtest/gtest.h>

namespace telltale::forwarding {
namespace {

using namespace std::string_literals;

std::string tlv(int type, std::string_view value) {
  std::string out;
  EXPECT_TRUE(proxy_protocol::append_tlv(out, proxy_protocol::TlvType{static_cast<std::uint8_t>(type)}, value));
  return out;
}

std::string written(const TlsFacts& tls) {
  std::string section = "before";
  append_ssl_tlv(section, tls);
  EXPECT_TRUE(section.starts_with("before"));
  section.erase(0, 6);
  EXPECT_TRUE(proxy_protocol::TlvRange(section).well_formed());
  return section;
}

const ClientCertificate certificate{.subject = "CN=shop", .common_name = "shop", .der = "\x30\x01\x02"};

TEST(SslTlv, SaysWhatIsKnown) {
  // 2.2.6: `verify` is zero if a certificate was shown and verified, and non-zero otherwise.
  EXPECT_EQ(written({}), tlv(0x20, "\1\0\0\0\1"s));
  EXPECT_EQ(written({.version = "TLSv1.3", .cipher = "X"}),
            tlv(0x20, "\1\0\0\0\1"s + tlv(0x21, "TLSv1.3") + tlv(0x23, "X")));
  EXPECT_EQ(written({.version = "TLSv1.3",
                     .cipher = "X",
                     .key_algorithm = "EC256",
                     .signature_algorithm = "RSA-SHA256",
                     .client_cert = &certificate}),
            tlv(0x20, "\7\0\0\0\0"s + tlv(0x21, "TLSv1.3") + tlv(0x22, "shop") + tlv(0x23, "X") +
                          tlv(0x24, "RSA-SHA256") + tlv(0x25, "EC256") + tlv(0x28, "\x30\x01\x02")));
}

TEST(SslTlv, OfAResumedSessionTheCertificateIsTheSessions) {
  EXPECT_EQ(written({.client_cert = &certificate, .resumed = true}).substr(0, 8), "\x20\0\x12\5\0\0\0\0"s);
  EXPECT_EQ(written({.resumed = true}), tlv(0x20, "\1\0\0\0\1"s)) << "which had none";
}

TEST(SslTlv, LeavesOutWhatIsTooLong) {
  ClientCertificate big = certificate;
  big.common_name = std::string(max_told_name_size, 'n');
  big.der = std::string(max_told_certificate_size, 'd');
  EXPECT_EQ(written({.client_cert = &big}), tlv(0x20, "\7\0\0\0\0"s + tlv(0x22, big.common_name) + tlv(0x28, big.der)));
  big.common_name += 'n', big.der += 'd';
  EXPECT_EQ(written({.client_cert = &big}), tlv(0x20, "\7\0\0\0\0"s));
}

TEST(SslTlv, ReadsAsItsNamesSay) {
  const std::string section = written({.version = "TLSv1.3", .client_cert = &certificate});
  const auto text = [&](std::string_view name) {
    std::string out;
    proxy_protocol::append_tlv_text(out, section, proxy_protocol::parse_tlv_selector(name).value());
    return out;
  };
  EXPECT_EQ(text("ssl_client"), "7");
  EXPECT_EQ(text("ssl_verify"), "0");
  EXPECT_EQ(text("ssl_cn"), "shop");
  EXPECT_EQ(text("ssl_client_cert"), "MAEC");
}

}  // namespace
}  // namespace telltale::forwarding
