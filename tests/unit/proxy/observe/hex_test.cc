#include "proxy/observe/hex.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

TEST(Hex, IsReadInTheFormsThatToolsPrint) {
  const struct {
    const char* description;
    const char* text;
    std::optional<std::string> octets;
  } rows[] = {
      {"plain", "0d0a", "\r\n"},          {"upper case", "0D0A", "\r\n"},
      {"0x before it", "0x0d0a", "\r\n"}, {"with blanks and line breaks", " 0d 0a\n", "\r\n"},
      {"with colons", "0d:0a", "\r\n"},   {"half an octet", "0d0", std::nullopt},
      {"no digit", "0dxx", std::nullopt}, {"nothing", "", std::nullopt},
      {"only 0x", "0x", std::nullopt},
  };
  for (const auto& row : rows) EXPECT_EQ(from_hex(row.text), row.octets) << row.description;
}

TEST(Hex, WhatIsWrittenIsReadBack) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(from_hex(to_hex(all)), all);
  EXPECT_EQ(to_hex(std::string_view("\0\xff", 2)), "00ff");
}

}  // namespace
}  // namespace telltale::proxy
