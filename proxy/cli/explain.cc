#include "proxy/cli/explain.h"

#include "conf/loader.h"
#include "conf/suggest.h"
#include "conf/text.h"
#include "protocol/forwarding/x_forwarded_for.h"
#include "proxy/cli/exit_codes.h"
#include "proxy/explain/offline.h"
#include "proxy/explain/proxy_header_text.h"
#include "proxy/server/key_files.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <ostream>

namespace telltale::proxy {
namespace {

using conf::quote;

/// Says to `err` what is wrong with the options.
class Usage {
 public:
  explicit Usage(std::ostream& err) : err_(err) {}
  bool wrong(std::string_view option, const std::string& message) {
    err_ << "telltale explain: " << option << ": " << message << '\n';
    return false;
  }

 private:
  std::ostream& err_;
};

bool has_controls(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
}

bool find_listener(Usage& usage, const conf::Model& model, const std::string& name, std::size_t& index) {
  if (name.empty() && model.listeners.size() == 1) {
    index = 0;
    return true;
  }
  std::vector<std::string_view> names;
  std::string all;
  for (const auto& listener : model.listeners) {
    names.push_back(listener.name);
    all += (all.empty() ? "" : ", ") + listener.name;
  }
  if (name.empty()) return usage.wrong("--listener", "there are several, say which: " + all);
  const auto found = std::ranges::find(names, std::string_view(name));
  if (found == names.end()) {
    return usage.wrong("--listener",
                       "there is no " + quote(name) + "; " + conf::did_you_mean(name, names, "there is " + all));
  }
  index = static_cast<std::size_t>(found - names.begin());
  return true;
}

bool read_addresses(Usage& usage, const ExplainOptions& options, OfflineRequest& request) {
  if (options.peer != "unix") {
    request.peer = forwarding::parse_address_entry(options.peer);
    if (!request.peer) {
      return usage.wrong("--peer", quote(options.peer) + " is neither ADDRESS, ADDRESS:PORT, [V6]:PORT nor unix");
    }
  }
  if (options.local.empty()) return true;
  request.local = net::parse_ip_port(options.local);
  return request.local ? true : usage.wrong("--local", quote(options.local) + " is not ADDRESS:PORT or [V6]:PORT");
}

bool read_proxy_headers(Usage& usage, const ExplainOptions& options, const conf::Listener& listener,
                        OfflineRequest& request) {
  for (const auto& text : options.proxy_headers) {
    auto header = read_proxy_header(text, request.local ? request.local : listener.listen.ip);
    if (!header.error.empty()) return usage.wrong("--proxy-header", header.error);
    request.proxy_octets += header.octets;
  }
  if (options.proxy_header_file.empty()) return true;
  std::ifstream in(options.proxy_header_file, std::ios::binary);
  request.proxy_octets.append(std::istreambuf_iterator<char>(in), {});
  return in.is_open() ? true : usage.wrong("--proxy-header-file", "cannot read " + quote(options.proxy_header_file));
}

bool read_request(Usage& usage, const ExplainOptions& options, OfflineRequest& request) {
  for (const auto& header : options.headers) {
    if (header.find(':') == std::string::npos) {
      return usage.wrong("--header", quote(header) + " is not of the form 'Name: value'");
    }
    if (has_controls(header)) return usage.wrong("--header", "one field, without line breaks or controls");
  }
  for (const auto& [option, text] :
       {std::pair("--method", options.method), {"--path", options.path}, {"--host", options.host}}) {
    if (has_controls(text) || text.find(' ') != std::string::npos) return usage.wrong(option, "no blanks or controls");
  }
  request.headers = options.headers;
  request.method = options.method;
  request.path = options.path;
  if (!options.host.empty()) request.host = options.host;
  return true;
}

/// The keys that judge a signed assertion. The listener's own need not be readable by whoever asks.
bool read_keys(Usage& usage, const ExplainOptions& options, const conf::Listener& listener, OfflineRequest& request,
               std::optional<assertion::Keyring>& keys) {
  const auto& trust = listener.client_ip.assertion;
  const bool is_given = !options.assertion_keys.empty();
  if (!trust) {
    if (!is_given) return true;
    return usage.wrong("--assertion-keys",
                       "the listener " + quote(listener.name) + " believes no assertion; see client_ip.assertion");
  }
  request.now = options.now;
  try {
    keys.emplace(*read_key_file(is_given ? options.assertion_keys : trust->key_file).keys);
    request.keys = &*keys;
  } catch (const KeyFileError& error) {
    if (is_given) return usage.wrong("--assertion-keys", error.what());
    request.not_judged = error.what();
  }
  return true;
}

}  // namespace

int run_explain(const ExplainOptions& options, std::ostream& out, std::ostream& err) {
  const conf::LoadResult loaded = conf::load_file(options.config_path);
  if (loaded.has_errors()) err << conf::render(loaded, options.config_path);
  if (loaded.model == nullptr) return exit_configuration;
  const conf::Model& model = *loaded.model;
  Usage usage(err);
  OfflineRequest request;
  std::optional<assertion::Keyring> keys;
  std::size_t listener = 0;
  if (!find_listener(usage, model, options.listener, listener) || !read_addresses(usage, options, request) ||
      !read_proxy_headers(usage, options, model.listeners[listener], request) ||
      !read_request(usage, options, request) || !read_keys(usage, options, model.listeners[listener], request, keys)) {
    return exit_usage;
  }
  const Explanation explanation = explain_offline(model, listener, request);
  out << (options.json ? render_json(explanation) + '\n' : render_text(explanation));
  return exit_ok;
}

}  // namespace telltale::proxy
