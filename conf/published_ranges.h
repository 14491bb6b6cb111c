#pragma once

#include "protocol/net/cidr.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Lists of address ranges that parties publish (a CDN's, a cloud's), by name: data beside the configuration, so that
/// it can change without it. The file's form is told in conf/README.md.
namespace telltale::conf {

struct PublishedList {
  std::string name;
  std::string date;    ///< YYYY-MM-DD, empty if the file does not say
  std::string source;  ///< where it was taken from, likewise
  std::vector<net::Cidr> ranges;
  friend bool operator==(const PublishedList&, const PublishedList&) = default;
};

class PublishedRanges {
 public:
  PublishedRanges() = default;
  explicit PublishedRanges(std::vector<PublishedList> lists) : lists_(std::move(lists)) {}

  /// nullptr: there is no such list.
  const PublishedList* find(std::string_view name) const;
  std::span<const PublishedList> lists() const { return lists_; }
  friend bool operator==(const PublishedRanges&, const PublishedRanges&) = default;

 private:
  std::vector<PublishedList> lists_;
};

/// Lower-case letters, digits and `-`, beginning with a letter; not the word `unix`.
bool is_list_name(std::string_view text);

struct RangesResult {
  std::shared_ptr<const PublishedRanges> ranges;  ///< null iff there is a problem
  std::string problem;                            ///< `line 12: "10.0.0.300" is not …`: the first one
};

/// Reads the text of a ranges file. A list without ranges, one given twice, and a range that holds every address are
/// refused: what a slip in this file could open must not be the identity of everybody.
RangesResult parse_ranges(std::string_view text);

/// Likewise from a file of at most 1 MiB. Anything but a regular file is refused.
RangesResult load_ranges(const std::string& path);

/// What was built in: conf/ranges/published.txt.
std::string_view shipped_ranges_text();
std::shared_ptr<const PublishedRanges> shipped_ranges();

}  // namespace telltale::conf
