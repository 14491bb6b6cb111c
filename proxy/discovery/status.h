#pragma once

#include "conf/model_service.h"
#include "proxy/discovery/followed_name.h"
#include "proxy/discovery/resolver.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace telltale::proxy {

/// What discovery says of itself: for pages, and for metrics.

struct NameStatus {
  conf::DnsName name;
  NameState state = NameState::waiting;
  std::vector<std::string> addresses;  ///< in force: to_texts()
  std::string error;                   ///< why the last lookup, or a part of it, brought nothing; empty: it did
  std::optional<std::chrono::system_clock::time_point> answered;  ///< when the last good answer came
  std::chrono::milliseconds ttl{0};                               ///< of that, within `min_ttl` and `max_ttl`
  std::chrono::system_clock::time_point since;                    ///< of the state; {}: from the beginning
  std::optional<std::chrono::system_clock::time_point> next;      ///< when it is asked again; nullopt: being asked
};

struct FileStatus {
  std::string path;
  std::size_t nodes = 0, endpoints = 0;          ///< that the list in force has
  std::chrono::system_clock::time_point loaded;  ///< the list in force
  std::string problems;                          ///< of the file as it is now, a line each; empty: it is in force
};

struct DiscoveryStatus {
  std::vector<NameStatus> names;
  std::optional<FileStatus> file;
};

struct DiscoveryCounts {
  /// Of names, not of single questions; a lookup of which a part failed counts as failed.
  std::array<std::uint64_t, static_cast<std::size_t>(LookupOutcome::count_)> lookups{};
  std::array<std::size_t, static_cast<std::size_t>(NameState::count_)> names{};  ///< by the state they are in
  std::uint64_t files_loaded = 0, files_refused = 0;                             ///< after the start
  std::size_t files_not_in_force = 0;                                            ///< wrong as they are now
};

}  // namespace telltale::proxy
