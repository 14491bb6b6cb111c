#include "proxy/observe/admin_server.h"

#include "proxy/observe/host_check.h"
#include "proxy/observe/local_server.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

namespace telltale::proxy {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

constexpr std::size_t max_sessions = 64;
constexpr std::uint32_t max_head_bytes = 16 * 1024;
constexpr std::uint64_t max_body_bytes = 16 * 1024;         // of a request whose body nobody wants
constexpr auto request_timeout = std::chrono::seconds(30);  // idle time before it included
constexpr auto response_timeout = std::chrono::seconds(30);
constexpr unsigned unix_mode = 0660;

using Parser = http::request_parser<http::string_body>;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

struct Page {
  http::status status = http::status::ok;
  std::string_view type = "text/plain; charset=utf-8";
  std::string body;
  bool of_workers = false;  ///< says what workers do: see AdminSource::in_force
};

constexpr std::string_view index_html =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>telltale</title><h1>telltale " TELLTALE_VERSION
    "</h1><ul>"
    "<li><a href=\"/livez\">/livez</a> the process turns"
    "<li><a href=\"/readyz\">/readyz</a> it should be given traffic; ?verbose lists the checks"
    "<li><a href=\"/metrics\">/metrics</a> Prometheus text"
    "<li><a href=\"/services\">/services</a> nodes, endpoints and their health, JSON"
    "<li><a href=\"/explain\">/explain?last=N</a> who the clients of the last requests are, and why; "
    "/explain/ID one of them; format=text for people"
    "</ul></html>\n";

/// Whether the query is, or has among its parameters, this one.
bool has_parameter(std::string_view query, std::string_view name) {
  for (std::string_view rest = query; !rest.empty();) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view parameter = rest.substr(0, end);
    if (parameter.substr(0, parameter.find('=')) == name) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

Page ready_page(const AdminSource& source, std::string_view query) {
  const std::vector<ReadyCheck> checks = source.ready();
  std::string list, problems;
  for (const ReadyCheck& check : checks) {
    const bool right = check.problem.empty();
    list.append(right ? "[+]" : "[-]").append(check.name).append(right ? " ok" : " failed: " + check.problem) += '\n';
    if (!right) problems.append(problems.empty() ? "" : "; ").append(check.problem);
  }
  Page page;
  if (!problems.empty()) page.status = http::status::service_unavailable;
  if (has_parameter(query, "verbose")) {
    page.body = list + (problems.empty() ? "readyz check passed\n" : "readyz check failed\n");
  } else {
    page.body = problems.empty() ? "ready\n" : "not ready: " + problems + "\n";
  }
  return page;
}

Page live_page(const AdminSource&, std::string_view) { return {.body = "live\n"}; }
Page metrics_page(const AdminSource& source, std::string_view) {
  return {.type = "text/plain; version=0.0.4; charset=utf-8", .body = source.metrics(), .of_workers = true};
}
Page services_page(const AdminSource& source, std::string_view) {
  return {.type = "application/json", .body = source.services(), .of_workers = true};
}
Page index_page(const AdminSource&, std::string_view) {
  return {.type = "text/html; charset=utf-8", .body = std::string(index_html)};
}

constexpr struct {
  std::string_view path;
  Page (*make)(const AdminSource&, std::string_view query);
} pages[] = {
    {"/", index_page},       {"/livez", live_page},      {"/healthz", live_page},
    {"/readyz", ready_page}, {"/metrics", metrics_page}, {"/services", services_page},
};

/// What workers have to be asked for: it may be long in coming, and never come when the process ends.
struct PendingAnswer {
  PendingAnswer(const asio::any_io_executor& executor, std::chrono::milliseconds timeout) : came(executor, timeout) {}
  asio::steady_timer came;
  std::optional<std::string> text;
};

asio::awaitable<void> in_force(const AdminSource& source) {
  if (!source.in_force) co_return;
  const auto executor = co_await asio::this_coro::executor;
  const auto pending = std::make_shared<PendingAnswer>(executor, source.workers_timeout);
  source.in_force([pending] {
    pending->text.emplace();
    pending->came.cancel();
  });
  error_code error;
  if (!pending->text) co_await pending->came.async_wait(asio::redirect_error(asio::use_awaitable, error));
}

asio::awaitable<Page> explain_page(const AdminSource& source, const ExplainQuery& query) {
  Page page{.type = query.as_text ? "text/plain; charset=utf-8" : "application/json", .body = {}};
  const auto executor = co_await asio::this_coro::executor;
  const auto pending = std::make_shared<PendingAnswer>(executor, source.workers_timeout);
  source.explain(query, [pending](std::string text) {
    pending->text = std::move(text);
    pending->came.cancel();
  });
  error_code error;
  if (!pending->text) co_await pending->came.async_wait(asio::redirect_error(asio::use_awaitable, error));
  if (pending->text && !pending->text->empty()) {
    page.body = std::move(*pending->text);
    co_return page;
  }
  page.type = "text/plain; charset=utf-8";
  page.status = pending->text ? http::status::not_found : http::status::service_unavailable;
  page.body = pending->text ? "no such request among the last that were kept; see admin.explain_requests\n"
                            : "the workers did not answer in time\n";
  co_return page;
}

/// The question, if it is one that can be asked; else the page that says why not.
std::optional<ExplainQuery> explain_query(const AdminSource& source, const Request& request, Page& page) {
  if (page.status != http::status::not_found) return std::nullopt;  // refused, or another page
  auto query = parse_explain_query(request.target(), request[http::field::accept], request[http::field::user_agent]);
  if (!query) return std::nullopt;
  if (!source.explain) {
    page.body = "nothing is recorded: admin.explain_requests is 0\n";
    return std::nullopt;
  }
  if (query->error.empty()) return query;
  page.status = http::status::bad_request;
  page.body = query->error + "\n";
  return std::nullopt;
}

Page find_page(const AdminSource& source, std::string_view target) {
  const std::size_t end = std::min(target.find('?'), target.size());
  const std::string_view path = target.substr(0, end), query = target.substr(std::min(end + 1, target.size()));
  for (const auto& page : pages) {
    if (page.path == path) return page.make(source, query);
  }
  return {.status = http::status::not_found, .body = "no such page\n"};
}

Page answer(const AdminSource& source, const Request& request, bool check_host) {
  if (request.count(http::field::host) > 1 || (request.version() >= 11 && request.count(http::field::host) == 0)) {
    return {.status = http::status::bad_request, .body = "one Host field is needed\n"};  // RFC 9112 3.2
  }
  if (check_host && request.count(http::field::host) == 1 && !is_local_host_field(request[http::field::host])) {
    return {.status = http::status::misdirected_request,
            .body = "ask for localhost or an IP address, not for a name\n"};
  }
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    return {.status = http::status::method_not_allowed, .body = "GET and HEAD only\n"};
  }
  try {
    return find_page(source, request.target());
  } catch (const std::exception& error) {
    return {.status = http::status::internal_server_error, .body = std::string(error.what()) + "\n"};
  }
}

/// The status for a request that could not be read; nullopt: nobody is there to be told.
std::optional<Page> page_for(error_code error) {
  if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
  if (error.category() != make_error_code(http::error::bad_method).category()) return std::nullopt;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return Page{.status = http::status::request_header_fields_too_large, .body = "head too large\n"};
  }
  if (error == http::error::body_limit)
    return Page{.status = http::status::payload_too_large, .body = "body too large\n"};
  return Page{.status = http::status::bad_request, .body = error.message() + "\n"};
}

Response make_response(Page page, unsigned version, bool keep_alive, bool head_only) {
  Response response(page.status, version);
  response.set(http::field::content_type, page.type);
  // No CORS field, ever: a page in a browser may send requests here but must not read the answers.
  response.set(http::field::cache_control, "no-store");
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  if (page.status == http::status::method_not_allowed) response.set(http::field::allow, "GET, HEAD");
  response.keep_alive(keep_alive);
  response.content_length(page.body.size());
  if (!head_only) response.body() = std::move(page.body);
  return response;
}

}  // namespace

class AdminServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(const conf::Address& address, AdminSource source)
      : source_(std::move(source)), check_host_(address.ip && address.ip->address.is_loopback()) {}

  void start(asio::io_context& io, const conf::Address& address) {
    server_ = LocalServer::start(io, address, unix_mode, max_sessions,
                                 [self = shared_from_this()](LocalStream& stream) { return serve(self, stream); });
  }
  const conf::Address& address() const { return server_->address(); }
  /// What `source` refers to may be gone after this: no session asks it any more.
  void stop() { server_->stop(); }

 private:
  static asio::awaitable<void> serve(std::shared_ptr<Impl> self, LocalStream& stream) {
    beast::flat_buffer buffer(max_head_bytes + max_body_bytes);
    for (bool keep_alive = true; keep_alive;) {
      Parser parser;
      parser.header_limit(max_head_bytes);
      parser.body_limit(max_body_bytes);
      error_code error;
      stream.expires_after(request_timeout);
      co_await http::async_read(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, error));
      if (self->server_->stopped()) co_return;
      std::optional<Page> page;
      if (error) {
        page = page_for(error);
        if (!page) co_return;
      } else {
        page = answer(self->source_, parser.get(), self->check_host_);
        const auto query = explain_query(self->source_, parser.get(), *page);
        if (query) {
          page = co_await explain_page(self->source_, *query);
        } else if (page->of_workers) {
          co_await in_force(self->source_);
        }
        if (self->server_->stopped()) co_return;
      }
      keep_alive = !error && parser.keep_alive();
      Response response = make_response(std::move(*page), parser.get().version() == 10 ? 10 : 11, keep_alive,
                                        !error && parser.get().method() == http::verb::head);
      stream.expires_after(response_timeout);
      co_await http::async_write(stream, response, asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return;
    }
  }

  AdminSource source_;
  bool check_host_;
  std::shared_ptr<LocalServer> server_;
};

AdminServer::AdminServer(asio::io_context& io, const conf::Address& address, AdminSource source)
    : impl_(std::make_shared<Impl>(address, std::move(source))) {
  impl_->start(io, address);
}
AdminServer::~AdminServer() { stop(); }
conf::Address AdminServer::local_address() const { return impl_->address(); }
void AdminServer::stop() { impl_->stop(); }

}  // namespace telltale::proxy
