#include "protocol/http/header_block.h"

#include <gtest/gtest.h>

#include <iterator>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

namespace telltale::http {
namespace {

static_assert(std::forward_iterator<HeaderBlock::Iterator>);
static_assert(std::ranges::forward_range<const HeaderBlock>);

TEST(HeaderBlock, KeepsFieldsInTheirOrderAsReceived) {
  HeaderBlock block;
  EXPECT_TRUE(block.empty());
  EXPECT_EQ(block.begin(), block.end());
  block.append("Accept", "*/*");
  block.append("X_Forwarded_For", "192.0.2.1");
  block.append("Empty", "");
  block.append("x-forwarded-for", "192.0.2.2");

  ASSERT_EQ(block.size(), 4u);
  EXPECT_EQ(block[0].id, FieldId::other);
  EXPECT_EQ(block[0].name, "Accept");
  EXPECT_EQ(block[0].value, "*/*");
  EXPECT_EQ(block[1].id, FieldId::x_forwarded_for);
  EXPECT_EQ(block[1].name, "X_Forwarded_For");
  EXPECT_EQ(block[2].value, "");
  EXPECT_EQ(block[3].value, "192.0.2.2");

  std::vector<std::string> names;
  for (const HeaderBlock::Field field : block) names.emplace_back(field.name);
  EXPECT_EQ(names, (std::vector<std::string>{"Accept", "X_Forwarded_For", "Empty", "x-forwarded-for"}));
}

TEST(HeaderBlock, FindsById) {
  HeaderBlock block;
  block.append("X_Forwarded_For", "192.0.2.1");
  block.append("x-forwarded-for", "192.0.2.2");
  EXPECT_TRUE(block.has(FieldId::x_forwarded_for));
  EXPECT_FALSE(block.has(FieldId::forwarded));
  EXPECT_FALSE(block.has(FieldId::other));
  EXPECT_EQ(block.count(FieldId::x_forwarded_for), 2u);
  EXPECT_EQ(block.count(FieldId::host), 0u);
  EXPECT_EQ(block.first(FieldId::x_forwarded_for), "192.0.2.1");
  EXPECT_EQ(block.first(FieldId::host), std::nullopt);
}

TEST(HeaderBlock, ClearForgetsAllButCapacity) {
  HeaderBlock block;
  block.append("Host", "a");
  block.clear();
  EXPECT_TRUE(block.empty());
  EXPECT_FALSE(block.has(FieldId::host));
  EXPECT_EQ(block.count(FieldId::host), 0u);
  block.append("Via", "1.1 a");
  ASSERT_EQ(block.size(), 1u);
  EXPECT_EQ(block[0].name, "Via");
  EXPECT_EQ(block[0].value, "1.1 a");
}

TEST(HeaderBlock, HoldsNamesLongerThanSixteenBits) {
  HeaderBlock block;
  const std::string name(70'000, 'n');
  block.append(name, "value");
  block.append("Host", "after");
  EXPECT_EQ(block[0].name, name);
  EXPECT_EQ(block[0].value, "value");
  EXPECT_EQ(block[1].value, "after");
}

TEST(HeaderBlock, ACopyHasItsOwnOctets) {
  HeaderBlock copy;
  {
    HeaderBlock block;
    block.append("Host", "example.com");
    copy = block;
  }
  EXPECT_EQ(copy.first(FieldId::host), "example.com");
}

}  // namespace
}  // namespace telltale::http
