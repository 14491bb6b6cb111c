#include "protocol/http1/connection.h"

#include "protocol/http1/parser.h"
#include "protocol/http1/syntax.h"

namespace telltale::http1 {
namespace {

using http::FieldId;

bool may_be_nominated(std::string_view name) {
  const FieldId id = http::field_id(name);
  return !http::is_identity(id) && id != FieldId::host && id != FieldId::content_length &&
         id != FieldId::transfer_encoding;
}

/// `protocol-name [ "/" protocol-version ]`, RFC 9110 7.8.
bool is_tunnelled_protocol(std::string_view protocol) {
  const std::string_view name = protocol.substr(0, protocol.find('/'));
  if (!is_token(name)) return false;
  if (name.size() < protocol.size() && !is_token(protocol.substr(name.size() + 1))) return false;
  // h2, h2c and the drafts' h2c-14.
  return !iequals(name, "http") && !iequals(name.substr(0, 2), "h2");
}

}  // namespace

boost::system::result<ConnectionOptions> read_connection(const http::HeaderBlock& fields) {
  ConnectionOptions options;
  if (!fields.has(FieldId::connection)) return options;
  std::size_t count = 0;
  const auto read_option = [&](std::string_view option) {
    if (++count > max_nominations || !is_token(option)) return false;
    if (iequals(option, "close")) {
      options.close = true;
    } else if (iequals(option, "keep-alive")) {
      options.keep_alive = true;
    } else if (iequals(option, "upgrade")) {
      options.upgrade = true;
    } else {
      return may_be_nominated(option);
    }
    return true;
  };
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const http::HeaderBlock::Field field = fields[i];
    if (field.id == FieldId::connection && !for_each_element(field.value, read_option)) return Error::bad_connection;
  }
  return options;
}

bool is_nominated(const http::HeaderBlock& fields, std::string_view name) {
  if (!fields.has(FieldId::connection)) return false;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const http::HeaderBlock::Field field = fields[i];
    if (field.id != FieldId::connection || field.value.size() < name.size()) continue;
    if (!for_each_element(field.value, [&](std::string_view option) { return !iequals(option, name); })) return true;
  }
  return false;
}

bool may_tunnel(const http::HeaderBlock& fields) {
  bool any = false;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const http::HeaderBlock::Field field = fields[i];
    if (field.id != FieldId::upgrade) continue;
    const bool allowed = for_each_element(field.value, [&](std::string_view protocol) {
      any = true;
      return is_tunnelled_protocol(protocol);
    });
    if (!allowed) return false;
  }
  return any;
}

}  // namespace telltale::http1
