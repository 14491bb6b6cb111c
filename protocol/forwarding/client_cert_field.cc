#include "protocol/forwarding/client_cert_field.h"

#include <cstddef>

namespace telltale::forwarding {
namespace {

/// Of a name by RFC 4514: `\\` becomes `\5C`; every other escape stays.
void append_subject(std::string& out, std::string_view subject) {
  for (std::size_t i = 0; i < subject.size(); ++i) {
    const bool escapes = subject[i] == '\\' && i + 1 < subject.size();
    if (escapes && subject[i + 1] != '\\') {
      out.append(subject, i, 2);
      ++i;
    } else if (subject[i] == '\\') {
      out += "\\5C";
      if (escapes) ++i;
    } else if (subject[i] == '"') {
      out += "\\\"";
    } else {
      out += subject[i];
    }
  }
}

void append_name(std::string& out, std::string_view key, std::string_view name) {
  if (name.empty() || name.find_first_of("\"\\") != std::string_view::npos) return;
  const bool quoted = name.find_first_of(",;=") != std::string_view::npos;
  out += key;
  if (quoted) out += '"';
  out += name;
  if (quoted) out += '"';
}

void append_names(std::string& out, std::string_view key, std::string_view kind, const ClientCertificate& certificate) {
  for (const std::string_view san : certificate.sans) {
    if (san.starts_with(kind)) append_name(out, key, san.substr(kind.size()));
  }
}

}  // namespace

void append_client_cert_element(std::string& out, const ClientCertificate& certificate) {
  out.append("Hash=").append(certificate.fingerprint).append(";Subject=\"");
  append_subject(out, certificate.subject);
  out += '"';
  append_names(out, ";URI=", "URI:", certificate);
  append_names(out, ";DNS=", "DNS:", certificate);
}

bool is_whole_client_cert_list(std::string_view value) {
  bool open = false, open_to_simple_reader = false, escaped = false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '"') {
      if (!escaped) open = !open;
      if (!open_to_simple_reader || value[i - 1] != '\\') open_to_simple_reader = !open_to_simple_reader;
    }
    escaped = open && !escaped && value[i] == '\\';
  }
  return !open && !open_to_simple_reader;
}

}  // namespace telltale::forwarding
