#include "proxy/tls/ticket_keys.h"

#include "tests/unit/proxy/observe/temporary_directory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <sys/stat.h>

namespace telltale::proxy {
namespace {

/// 80 octets, all the same: base64 of 80 octets is 107 digits and `=`.
std::string line_of(std::uint8_t octet) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  const unsigned group = octet * 0x010101U;
  for (int i = 0; i < 27; ++i) {
    for (int shift = 18; shift >= 0; shift -= 6) out += digits[(group >> shift) & 63];
  }
  out.resize(107);
  out.back() = digits[((octet << 8 | octet) << 2) & 63];  // two octets are left for the last three digits
  return out + "=";
}

std::array<std::uint8_t, 16> name_of(std::uint8_t octet) {
  std::array<std::uint8_t, 16> name{};
  name.fill(octet);
  return name;
}

TEST(TicketKeyFile, HoldsKeysOfWhichTheFirstSeals) {
  std::string problem;
  const auto keys =
      TicketKeys::parse("# ours\n\n" + line_of(1) + "\r\n  " + line_of(2) + " \n\n# end\n" + line_of(3), problem);
  ASSERT_NE(keys, nullptr) << problem;
  EXPECT_EQ(keys->size(), 3U);
  EXPECT_EQ(keys->sealing().name, name_of(1));
  EXPECT_EQ(keys->sealing().aes.back(), 1);
  EXPECT_EQ(keys->sealing().hmac.back(), 1);
  for (const std::uint8_t octet : {1, 2, 3}) {
    const TicketKeys::Key* key = keys->find(name_of(octet).data());
    ASSERT_NE(key, nullptr);
    EXPECT_EQ(key->hmac.front(), octet);
  }
  EXPECT_EQ(keys->find(name_of(4).data()), nullptr);
}

TEST(TicketKeyFile, SaysWhatIsWrongInWhichLineAndNothingOfAKey) {
  const std::string makes = "; `openssl rand -base64 80 | tr -d '\\n'` makes ";
  const std::string not_a_key = "not base64 of 80 octets" + makes + "such a line";
  std::string nine;
  for (std::uint8_t i = 1; i <= 9; ++i) nine += line_of(i) + "\n";
  const struct {
    const char* what;
    std::string text, problem;
  } cases[] = {
      {"nothing", "", "there is no key in it" + makes + "a line with one"},
      {"comments", "# none\n\n \n", "there is no key in it" + makes + "a line with one"},
      {"too short", "c2VjcmV0\n", "line 1: " + not_a_key},
      {"in two lines, as openssl breaks them", line_of(1).substr(0, 64) + "\n" + line_of(1).substr(64),
       "line 1: " + not_a_key},
      {"too long", "\n" + line_of(1).substr(0, 107) + "AAAA=\n", "line 2: " + not_a_key},
      {"another alphabet", "# x\n" + line_of(1) + "\n-" + line_of(2).substr(1), "line 3: " + not_a_key},
      {"two in a line", line_of(1) + " " + line_of(2), "line 1: " + not_a_key},
      {"the same twice", line_of(1) + "\n" + line_of(2) + "\n" + line_of(1),
       "line 3: a key with the name, the first 16 octets, of one above"},
      {"too many", nine, "line 9: a ninth key; 8 are the most"},
  };
  for (const auto& each : cases) {
    std::string problem;
    EXPECT_EQ(TicketKeys::parse(each.text, problem), nullptr) << each.what;
    EXPECT_EQ(problem, each.problem) << each.what;
  }
  std::string problem;
  EXPECT_NE(TicketKeys::parse(nine.substr(0, nine.find(line_of(9))), problem), nullptr) << problem;
}

TEST(TicketKeyFile, IsRead) {
  const test::TemporaryDirectory directory;
  const std::string path = directory / "keys";
  const auto why_not = [&path]() -> std::string {
    try {
      read_ticket_keys(path);
      return {};
    } catch (const TicketKeyError& error) {
      return error.what();
    }
  };
  EXPECT_EQ(why_not(), "ticket key file " + path + ": No such file or directory");
  std::ofstream(path) << "secret\n";
  EXPECT_TRUE(why_not().starts_with("ticket key file " + path + ": line 1: not base64 of 80 octets")) << why_not();
  EXPECT_EQ(why_not().find("secret"), std::string::npos);
  std::ofstream(path) << std::string(TicketKeys::max_file_octets + 1, '#');
  EXPECT_EQ(why_not(), "ticket key file " + path + ": longer than 4096 bytes");
  std::ofstream(path) << line_of(7) << "\n";
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  EXPECT_FALSE(read_ticket_keys(path).world_readable);
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  EXPECT_TRUE(read_ticket_keys(path).world_readable);
  EXPECT_EQ(read_ticket_keys(path).keys->sealing().name, name_of(7));
}

TEST(TicketKeys, OfOurOwnOpenForTwoRotations) {
  const auto first = TicketKeys::make();
  auto keys = first;
  for (std::size_t rotations = 0; rotations < TicketKeys::max_keys; ++rotations) {
    EXPECT_NE(keys->find(first->sealing().name.data()), nullptr) << rotations;
    keys = keys->rotated();
    EXPECT_NE(keys->sealing().name, first->sealing().name);
  }
  EXPECT_EQ(keys->find(first->sealing().name.data()), nullptr);
  EXPECT_EQ(keys->size(), TicketKeys::max_keys);
}

}  // namespace
}  // namespace telltale::proxy
