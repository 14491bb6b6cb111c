#pragma once

#include "conf/model.h"

#include <memory>
#include <string>

namespace telltale::conf {

/// The addresses that a list comes to. A name that `published` does not have adds none.
net::CidrSet resolve(const RangeList& list, const PublishedRanges& published);

/// The same configuration with other published ranges: what a changed ranges file leads to. Null when a list that is
/// used is not in them; then `problem` says which and where, for a log line.
std::shared_ptr<const Model> with_ranges(const Model& model, std::shared_ptr<const PublishedRanges> published,
                                         std::string& problem);

}  // namespace telltale::conf
