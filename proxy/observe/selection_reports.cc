#include "proxy/observe/selection_reports.h"

namespace telltale::proxy {

SelectionReports::SelectionReports(std::size_t items, Time now) : items_(items) {
  held_back_.grow(items);
  for (Item& item : items_) item.window_ends = now + settling;
}

bool SelectionReports::changed(std::size_t item, SelectionReason reason, Time now) {
  Item& it = items_[item];
  it.is = reason;
  if (it.is == it.said) {
    held_back_.clear(item);
    return false;
  }
  if (now >= it.window_ends) {
    it.window_ends = now + window;
    it.left = burst;
  }
  if (it.left == 0) {
    held_back_.set(item, it.window_ends);
    return false;
  }
  --it.left;
  it.said = it.is;
  return true;
}

std::optional<std::size_t> SelectionReports::pop_due(Time now) {
  while (const auto item = held_back_.pop_due(now)) {
    if (changed(*item, items_[*item].is, now)) return item;
  }
  return std::nullopt;
}

std::string selection_text(std::string_view which, SelectionReason reason, std::string_view states) {
  std::string text(which);
  switch (reason) {
    case SelectionReason::fit:
      return text + ": requests go to healthy endpoints again";
    case SelectionReason::terminating:
      text += ": no endpoint is ready: requests go to those that terminate and still serve";
      break;
    case SelectionReason::unknown:
      text += ": panic: no endpoint is known to be healthy: requests go to those of which nothing is known";
      break;
    case SelectionReason::no_endpoint:
      text += ": no endpoint may be chosen: requests get 503, TCP connections are refused";
      break;
    case SelectionReason::no_local_endpoint:
      text +=
          ": no endpoint of this node may be chosen, and its policy is local: requests get 503, TCP connections are "
          "refused";
      break;
  }
  text.append(" (").append(states.empty() ? "it has none" : states).append(")");
  return text;
}

}  // namespace telltale::proxy
