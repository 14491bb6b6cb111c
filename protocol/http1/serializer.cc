#include "protocol/http1/serializer.h"

#include "protocol/http1/connection.h"

#include <charconv>

namespace telltale::http1 {
namespace {

void append_number(std::string& out, std::uint64_t value) {
  char digits[20];
  const auto written = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, written.ptr);
}

void append_content_length(std::string& out, std::uint64_t length) {
  out += "Content-Length: ";
  append_number(out, length);
  out += "\r\n";
}

}  // namespace

bool is_hop_by_hop(const http::HeaderBlock& fields, http::FieldId id, std::string_view name) {
  using http::FieldId;
  switch (id) {
    case FieldId::connection:
    case FieldId::keep_alive:
    case FieldId::proxy_connection:
    case FieldId::te:
    case FieldId::transfer_encoding:
    case FieldId::upgrade:
    case FieldId::http2_settings:
      return true;
    default:
      return is_nominated(fields, name);
  }
}

void append_request_line(std::string& out, const RequestHead& head, std::string_view host) {
  out += head.method_text;
  out += ' ';
  out += head.target;
  out += " HTTP/1.1\r\nHost: ";
  out += head.authority.empty() ? host : std::string_view(head.authority);
  out += "\r\n";
}

void append_status_line(std::string& out, unsigned status, std::string_view reason) {
  out += "HTTP/1.1 ";
  append_number(out, status);
  out += ' ';
  out += reason;
  out += "\r\n";
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

void append_framing(std::string& out, const BodyFraming& body, bool write_zero_length) {
  switch (body.kind) {
    case Framing::content_length:
      append_content_length(out, body.length);
      break;
    case Framing::chunked:
      out += "Transfer-Encoding: chunked\r\n";
      break;
    case Framing::none:
      if (write_zero_length) append_content_length(out, 0);
      break;
    case Framing::until_close:
      break;
  }
}

void append_framing(std::string& out, const ResponseHead& head) {
  if (head.declared_length) {
    append_content_length(out, *head.declared_length);
  } else {
    append_framing(out, head.body, false);
  }
}

}  // namespace telltale::http1
