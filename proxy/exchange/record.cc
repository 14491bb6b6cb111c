// What is told of an exchange when it has ended: metrics, access log, the ring for /explain.
#include "proxy/exchange/exchange.h"

namespace telltale::proxy {

void Exchange::finish() {
  const std::size_t status_class = status_ / 100 < metrics_->responses.size() ? status_ / 100 : 0;
  metrics_->responses[status_class].add();
  if (failure_) metrics_->failures[static_cast<std::size_t>(reason_of(failure_))].add();
  metrics_->request_duration.observe(worker_.loop.now() - began_);  // to the pass: far finer than its buckets
  if (worker_.access_log != nullptr) write_record();
  if (worker_.recorder != nullptr) record_for_explain();
  leave_endpoint();
}

void Exchange::record_for_explain() {
  RecordedRequest& record = worker_.recorder->next();
  record.kind = head_refused_ ? RecordedRequest::Kind::refused_head : RecordedRequest::Kind::request;
  record.time = std::chrono::system_clock::now();
  record.id_high = id_.high;
  record.id_low = id_.low;
  // Nearly always the same: then the count of its users, which the workers share, is left alone.
  if (record.snapshot != connection_->snapshot) record.snapshot = connection_->snapshot;
  record.listener_index = connection_->listener_index;
  record.take_assertion(resolved_);
  record.connection_number = connection_->number;
  record.obfuscation_key = &worker_.obfuscation_key;
  record.take_peer(connection_->peer);
  record.tls = connection_->tls;
  record.endpoint.clear();
  if (endpoint_ != nullptr) record.endpoint = endpoint_->endpoint->address_text;
  record.status = status_;
  record.failure = failure_;
  record.take_head(client_->request(), connection_->listener->client_ip.header);
}

/// Of a tunnel: whose end was the first, else whose failure ended it.
Side Exchange::ended_by() const {
  if (!tunnel_ || tunnel_end_ != Side::none) return tunnel_end_;
  const Reason reason = reason_of(failure_);
  return reason == Reason::idle_timeout || reason == Reason::shutdown ? Side::proxy : failure_.side;
}

void Exchange::write_record() {
  const auto& request = client_->request();
  AccessRecord record;
  record.time = std::chrono::system_clock::now();
  record.request_id_high = id_.high;
  record.request_id_low = id_.low;
  record.client = &resolved_;
  record.peer = &connection_->peer;
  record.tls = connection_->tls.get();
  record.listener = connection_->listener->name;
  if (route_ != nullptr) record.route = route_->name;
  if (service_ != nullptr) record.service = service_->conf().name;
  if (endpoint_ != nullptr) {
    const Endpoint& endpoint = *endpoint_->endpoint;
    record.endpoint = endpoint.address_text;
    if (endpoint.node != nullptr) record.node = endpoint.node->display_name;
  }
  record.method = request.method_text;
  record.host = request.authority;
  record.target = request.target;
  record.protocol = client_->protocol();
  for (const auto field : request.fields) {
    if (http::folded_equal(field.name, "user-agent")) record.user_agent = field.value;
  }
  record.status = status_;
  record.bytes_received = client_->body_octets_received();
  record.bytes_sent = client_->body_octets_sent();
  record.duration = EventLoop::Clock::now() - began_;
  record.connect_duration = connect_duration_;
  if (head_at_ > sent_at_) record.response_duration = head_at_ - sent_at_;
  record.tries = tries_;
  record.reused_connection = tries_ > 0 && !connecting_;
  record.failure = failure_;
  const std::string detail = describe(failure_);
  record.failure_detail = detail;
  record.ended_by = ended_by();
  worker_.access_log->write(record);
}

}  // namespace telltale::proxy
