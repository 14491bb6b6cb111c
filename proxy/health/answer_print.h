#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace telltale::proxy {

/// Knows one HTTP/1.1 answer again without parsing it: by its size and a digest of all octets but the time in its Date
/// field (RFC 9110 6.6.1), which is all that a node's answers usually differ in. Two answers with the same print are
/// parsed and judged alike.
class AnswerPrint {
 public:
  /// Of no answer.
  AnswerPrint() = default;
  /// Of `octets`, a whole answer and nothing behind it.
  explicit AnswerPrint(std::string_view octets);

  explicit operator bool() const { return size_ != 0; }
  bool is_of(std::string_view octets) const;

 private:
  std::uint64_t digest_ = 0;
  std::uint32_t size_ = 0;  // 0: of no answer
  std::uint32_t date_ = 0;  // where the time begins; 0: there is none
};

}  // namespace telltale::proxy
