#include "proxy/health/probes/http.h"

#include "proxy/health/healthz.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace telltale::proxy {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr auto token = asio::as_tuple(asio::use_awaitable_t<ProbeExecutor>());
constexpr std::string_view weight_field = "X-Load-Balancing-Endpoint-Weight";
/// More interim answers (RFC 9110 15.2) than this before the final one are no answer.
constexpr unsigned max_interim = 4;

/// Beast's string_body reserves what Content-Length claims, before any of it came. This one takes what comes.
struct ArrivedBody {
  using value_type = std::string;
  class reader {
   public:
    template <bool is_request, class Fields>
    reader(http::header<is_request, Fields>&, value_type& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>&, error_code& error) { error = {}; }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, error_code& error) {
      error = {};
      std::size_t taken = 0;
      for (const auto buffer : beast::buffers_range_ref(buffers)) {
        body_.append(static_cast<const char*>(buffer.data()), buffer.size());
        taken += buffer.size();
      }
      return taken;
    }
    void finish(error_code& error) { error = {}; }

   private:
    value_type& body_;
  };
};

struct Answer {
  error_code error;
  bool any_octet = false;  ///< something came, whatever it was
  bool keep = false;       ///< the connection may be used again
  unsigned status = 0;
  std::string body;
  std::optional<std::string> weight;
};

std::string request_text(const ProbeTarget& target, bool fresh) {
  std::string text = fresh ? proxy_preamble(target.health.send_proxy) : std::string();
  text.append("GET ").append(target.health.path).append(" HTTP/1.1\r\nHost: ").append(target.health.host);
  text.append("\r\nUser-Agent: telltale-probe/" TELLTALE_VERSION "\r\nAccept: */*\r\n\r\n");
  return text;
}

/// Reads one final answer. A body beyond the limit is left where it is: the status has decided.
ProbeAwaitable<Answer> receive(ProbeConnection::Socket& socket) {
  Answer answer;
  beast::flat_buffer buffer(2 * max_probe_head_bytes);
  for (unsigned interim = 0; interim <= max_interim; ++interim) {
    http::response_parser<ArrivedBody> parser;
    parser.header_limit(max_probe_head_bytes);
    parser.body_limit(boost::none);
    parser.eager(true);
    std::size_t received = 0;
    while (!parser.is_done() && received <= max_probe_body_bytes + max_probe_head_bytes) {
      const auto [error, octets] = co_await http::async_read_some(socket, buffer, parser, token);
      received += octets;
      answer.any_octet |= octets > 0 || buffer.size() > 0;
      answer.error = error;
      if (error) co_return answer;
    }
    auto& message = parser.get();
    answer.status = message.result_int();
    if (answer.status / 100 == 1 && answer.status != 101) continue;
    const auto weight = message.find(weight_field);
    if (weight != message.end()) answer.weight.emplace(weight->value());
    answer.keep = parser.is_done() && parser.keep_alive() && buffer.size() == 0 && answer.status != 101;
    answer.body = std::move(message.body());
    if (answer.body.size() > max_probe_body_bytes) answer.body.resize(max_probe_body_bytes);
    co_return answer;
  }
  answer.error = http::error::bad_status;
  co_return answer;
}

ProbeAwaitable<Answer> exchange(const ProbeTarget& target, ProbeConnection& connection, bool fresh) {
  connection.enter(ProbeConnection::Phase::send);
  const std::string request = request_text(target, fresh);
  const auto [error, sent] = co_await asio::async_write(connection.socket(), asio::buffer(request), token);
  if (error) {
    Answer answer;
    answer.error = error;
    co_return answer;
  }
  connection.enter(ProbeConnection::Phase::receive);
  co_return co_await receive(connection.socket());
}

/// Whether a kept connection ended on its own account, not because of this request. RFC 9110 15.5.9: a 408 may have
/// been on its way when the request was sent.
bool stale(const Answer& answer) { return answer.error ? !answer.any_octet : answer.status == 408 && !answer.keep; }

const ProbeResult& judge(const Answer& answer, bool strict, ProbeConnection::Remembered& last) {
  std::size_t digest = std::hash<std::string>()(answer.body) * 1000 + answer.status;
  if (answer.weight) digest += std::hash<std::string>()(*answer.weight);
  if (last.digest != digest || !last.result.answered) {
    const auto weight = answer.weight ? std::optional<std::string_view>(*answer.weight) : std::nullopt;
    last = {digest, judge_healthz(answer.status, answer.body, weight, strict)};
  }
  return last.result;
}

}  // namespace

ProbeAwaitable<ProbeResult> probe_http(const ProbeTarget& target, ProbeConnection& connection) {
  const bool reused = connection.reusable();
  error_code error;
  if (!reused) error = co_await connection.open(target.address);
  Answer answer;
  if (!error) {
    answer = co_await exchange(target, connection, !reused);
    error = answer.error;
    if (reused && stale(answer) && !connection.expired()) {
      error = co_await connection.open(target.address);
      if (!error) {
        answer = co_await exchange(target, connection, true);
        error = answer.error;
      }
    }
  }
  if (error || connection.expired()) {
    const ProbeResult failed = connection.failure(error);
    connection.close();
    co_return failed;
  }
  if (!answer.keep) connection.close();
  co_return judge(answer, target.health.strict, connection.remembered());
}

}  // namespace telltale::proxy
