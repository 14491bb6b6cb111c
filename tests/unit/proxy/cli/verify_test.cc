#include "proxy/cli/verify.h"

#include "tests/unit/proxy/observe/temporary_directory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace telltale::proxy {
namespace {

constexpr const char* good =
    "v1;kid=2026-11;t=1763971200;c=198.51.100.7:52110;a=shop.example.com;s=oZZqI5StfW9IxwekqqeRzPD-5sbVAOKJ48iHMlDhTmM";
constexpr const char* what_it_says =
    "key id:    2026-11\ntime:      2025-11-24T08:00:00Z (12 s ago)\nclient:    198.51.100.7:52110\n"
    "authority: shop.example.com\n";

/// What it says, then these lines.
std::string said(std::string_view lines) { return std::string(what_it_says).append(lines); }

struct Outcome {
  int code;
  std::string out, err;
};

class VerifyCommand : public testing::Test {
 protected:
  VerifyCommand() { std::ofstream(key_file_) << "2026-11 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"; }

  static Outcome verify(VerifyOptions options) {
    if (options.now == 0) options.now = 1763971212;
    std::ostringstream out, err;
    const int code = run_verify(options, out, err);
    return {code, out.str(), err.str()};
  }

  test::TemporaryDirectory directory_;
  const std::string key_file_ = directory_ / "keys";
};

TEST_F(VerifyCommand, SaysWhatAValidOneSays) {
  const Outcome run = verify({.assertion = good, .key_file = key_file_, .authority = "shop.example.com"});
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.out, said("verdict:   valid\n"));
  EXPECT_EQ(run.err, "");
}

TEST_F(VerifyCommand, SaysWhyAnotherIsNot) {
  const Outcome other = verify({.assertion = good, .key_file = key_file_, .authority = "evil.example"});
  EXPECT_EQ(other.code, 1);
  EXPECT_EQ(other.out, said("verdict:   other_authority\n           signed assertion: made for another authority\n"));
  const Outcome expired = verify({.assertion = good, .key_file = key_file_, .now = 1763971231});
  EXPECT_EQ(expired.code, 1);
  EXPECT_NE(expired.out.find("(31 s ago)"), std::string::npos);
  EXPECT_NE(expired.out.find("verdict:   expired\n"), std::string::npos);
  const Outcome early = verify({.assertion = good, .key_file = key_file_, .now = 1763971194});
  EXPECT_NE(early.out.find("(6 s in the future)"), std::string::npos);
  EXPECT_NE(early.out.find("verdict:   not_yet_valid\n"), std::string::npos);
  const Outcome garbage = verify({.assertion = "198.51.100.7", .key_file = key_file_});
  EXPECT_EQ(garbage.code, 1);
  EXPECT_EQ(garbage.out, "verdict:   malformed\n");
}

TEST_F(VerifyCommand, BelievesNothingWithoutKeys) {
  const Outcome run = verify({.assertion = good});
  EXPECT_EQ(run.code, 1);
  EXPECT_EQ(run.out, said("verdict:   not checked: no --key-file\n"));
}

TEST_F(VerifyCommand, SaysWhatIsWrongWithTheKeyFile) {
  const Outcome run = verify({.assertion = good, .key_file = directory_ / "none"});
  EXPECT_EQ(run.code, 64);
  EXPECT_EQ(run.out, "");
  EXPECT_NE(run.err.find("No such file or directory"), std::string::npos);
}

}  // namespace
}  // namespace telltale::proxy
