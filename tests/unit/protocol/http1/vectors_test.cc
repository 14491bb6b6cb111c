#include "tests/unit/protocol/http1/vectors.h"

#include "protocol/http1/syntax.h"

#include <fstream>
#include <ostream>
#include <sstream>

namespace telltale::http1::test {
namespace {

/// \r \n \t \\ \xHH, and {text*N}, nested.
class Unescaper {
 public:
  explicit Unescaper(std::string_view text) : text_(text) {}
  std::string all() {
    std::string out = until('\0');
    EXPECT_TRUE(text_.empty()) << text_;
    return out;
  }

 private:
  std::string until(char end) {
    std::string out;
    while (!text_.empty() && text_.front() != end) {
      const char c = take();
      if (c == '\\') {
        out += escape();
      } else if (c == '{') {
        const std::string repeated = until('*');
        take();
        std::size_t count = 0;
        while (!text_.empty() && is_digit(text_.front())) count = count * 10 + static_cast<std::size_t>(take() - '0');
        EXPECT_EQ(take(), '}');
        for (std::size_t i = 0; i < count; ++i) out += repeated;
      } else {
        out += c;
      }
    }
    return out;
  }
  char escape() {
    const char c = take();
    if (c == 'r') return '\r';
    if (c == 'n') return '\n';
    if (c == 't') return '\t';
    if (c == 'x') {
      const int high = hex_digit(take());
      const int low = hex_digit(take());
      EXPECT_TRUE(high >= 0 && low >= 0);
      return static_cast<char>(high * 16 + low);
    }
    EXPECT_EQ(c, '\\');
    return c;
  }
  char take() {
    if (text_.empty()) {
      ADD_FAILURE() << "the line ends too early";
      return '\0';
    }
    const char c = text_.front();
    text_.remove_prefix(1);
    return c;
  }
  std::string_view text_;
};

HeadLimits parse_limits(const std::string& line) {
  HeadLimits limits;
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    const std::string key = word.substr(0, word.find('='));
    const std::string value = word.substr(key.size() + 1);
    if (key == "head") limits.max_head_bytes = std::stoul(value);
    if (key == "target") limits.max_target_bytes = std::stoul(value);
    if (key == "fields") limits.max_fields = std::stoul(value);
    if (key == "underscores") {
      limits.underscores = value == "drop"     ? UnderscorePolicy::drop
                           : value == "reject" ? UnderscorePolicy::reject
                                               : UnderscorePolicy::pass;
    }
  }
  return limits;
}

void parse_expectation(Vector& vector, const std::string& line) {
  std::istringstream words(line);
  words >> vector.expected;
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    vector.values.emplace_back(word.substr(0, equals), Unescaper(std::string_view(word).substr(equals + 1)).all());
  }
}

bool take_prefix(std::string& line, std::string_view prefix) {
  if (!line.starts_with(prefix)) return false;
  line.erase(0, prefix.size());
  return true;
}

}  // namespace

std::vector<Vector> read_vectors(const std::string& file) {
  std::ifstream in(std::string(TELLTALE_SOURCE_DIR "/tests/conformance/http1/") + file);
  EXPECT_TRUE(in.is_open()) << file;
  std::vector<Vector> vectors;
  Vector current;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    if (take_prefix(line, "== ")) {
      current = Vector();
      const std::size_t bar = line.find(" | ");
      current.name = line.substr(0, bar);
      current.reference = bar == std::string::npos ? "" : line.substr(bar + 3);
      current.place = file + ":" + std::to_string(number);
      EXPECT_FALSE(current.reference.empty()) << current.place << ": says nowhere where it comes from";
    } else if (take_prefix(line, "limits: ")) {
      current.limits = parse_limits(line);
    } else if (take_prefix(line, "asked: ")) {
      current.context.method = line.starts_with("HEAD") ? Method::head : Method::get;
      current.context.upgrade_requested = line.find("upgrade") != std::string::npos;
    } else if (take_prefix(line, "> ")) {
      current.octets += Unescaper(line).all();
    } else if (take_prefix(line, "= ")) {
      parse_expectation(current, line);
      vectors.push_back(current);
    } else {
      ADD_FAILURE() << file << ":" << number << ": " << line;
    }
  }
  return vectors;
}

std::string_view error_name(boost::system::error_code error) {
  EXPECT_EQ(error.category(), error_category());
  switch (static_cast<Error>(error.value())) {
    case Error::malformed:
      return "malformed";
    case Error::bad_version:
      return "bad_version";
    case Error::target_too_long:
      return "target_too_long";
    case Error::head_too_large:
      return "head_too_large";
    case Error::too_many_fields:
      return "too_many_fields";
    case Error::bad_target:
      return "bad_target";
    case Error::bad_host:
      return "bad_host";
    case Error::bad_framing:
      return "bad_framing";
    case Error::bad_connection:
      return "bad_connection";
    case Error::connect_refused:
      return "connect_refused";
    case Error::bad_expect:
      return "bad_expect";
    case Error::bad_chunk:
      return "bad_chunk";
    case Error::unknown_coding:
      return "unknown_coding";
    case Error::bad_field:
      return "bad_field";
    case Error::unexpected_upgrade:
      return "unexpected_upgrade";
  }
  return "no error";
}

std::string_view framing_name(Framing framing) {
  switch (framing) {
    case Framing::none:
      return "none";
    case Framing::content_length:
      return "content_length";
    case Framing::chunked:
      return "chunked";
    case Framing::until_close:
      return "until_close";
  }
  return "?";
}

void PrintTo(const Result& result, std::ostream* out) {
  *out << result.outcome;
  for (const auto& [key, value] : result.values) *out << ' ' << key << '=' << testing::PrintToString(value);
}

void add_fields(Result& result, const http::HeaderBlock& fields) {
  result.values["fields"] = std::to_string(fields.size());
  for (std::size_t i = 0; i < fields.size(); ++i) {
    result.values.emplace("field:" + std::string(fields[i].name), fields[i].value);
    result.values["all fields"] += std::string(fields[i].name) + ": " + std::string(fields[i].value) + "\n";
  }
}

std::size_t Pieces::feed_all(const std::function<std::pair<std::size_t, bool>(std::string_view)>& feed) const {
  std::size_t rest = 0;
  bool wanted = true;
  for (const std::string_view piece : pieces_) {
    if (!wanted) {
      rest += piece.size();
      continue;
    }
    const std::unique_ptr<char[]> copy(new char[piece.size()]);
    piece.copy(copy.get(), piece.size());
    const auto [consumed, more] = feed({copy.get(), piece.size()});
    EXPECT_LE(consumed, piece.size());
    EXPECT_TRUE(!more || consumed == piece.size());
    rest += piece.size() - consumed;
    wanted = more;
  }
  return rest;
}

void check_vector(const Vector& vector, const std::function<Result(const Pieces&)>& run) {
  SCOPED_TRACE(vector.place + ": " + vector.name + " (" + vector.reference + ")");
  const std::string_view octets = vector.octets;
  const Result whole = run(Pieces({octets}));
  if (vector.expected == "refused") {
    EXPECT_TRUE(whole.outcome != "complete" && whole.outcome != "need_more") << testing::PrintToString(whole);
  } else {
    EXPECT_EQ(whole.outcome, vector.expected);
  }
  for (const auto& [key, value] : vector.values) {
    const auto found = whole.values.find(key);
    EXPECT_EQ(found == whole.values.end() ? "-" : found->second, value) << key;
  }
  for (std::size_t cut = 0; cut <= octets.size() && !testing::Test::HasFailure(); ++cut) {
    EXPECT_EQ(run(Pieces({octets.substr(0, cut), octets.substr(cut)})), whole) << "cut at " << cut;
  }
  std::vector<std::string_view> single;
  for (std::size_t i = 0; i < octets.size(); ++i) single.push_back(octets.substr(i, 1));
  EXPECT_EQ(run(Pieces(single)), whole) << "octet by octet";
}

}  // namespace telltale::http1::test
