#include "proxy/health/answer_print.h"

#include <gtest/gtest.h>

#include <string>

namespace telltale::proxy {
namespace {

const std::string before =
    "HTTP/1.1 200 OK\r\nServer: x\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 2\r\n\r\nok";

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  return text.replace(text.find(what), what.size(), with);
}

TEST(AnswerPrint, TellsAnAnswerByAllButTheTimeInItsDate) {
  const std::string lower = replaced(before, "Date", "date"),
                    undated = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  const std::string in_body =
      "HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\n\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nok";
  struct Case {
    const char* description;
    std::string first, second;
    bool same;
  };
  const Case cases[] = {
      {"the same octets", before, before, true},
      {"another time", before, replaced(before, "08:49:37", "08:49:42"), true},
      {"another time in lower case", lower, replaced(lower, "Sun, 06", "Mon, 07"), true},
      {"no Date", undated, undated, true},
      {"another body", before, replaced(before, "ok", "no"), false},
      {"another status", before, replaced(before, "200", "503"), false},
      {"another field", before, replaced(before, "Server: x", "Server: y"), false},
      {"longer", before, before + "x", false},
      {"shorter", before, before.substr(0, before.size() - 1), false},
      {"a Date that is no time", before, replaced(before, "08:49:37 GMT", "08:49:37 UTC"), false},
      {"a Date that ends early", before, replaced(before, ":49:37 GMT\r\n", "\r\nX: 37 GMT\r\n"), false},
      {"a Date with a control character", before, replaced(before, "08:49:37", std::string_view("08:49\0007", 8)),
       false},
      {"a Date in the body counts as any body does", in_body, replaced(in_body, "08:49:37", "08:49:42"), false},
      {"no Date, another body", undated, replaced(undated, "ok", "no"), false},
      {"octets around the time change places", before,
       replaced(replaced(before, "Server: x", "Server: 2"), "gth: 2", "gth: x"), false},
  };
  for (const Case& c : cases) {
    const AnswerPrint print(c.first);
    EXPECT_TRUE(print.is_of(c.first)) << c.description;
    EXPECT_EQ(print.is_of(c.second), c.same) << c.description;
  }
}

TEST(AnswerPrint, TellsAnAnswerFromItsBeginnings) {
  const AnswerPrint print(before);
  for (std::size_t size = 0; size < before.size(); ++size) EXPECT_FALSE(print.is_of(before.substr(0, size))) << size;
}

TEST(AnswerPrint, OfNothingIsOfNothing) {
  EXPECT_FALSE(AnswerPrint());
  EXPECT_FALSE(AnswerPrint().is_of(""));
  EXPECT_FALSE(AnswerPrint("").is_of(""));
  EXPECT_TRUE(AnswerPrint(before));
}

}  // namespace
}  // namespace telltale::proxy
