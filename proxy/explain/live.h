#pragma once

#include "proxy/exchange/request_recorder.h"
#include "proxy/explain/explanation.h"
#include "proxy/observe/explain_query.h"

#include <string>
#include <vector>

namespace telltale::proxy {

/// Explains a request that was served, from what was recorded of it, by the snapshot that decided then.
Explanation explain_recorded(const RecordedRequest& recorded);

/// The newest `query.last` of what all workers recorded, newest first, as a page; or the one that was asked for. Empty:
/// it is not among them.
std::string render_recorded(std::vector<RecordedRequest> all, const ExplainQuery& query);

}  // namespace telltale::proxy
