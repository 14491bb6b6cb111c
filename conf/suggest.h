#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace telltale::conf {

/// Edits (insert, delete, replace, swap neighbours) from one word to another, `limit + 1` when there are more than
/// that.
std::size_t edit_distance(std::string_view from, std::string_view to, std::size_t limit);

/// The candidate that `word` is most likely a misspelling of; empty if none is near. Letter case and `-`/`_` do not
/// count.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

/// `did you mean "x"?`, or else `fallback`.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates,
                         std::string fallback = {});

}  // namespace telltale::conf
