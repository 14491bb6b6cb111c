#include "proxy/health/probes/http.h"

#include "proxy/health/healthz.h"
#include "proxy/health/http_answer.h"

#include <boost/asio/error.hpp>
#include <boost/beast/core/string.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace telltale::proxy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

void append_field(std::string& text, std::string_view name, std::string_view value) {
  text.append(name).append(": ").append(value).append("\r\n");
}

/// In the scratch: until somebody else writes there.
std::string_view request(const ProbeTarget& target, ProbeTools& tools) {
  const conf::Health& health = target.health;
  std::string& text = tools.scratch;
  const auto configured = [&health](std::string_view name) {
    return std::any_of(health.headers.begin(), health.headers.end(),
                       [name](const auto& field) { return boost::beast::iequals(field.first, name); });
  };
  text.assign("GET ").append(health.path).append(" HTTP/1.1\r\n");
  append_field(text, "Host", health.host);
  if (!configured("User-Agent")) append_field(text, "User-Agent", "telltale-probe/" TELLTALE_VERSION);
  if (!configured("Accept")) append_field(text, "Accept", "*/*");
  for (const auto& [name, value] : health.headers) append_field(text, name, value);
  text.append("\r\n");
  return text;
}

/// What came of one request.
struct Asked {
  error_code error;        ///< nothing, or only a part
  bool any_octet = false;  ///< something came, whatever it was
  bool as_before = false;  ///< the last result stands
  HttpAnswer answer;       ///< otherwise
  AnswerPrint print;       ///< of it, if it may be told by that
};

/// The rest of an answer that begins with `octets`.
Awaitable<Asked> read_answer(std::string_view octets, ProbeConnection& connection) {
  Asked asked;
  HttpAnswerReader reader;
  asked.error = reader.feed(octets);
  if (reader.done()) asked.print = AnswerPrint(octets);
  while (!asked.error && !reader.done()) {
    const ReadResult got = co_await connection.receive();
    asked.error = got.error == asio::error::eof ? reader.end() : got.error ? got.error : reader.feed(got.octets);
  }
  asked.any_octet = reader.any_octet();
  if (asked.error) co_return asked;
  asked.answer = reader.take();
  if (!asked.answer.keep) asked.print = {};
  co_return asked;
}

Awaitable<Asked> ask(const ProbeTarget& target, ProbeConnection& connection, ProbeTools& tools) {
  Asked asked;
  if (!connection.asked()) {
    asked.error = co_await connection.send(request(target, tools));
    if (asked.error) co_return asked;
  }
  const ReadResult got = co_await connection.receive();
  asked.error = got.error;
  if (asked.error) co_return asked;
  if (connection.is_answered_as_before(got.octets)) {
    asked.as_before = true;
    co_return asked;
  }
  co_return co_await read_answer(got.octets, connection);
}

/// Whether a kept connection ended on its own account, not because of this request. RFC 9110 15.5.9: a 408 may have
/// been on its way when the request was sent.
bool is_stale(const Asked& asked) {
  return asked.error ? !asked.any_octet : asked.answer.status == 408 && !asked.answer.keep;
}

ProbeResult judge(const HttpAnswer& answer, const conf::Health& health, BodyPatterns& patterns) {
  const auto weight = answer.weight ? std::optional<std::string_view>(*answer.weight) : std::nullopt;
  return judge_healthz(answer.status, answer.body, weight, health, patterns);
}

}  // namespace

Awaitable<void> probe_http(const ProbeTarget& target, ProbeConnection& connection, ProbeTools& tools) {
  const bool reused = connection.asked() || connection.is_silent();
  if (!reused) {
    const bool opened = co_await connection.open(target, tools);
    if (!opened) co_return;
  }
  Asked asked = co_await ask(target, connection, tools);
  if (reused && is_stale(asked) && !asked.as_before && !connection.expired()) {
    const bool opened = co_await connection.open(target, tools);
    if (!opened) co_return;
    asked = co_await ask(target, connection, tools);
  }
  if (asked.error || connection.expired()) {
    connection.conclude_failure(asked.error);
    co_return;
  }
  if (asked.as_before) co_return;
  if (!asked.answer.keep) connection.close();
  connection.conclude(judge(asked.answer, target.health, tools.patterns), asked.print);
}

bool probe_http_again(const ProbeTarget& target, ProbeConnection& connection, ProbeTools& tools) {
  return connection.ask_again(request(target, tools));
}

}  // namespace telltale::proxy
