#include "proxy/observe/escape.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

using namespace std::string_literals;

std::string json(std::string_view text) {
  std::string out;
  append_json_escaped(out, text);
  return out;
}
std::string json_line(std::string_view text) {
  LineBuilder out;
  append_json_escaped(out, text);
  return std::string(out.view());
}
std::string plain_text(std::string_view text) {
  LineBuilder out;
  append_text_escaped(out, text);
  return std::string(out.view());
}
std::string readable(std::string_view text) {
  std::string out;
  append_readable(out, text);
  return out;
}
std::string label(std::string_view text) {
  std::string out;
  append_label_escaped(out, text);
  return out;
}

TEST(Escape, EveryStyleHasItsForm) {
  const struct {
    const char* description;
    std::string input, json, text, readable, label;
  } rows[] = {
      {"nothing", "", "", "", "", ""},
      {"plain", "GET /a b", "GET /a b", "GET /a b", "GET /a b", "GET /a b"},
      {"quote and backslash", "a\"b\\c", "a\\\"b\\\\c", "a\\x22b\\x5cc", "a\"b\\c", "a\\\"b\\\\c"},
      {"line break: a forged line", "x\r\ny", "x\\r\\ny", "x\\x0d\\x0ay", "x\\r\\ny", "x\r\\ny"},
      {"tab", "\t", "\\t", "\\x09", "\\t", "\t"},
      {"NUL", "a\0b"s, "a\\u0000b", "a\\x00b", "a\\u0000b", "a\0b"s},
      {"terminal escape", "\x1b[2J", "\\u001b[2J", "\\x1b[2J", "\\u001b[2J", "\x1b[2J"},
      {"DEL", "\x7f", "\\u007f", "\\x7f", "\\u007f", "\x7f"},
      {"UTF-8", "é€😀", "é€😀", "\\xc3\\xa9\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80", "é€😀", "é€😀"},
      {"C1 control: a terminal escape in one code point", "\xc2\x9b", "\\u009b", "\\xc2\\x9b", "\\u009b", "\xc2\x9b"},
      {"line separator", "\xe2\x80\xa8", "\\u2028", "\\xe2\\x80\\xa8", "\\u2028", "\xe2\x80\xa8"},
      {"right-to-left override", "\xe2\x80\xae", "\\u202e", "\\xe2\\x80\\xae", "\\u202e", "\xe2\x80\xae"},
      {"lone continuation", "a\x80z", "a\\ufffdz", "a\\x80z", "a\xef\xbf\xbdz", "a\xef\xbf\xbdz"},
      {"cut sequence", "\xe2\x82", "\\ufffd\\ufffd", "\\xe2\\x82", "\xef\xbf\xbd\xef\xbf\xbd",
       "\xef\xbf\xbd\xef\xbf\xbd"},
      {"overlong slash", "\xc0\xaf", "\\ufffd\\ufffd", "\\xc0\\xaf", "\xef\xbf\xbd\xef\xbf\xbd",
       "\xef\xbf\xbd\xef\xbf\xbd"},
      {"cut sequence, then a quote that must not be swallowed", "\xe2\"", "\\ufffd\\\"", "\\xe2\\x22", "\xef\xbf\xbd\"",
       "\xef\xbf\xbd\\\""},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(json(row.input), row.json) << row.description;
    EXPECT_EQ(json_line(row.input), row.json) << row.description;
    EXPECT_EQ(plain_text(row.input), row.text) << row.description;
    EXPECT_EQ(readable(row.input), row.readable) << row.description;
    EXPECT_EQ(label(row.input), row.label) << row.description;
  }
}

TEST(Escape, JsonOfAnyTwoOctetsParsesAndHasNoControl) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string input = {static_cast<char>(a), static_cast<char>(b)};
      const std::string line = '"' + json(input) + '"';
      boost::system::error_code error;
      const auto value = boost::json::parse(line, error);
      ASSERT_FALSE(error) << a << ' ' << b;
      ASSERT_TRUE(value.is_string());
      if (a < 0x80 && b < 0x80) {
        ASSERT_EQ(value.as_string(), input);
      }
      for (const char c : line) ASSERT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << a << ' ' << b;
    }
  }
}

TEST(Escape, AnyOctetIsFoundAtAnyPlaceOfALongText) {
  for (int c = 0; c < 256; ++c) {
    const std::string alone(1, static_cast<char>(c));
    for (std::size_t place = 0; place < 20; ++place) {
      const std::string before(place, '!'), after(20 - place, '~');
      ASSERT_EQ(json(before + alone + after), before + json(alone) + after) << c << " at " << place;
      ASSERT_EQ(plain_text(before + alone + after), before + plain_text(alone) + after) << c << " at " << place;
    }
  }
}

TEST(LineBuilder, GrowsAndKeepsWhatItHas) {
  LineBuilder line;
  EXPECT_EQ(line.view(), "");
  line += std::string_view();
  std::string expected;
  for (int i = 0; i < 5000; ++i) {
    line += static_cast<char>('a' + i % 26);
    line += std::string_view("0123456789").substr(0, static_cast<std::size_t>(i % 11));
    expected += static_cast<char>('a' + i % 26);
    expected += std::string_view("0123456789").substr(0, static_cast<std::size_t>(i % 11));
  }
  EXPECT_EQ(line.view(), expected);
  line.clear();
  line.append("xyz", 2);
  EXPECT_EQ(line.view(), "xy");
}

TEST(Escape, ValidUtf8IsKeptAndTheRestReplaced) {
  const struct {
    const char* description;
    std::string input, expected;
  } rows[] = {
      {"valid", "aé€😀\n", "aé€😀\n"},
      {"surrogate", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"just below the surrogates", "\xed\x9f\xbf", "\xed\x9f\xbf"},
      {"overlong in three", "\xe0\x80\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"overlong in four", "\xf0\x8f\xbf\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"highest", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
      {"beyond the highest", "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"never an octet of UTF-8", "\xff", "\xef\xbf\xbd"},
  };
  for (const auto& row : rows) EXPECT_EQ(to_valid_utf8(row.input), row.expected) << row.description;
}

}  // namespace
}  // namespace telltale::proxy
