#include "protocol/http/header_block.h"

#include <gtest/gtest.h>

#include <string>

namespace telltale::http {
namespace {

TEST(FieldId, KnowsEveryRegistryNameInAnyCaseAndWithUnderscores) {
  for (int i = 1; i <= static_cast<int>(last_identity_field); ++i) {
    const auto id = static_cast<FieldId>(i);
    const std::string name(field_name(id));
    ASSERT_FALSE(name.empty()) << i;
    std::string spelled = name;
    for (char& c : spelled) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    EXPECT_EQ(field_id(name), id) << name;
    EXPECT_EQ(field_id(spelled), id) << spelled;
  }
}

TEST(FieldId, TellsOthersApart) {
  for (const char* name : {"", "x", "hosts", "hos", "x-forwarded-fo", "x-forwarded-for-", "x--forwarded-for", "accept",
                           "a-name-that-is-much-longer-than-any-in-the-registry"}) {
    EXPECT_EQ(field_id(name), FieldId::other) << name;
  }
}

TEST(FieldId, TakesTheTlsFamilyByItsBeginning) {
  for (const char* name : {"X-Forwarded-Tls-Client-Cert", "x_forwarded_ssl", "X-Forwarded-TLS"}) {
    EXPECT_EQ(field_id(name), FieldId::x_forwarded_tls) << name;
  }
}

TEST(HeaderBlock, KeepsOrderNamesAndValues) {
  HeaderBlock block;
  block.append("Host", "a");
  block.append("X-Forwarded-For", "192.0.2.1");
  block.append("x_forwarded_for", "192.0.2.2");
  block.append("Empty", "");
  ASSERT_EQ(block.size(), 4u);
  EXPECT_EQ(block[0].name, "Host");
  EXPECT_EQ(block[2].value, "192.0.2.2");
  EXPECT_EQ(block[3].value, "");
  EXPECT_EQ(block.count(FieldId::x_forwarded_for), 2u);
  EXPECT_EQ(block.first(FieldId::x_forwarded_for), "192.0.2.1");
  EXPECT_TRUE(block.has(FieldId::host));
  EXPECT_FALSE(block.has(FieldId::via));
  EXPECT_EQ(block.first(FieldId::via), std::nullopt);
  block.clear();
  EXPECT_TRUE(block.empty());
  EXPECT_FALSE(block.has(FieldId::host));
}

}  // namespace
}  // namespace telltale::http
