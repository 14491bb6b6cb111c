#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace telltale::proxy {

/// What `/explain` is asked for.
struct ExplainQuery {
  struct Id {
    std::uint64_t high = 0, low = 0;
    friend bool operator==(const Id&, const Id&) = default;
  };
  static constexpr std::size_t max_last = 1000;

  std::size_t last = 10;  ///< so many of the newest
  std::optional<Id> id;   ///< instead: this one
  bool as_text = false;   ///< else JSON
  std::string error;      ///< what is wrong with the question; empty: nothing
};

/// Reads `/explain?last=N` and `/explain/ID`, with `format=text|json`. Without a format it is text for whoever accepts
/// text/plain by name, and for curl. nullopt: another page.
std::optional<ExplainQuery> parse_explain_query(std::string_view target, std::string_view accept,
                                                std::string_view user_agent);

/// A request id as the access log prints it: 32 hexadecimal digits.
std::optional<ExplainQuery::Id> parse_request_id(std::string_view text);
std::string format_request_id(std::uint64_t high, std::uint64_t low);

}  // namespace telltale::proxy
