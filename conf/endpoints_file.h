#pragma once

#include "conf/loader.h"
#include "conf/model.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

/// The file that a service's `endpoints_file` names: a map of `nodes` and `endpoints`, as in a service, in YAML or
/// JSON. Both may be empty, which says that nobody serves; but a file without either, an empty one, and one that is cut
/// are refused, so that a writer's accident takes nobody away.
namespace telltale::conf {

/// Less than a configuration may have: this one is read while traffic flows, and for a second at most, at up to half a
/// second a MiB, nothing else is done on the thread that reads it.
inline constexpr std::size_t max_endpoints_file_octets = 2u << 20;

struct EndpointsFile {
  std::vector<Node> nodes;
  std::vector<Endpoint> endpoints;
};

struct EndpointsFileResult {
  std::optional<EndpointsFile> file;  ///< nullopt iff there is an error
  std::string problems;               ///< every error, a line each: `/etc/shop.json:3:5: endpoints[0].address: …`
};

/// Reads and checks the file as part of the service `conf`, whose `port` its nodes take and whose nodes' names they may
/// not have. At most max_endpoints_file_octets; `${ENV}` is expanded. Never throws for what the file says. Any thread.
EndpointsFileResult load_endpoints_file(const std::string& path, const Service& conf);

/// Likewise, the text of a file; `name` is what it is called in problems.
EndpointsFileResult parse_endpoints_file(std::string_view text, const std::string& name, const Service& conf,
                                         const Environment& environment = {});

/// Appends what is wrong with the endpoints files of a valid model, warnings too.
void check_endpoints_files(const Model& model, std::vector<Diagnostic>& findings);

}  // namespace telltale::conf
