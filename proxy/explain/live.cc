#include "proxy/explain/live.h"

#include "protocol/forwarding/asserted_client.h"
#include "protocol/http1/serializer.h"
#include "proxy/downstream/diagnosis.h"
#include "proxy/downstream/proxy_headers.h"
#include "proxy/explain/explainer.h"

#include <algorithm>

namespace telltale::proxy {
namespace {

void explain_closed(const RecordedRequest& recorded, const conf::Listener& listener, Explanation& out) {
  const auto& rule = proxy_rule_for(listener.client_ip, recorded.peer.socket_peer);
  out.outcome = Explanation::Outcome::closed;
  out.cause = to_string(recorded.cause);
  out.why =
      explain_proxy_problem({recorded.cause, recorded.failure.error, {}}, listener.client_ip, rule, recorded.peer);
}

void explain_refused(const RecordedRequest& recorded, Explanation& out) {
  out.outcome = Explanation::Outcome::answered;
  out.why = std::to_string(recorded.status) + " " + std::string(http1::reason_phrase(recorded.status)) + ": " +
            describe(recorded.failure);
}

/// What went wrong behind the decisions; or within them, where the head that they went by is not kept whole.
void explain_failure(const RecordedRequest& recorded, Explanation& out) {
  if (!recorded.failure || out.outcome != Explanation::Outcome::forwarded) return;
  if (recorded.failure.phase == Phase::request_head) {
    out.route.clear(), out.service.clear(), out.backends.clear(), out.told_lines.clear();
    out.told_proxy_header.reset();
    return explain_refused(recorded, out);
  }
  out.notes.push_back("it failed on the side " + std::string(to_string(recorded.failure.side)) + " in the phase " +
                      std::string(to_string(recorded.failure.phase)) + ": " + describe(recorded.failure));
}

}  // namespace

Explanation explain_recorded(const RecordedRequest& recorded) {
  const Snapshot& snapshot = *recorded.snapshot;
  const conf::Listener& listener = snapshot.model->listeners[recorded.listener_index];
  Explanation out;
  out.time = recorded.time;
  explain_connection(listener, recorded.peer, out);
  if (recorded.kind == RecordedRequest::Kind::closed) {
    explain_closed(recorded, listener, out);
    return out;
  }
  out.request_id = format_request_id(recorded.id_high, recorded.id_low);
  out.status = recorded.status;
  out.endpoint = recorded.endpoint;
  if (recorded.kind == RecordedRequest::Kind::refused_head) {
    explain_refused(recorded, out);
    return out;
  }
  http1::RequestHead head;
  recorded.give_head(head);
  forwarding::PeerInfo peer = recorded.peer;
  if (listener.client_ip.assertion) forwarding::blank_assertion(peer.tlvs, listener.client_ip.assertion->tlv);
  explain_request({.model = *snapshot.model,
                   .listener = listener,
                   .routes = *snapshot.routes[recorded.listener_index],
                   .peer = peer,
                   .request = head,
                   .tls = recorded.tls.get(),
                   .asserted = recorded.asserted,
                   .assertion_refusals = recorded.assertion_refusals,
                   .id_high = recorded.id_high,
                   .id_low = recorded.id_low,
                   .connection_number = recorded.connection_number,
                   .obfuscation_key = *recorded.obfuscation_key},
                  out);
  explain_failure(recorded, out);
  if (recorded.is_cut)
    out.notes.emplace_back("the head was too long to be kept whole: what is missing may change all of this");
  if (!out.told_lines.empty())
    out.notes.emplace_back("fields that say nothing of the client, and the query, were not kept");
  return out;
}

std::string render_recorded(std::vector<RecordedRequest> all, const ExplainQuery& query) {
  std::ranges::stable_sort(all, std::greater{}, &RecordedRequest::time);
  if (query.id && all.empty()) return {};
  if (!query.id && all.size() > query.last) all.resize(query.last);
  std::vector<Explanation> explained;
  for (const auto& each : all) explained.push_back(explain_recorded(each));
  if (!query.as_text) return query.id ? render_json(explained.front()) + '\n' : render_json(explained);
  if (explained.empty()) return "no request yet\n";
  std::string out;
  for (const auto& each : explained) {
    if (!out.empty()) out += "\n----\n\n";
    out += render_text(each);
  }
  return out;
}

}  // namespace telltale::proxy
