#include "proxy/observe/explain_query.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

const std::string id = "0123456789abcdef00000000000000ff";

TEST(ExplainQuery, IsReadFromTheTarget) {
  const struct {
    const char* description;
    std::string target, accept, user_agent;
    std::size_t last;
    bool has_id, as_text;
  } rows[] = {
      {"alone", "/explain", "*/*", "", 10, false, false},
      {"so many", "/explain?last=3", "", "", 3, false, false},
      {"the most", "/explain?last=1000", "", "", 1000, false, false},
      {"one", "/explain/" + id, "", "", 10, true, false},
      {"for curl", "/explain", "*/*", "curl/8.0", 10, false, true},
      {"for curl that asks for JSON", "/explain", "application/json", "curl/8.0", 10, false, false},
      {"for whoever accepts text", "/explain", "text/plain", "", 10, false, true},
      {"for a browser", "/explain", "text/html,application/xhtml+xml,*/*;q=0.8", "Mozilla/5.0", 10, false, false},
      {"told to be text", "/explain?format=text&last=2", "application/json", "", 2, false, true},
      {"told to be JSON", "/explain/" + id + "?format=json", "text/plain", "curl/8.0", 10, true, false},
  };
  for (const auto& row : rows) {
    const auto query = parse_explain_query(row.target, row.accept, row.user_agent);
    ASSERT_TRUE(query) << row.description;
    EXPECT_EQ(query->error, "") << row.description;
    EXPECT_EQ(query->last, row.last) << row.description;
    EXPECT_EQ(query->id.has_value(), row.has_id) << row.description;
    EXPECT_EQ(query->as_text, row.as_text) << row.description;
  }
}

TEST(ExplainQuery, SaysWhatIsWrong) {
  for (const char* target :
       {"/explain?last=0", "/explain?last=1001", "/explain?last=x", "/explain?last=", "/explain?lst=1",
        "/explain?format=xml", "/explain/12", "/explain/0123456789abcdef00000000000000fg"}) {
    const auto query = parse_explain_query(target, "", "");
    ASSERT_TRUE(query) << target;
    EXPECT_NE(query->error, "") << target;
  }
}

TEST(ExplainQuery, OtherPagesAreNone) {
  for (const char* target : {"/", "/explainer", "/metrics", "/services/explain"}) {
    EXPECT_FALSE(parse_explain_query(target, "", "")) << target;
  }
}

TEST(RequestId, WhatIsPrintedIsReadBack) {
  const auto parsed = parse_request_id(id);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->high, 0x0123456789abcdefu);
  EXPECT_EQ(parsed->low, 0xffu);
  EXPECT_EQ(format_request_id(parsed->high, parsed->low), id);
  for (const char* text : {"", "+123456789abcdef00000000000000ff0", "0123456789abcdef-0000000000000ff"}) {
    EXPECT_FALSE(parse_request_id(text)) << text;
  }
}

}  // namespace
}  // namespace telltale::proxy
