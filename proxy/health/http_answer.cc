#include "proxy/health/http_answer.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/error.hpp>

#include <utility>

namespace telltale::proxy {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr const char* weight_field = "X-Load-Balancing-Endpoint-Weight";
/// More interim answers than this before the final one are no answer.
constexpr unsigned max_interim = 4;

}  // namespace

HttpAnswerReader::HttpAnswerReader() { begin_message(); }

void HttpAnswerReader::begin_message() {
  parser_.emplace();
  parser_->header_limit(max_probe_head_bytes);
  parser_->body_limit(boost::none);
  parser_->eager(true);
}

error_code HttpAnswerReader::feed(std::string_view octets) {
  received_ += octets.size();
  pending_.append(octets);
  while (!pending_.empty() && !done_) {
    error_code error;
    const std::size_t parsed = parser_->put(asio::buffer(pending_), error);
    pending_.erase(0, parsed);
    if (error && error != http::error::need_more) return error;
    const bool enough = parser_->is_header_done() && received_ > max_probe_body_bytes + max_probe_head_bytes;
    done_ = parser_->is_done() || enough;
    if (done_ && pass_over_interim(error)) continue;
    if (error) return error == http::error::need_more ? error_code() : error;
  }
  return {};
}

bool HttpAnswerReader::pass_over_interim(error_code& error) {
  const unsigned status = parser_->get().result_int();
  if (status / 100 != 1 || status == 101) return false;
  done_ = false;
  if (++interim_ > max_interim) {
    error = http::error::bad_status;
    return false;
  }
  received_ = pending_.size();
  begin_message();
  return true;
}

error_code HttpAnswerReader::end() {
  if (!parser_->got_some()) return interim_ == 0 ? error_code(asio::error::eof) : http::error::partial_message;
  error_code error;
  parser_->put_eof(error);
  done_ = !error;
  return error;
}

HttpAnswer HttpAnswerReader::take() {
  auto& message = parser_->get();
  HttpAnswer answer;
  answer.status = message.result_int();
  const auto weight = message.find(weight_field);
  if (weight != message.end()) answer.weight.emplace(weight->value());
  answer.keep = parser_->is_done() && parser_->keep_alive() && pending_.empty() && answer.status != 101;
  answer.body = std::move(message.body());
  if (answer.body.size() > max_probe_body_bytes) answer.body.resize(max_probe_body_bytes);
  return answer;
}

}  // namespace telltale::proxy
