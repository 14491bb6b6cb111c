#include "proxy/cli/echo_answer.h"

#include "protocol/proxy_protocol/tlv_names.h"
#include "proxy/observe/escape.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace telltale::proxy {
namespace {

namespace json = boost::json;
using proxy_protocol::Tlv;
using proxy_protocol::TlvRange;

struct TlvLine {
  std::string name, text;
};

/// Each TLV by its name in the registry, or its type; an SSL TLV by its parts.
std::vector<TlvLine> tlv_lines(std::string_view section) {
  std::vector<TlvLine> lines;
  const auto add = [&](std::string_view tlv, const proxy_protocol::TlvSelector& selector) {
    std::string text;
    const bool present = proxy_protocol::append_tlv_text(text, tlv, selector);
    if (present) lines.push_back({proxy_protocol::tlv_name(selector), std::move(text)});
    return present;
  };
  for (const Tlv& tlv : TlvRange(section)) {
    const auto begin = static_cast<std::size_t>(tlv.value.data() - section.data()) - TlvRange::head_size;
    const std::string_view alone = section.substr(begin, TlvRange::head_size + tlv.value.size());
    bool named = false;
    for (const auto& row : proxy_protocol::named_tlvs()) named |= add(alone, row.selector);
    if (!named) add(alone, {.type = tlv.type});
  }
  return lines;
}

std::string proxy_end(const std::optional<net::IpPort>& address, const std::string& path) {
  if (address) return address->to_string();
  return path.empty() ? "" : "unix:" + path;
}

std::string_view command_name(proxy_protocol::Command command) {
  return command == proxy_protocol::Command::proxy ? "PROXY" : "LOCAL";
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

void append_proxy_text(std::string& out, const proxy_protocol::Header& header) {
  std::string names;
  for (const TlvLine& line : tlv_lines(header.tlvs)) {
    if (!names.empty()) names += ',';
    names += line.name;
  }
  out += "PROXY PROTOCOL:\nversion=" + std::to_string(static_cast<unsigned>(header.version));
  out.append(" command=").append(command_name(header.command));
  out += " source=" + or_dash(proxy_end(header.source, header.source_path));
  out += " destination=" + or_dash(proxy_end(header.destination, header.destination_path));
  out += " tlvs=" + or_dash(names) + "\n\n";
}

json::value proxy_json(const std::optional<proxy_protocol::Header>& header) {
  if (!header) return nullptr;
  json::object tlvs;
  for (const TlvLine& line : tlv_lines(header->tlvs)) tlvs[line.name] = line.text;
  const auto end = [](const std::optional<net::IpPort>& address, const std::string& path) {
    const std::string text = proxy_end(address, to_valid_utf8(path));
    return text.empty() ? json::value(nullptr) : json::value(text);
  };
  return json::object{{"version", static_cast<unsigned>(header->version)},
                      {"command", command_name(header->command)},
                      {"source", end(header->source, header->source_path)},
                      {"destination", end(header->destination, header->destination_path)},
                      {"tlvs", std::move(tlvs)}};
}

std::string client_address(const EchoRequest& request) {
  return request.peer ? request.peer->address.to_string() : "unix";
}

/// The target without scheme and authority (absolute form, RFC 9112 3.2.2).
std::string_view origin_form(std::string_view target) {
  const std::size_t scheme_end = target.find("://");
  if (target.starts_with('/') || scheme_end == std::string_view::npos) return target;
  const std::size_t path = target.find_first_of("/?", scheme_end + 3);
  return path == std::string_view::npos ? "/" : target.substr(path);
}

/// `http://host:port/target`: the host as asked for, the port as it is, as nginx's $host and $server_port give them.
std::string request_uri(const EchoRequest& request) {
  std::string_view host = request.header("host");
  const std::size_t bracket = host.starts_with('[') ? host.find(']') : std::string_view::npos;
  host = host.substr(0, bracket != std::string_view::npos ? bracket + 1 : host.find(':'));
  std::string uri = "http://" + std::string(host.empty() ? "localhost" : host);
  if (request.local) uri += ":" + std::to_string(request.local->port);
  return uri + std::string(origin_form(request.target));
}

}  // namespace

std::string_view EchoRequest::path() const {
  const std::string_view text = origin_form(target);
  return text.substr(0, text.find('?'));
}

std::optional<std::string_view> EchoRequest::query() const {
  const std::size_t mark = target.find('?');
  if (mark == std::string::npos) return std::nullopt;
  return std::string_view(target).substr(mark + 1);
}

std::string_view EchoRequest::header(std::string_view lower_case_name) const {
  const auto found =
      std::find_if(headers.begin(), headers.end(), [&](const auto& line) { return line.first == lower_case_name; });
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

std::string echo_as_text(const EchoRequest& request) {
  std::string out = "CLIENT VALUES:\nclient_address=" + client_address(request);
  out += "\ncommand=" + request.method;
  out += "\nreal path=" + std::string(origin_form(request.target));  // with the query: nginx's $request_uri
  out += "\nquery=" + std::string(request.query().value_or("nil"));
  out += "\nrequest_version=1." + std::to_string(request.http_minor);
  out += "\nrequest_uri=" + request_uri(request);
  out += "\n\nSERVER VALUES:\nserver_version=telltale " TELLTALE_VERSION "\n\nHEADERS RECEIVED:\n";
  for (const auto& [name, value] : request.headers) out.append(name).append("=").append(value).append("\n");
  out += '\n';
  if (request.proxy) append_proxy_text(out, *request.proxy);
  out += "BODY:\n";
  if (request.body_size == 0) {
    out += "-no body in request-";
  } else if (request.body_size > EchoRequest::max_shown_body) {
    out += "-body of " + std::to_string(request.body_size) + " octets, not shown-";
  } else {
    out += request.body;
  }
  return out += '\n';
}

std::string echo_as_json(const EchoRequest& request) {
  json::object headers;
  for (const auto& [name, value] : request.headers) {
    json::value& values = headers[to_valid_utf8(name)];
    if (!values.is_array()) values.emplace_array();
    values.as_array().emplace_back(to_valid_utf8(value));
  }
  json::object out{{"client_address", client_address(request)},
                   {"client_port", request.peer ? request.peer->port : 0},
                   {"method", request.method},
                   {"path", to_valid_utf8(request.path())},
                   {"query", nullptr},
                   {"version", "1." + std::to_string(request.http_minor)},
                   {"headers", std::move(headers)},
                   {"proxy_protocol", proxy_json(request.proxy)},
                   {"body", nullptr},
                   {"body_size", request.body_size}};
  if (const auto query = request.query()) out["query"] = to_valid_utf8(*query);
  if (request.body_size <= EchoRequest::max_shown_body) out["body"] = to_valid_utf8(request.body);
  return json::serialize(out) + '\n';
}

bool accepts_json(std::string_view accept) {
  constexpr std::string_view json_type = "application/json";
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a | 0x20) : a) == b; };
  return std::search(accept.begin(), accept.end(), json_type.begin(), json_type.end(), same) != accept.end();
}

}  // namespace telltale::proxy
