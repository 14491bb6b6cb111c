#pragma once

#include "protocol/http1/parser.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The vectors of tests/conformance/http1: their form is told at the head of requests.txt there.
namespace telltale::http1::test {

struct Vector {
  std::string name;
  std::string reference;
  std::string octets;
  std::string expected;  ///< `complete`, `need_more`, `refused`, or the name of an Error
  std::vector<std::pair<std::string, std::string>> values;
  HeadLimits limits;
  ResponseContext context;
  std::string place;  ///< file:line
};

/// Fails the test if the file cannot be read whole.
std::vector<Vector> read_vectors(const std::string& file);

std::string_view error_name(boost::system::error_code error);
std::string_view framing_name(Framing framing);

/// What came of an input: the outcome's word, and the values that the vectors name.
struct Result {
  std::string outcome;
  std::map<std::string, std::string> values;
  friend bool operator==(const Result&, const Result&) = default;
};
void PrintTo(const Result& result, std::ostream* out);
void add_fields(Result& result, const http::HeaderBlock& fields);

/// Gives the pieces of one input to a fresh parser, each from memory that ends with the piece and is gone after the
/// call, so that a sanitizer sees a read beyond it and a view kept of it.
class Pieces {
 public:
  explicit Pieces(std::vector<std::string_view> pieces) : pieces_(std::move(pieces)) {}
  /// `feed(piece)` returns the octets consumed, and whether more are wanted. Returns the octets left over in all.
  std::size_t feed_all(const std::function<std::pair<std::size_t, bool>(std::string_view)>& feed) const;

 private:
  std::vector<std::string_view> pieces_;
};

inline std::string yes_no(bool value) { return value ? "yes" : "no"; }

/// What a parser, started already, makes of the pieces. `next` is how another message begins: after its end the parser
/// takes none of it. `describe(rest)` tells of a complete head with so many octets left over.
template <class Parser>
Result run_parser(Parser& parser, const Pieces& pieces, std::string_view next,
                  const std::function<Result(std::size_t)>& describe) {
  Status status = Status::need_more;
  const std::size_t rest = pieces.feed_all([&](std::string_view piece) {
    const Outcome outcome = parser.feed(piece);
    status = outcome.status;
    return std::pair(outcome.consumed, status == Status::need_more);
  });
  if (status == Status::need_more) return {"need_more", {}};
  EXPECT_EQ(parser.feed(next).consumed, 0u) << "the parser goes on after its end";
  if (status == Status::failed) return {std::string(error_name(parser.error())), {}};
  EXPECT_FALSE(parser.error());
  return describe(rest);
}

/// Whole against the vector; then every cut in two, and octet by octet, against the whole.
void check_vector(const Vector& vector, const std::function<Result(const Pieces&)>& run);

}  // namespace telltale::http1::test
