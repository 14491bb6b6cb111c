#include "protocol/assertion/base64.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace telltale::assertion {
namespace {

struct Vector {
  const char* octets;
  const char* plain;
  const char* url;
};
// RFC 4648 10, and octets that tell the two alphabets apart.
constexpr Vector vectors[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xbf", "+/+/", "-_-_"},
};

TEST(Base64, FollowsTheVectorsOfRfc4648) {
  for (const Vector& v : vectors) {
    const std::string_view octets = v.octets;
    std::string url;
    append_base64url(url, {reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size()});
    EXPECT_EQ(url, v.url);

    std::vector<std::uint8_t> out(octets.size());
    ASSERT_TRUE(parse_base64url(v.url, out)) << v.url;
    EXPECT_EQ(std::string(out.begin(), out.end()), octets);

    std::array<std::uint8_t, 16> room{};
    const int size = parse_base64(v.plain, room);
    ASSERT_EQ(size, static_cast<int>(octets.size())) << v.plain;
    EXPECT_EQ(std::string(room.begin(), room.begin() + size), octets);
  }
}

TEST(Base64, RefusesWhatAnotherReaderMightTakeForTheSame) {
  std::array<std::uint8_t, 16> room{};
  for (const char* text : {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "=Zg=", "Zm 9v", "Zm9v\n", "-_-_", "Zm9vZ"}) {
    EXPECT_EQ(parse_base64(text, room), -1) << text;
  }
  std::array<std::uint8_t, 1> one{};
  for (const char* text : {"Zh", "Zg==", "Z", "", "Zm8", "Z+", "Z\n"}) EXPECT_FALSE(parse_base64url(text, one)) << text;
  std::array<std::uint8_t, 3> three{};
  EXPECT_FALSE(parse_base64url("+/+/", three));
  EXPECT_EQ(parse_base64("Zm9vYmFy", three), -1) << "more octets than there is room for";
}

}  // namespace
}  // namespace telltale::assertion
