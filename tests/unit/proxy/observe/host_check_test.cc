#include "proxy/observe/host_check.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

TEST(HostCheck, OnlyLiteralsAndLocalhostAreLocal) {
  const struct {
    const char* host;
    bool local;
  } rows[] = {
      {"localhost", true},       {"LocalHost:9901", true},     {"telltale.localhost", true},
      {"127.0.0.1", true},       {"127.0.0.1:9901", true},     {"[::1]", true},
      {"[::1]:9901", true},      {"10.0.0.7:9901", true},      {"", false},
      {"evil.example", false},   {"evil.example:9901", false}, {"notlocalhost", false},
      {"localhost.evil", false}, {"127.0.0.1.nip.io", false},  {"::1", false},
      {"[::1", false},           {"[127.0.0.1]", false},       {"[::1]x", false},
      {"[::1]:x", false},        {"127.0.0.1:99x", false},     {"localhost:123456", false},
      {"localhost.", false},     {"a@localhost:1", false},     {"0x7f.1", false},
  };
  for (const auto& row : rows) EXPECT_EQ(is_local_host_field(row.host), row.local) << row.host;
}

}  // namespace
}  // namespace telltale::proxy
