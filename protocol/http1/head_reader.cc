#include "protocol/http1/head_reader.h"

#include "protocol/http1/syntax.h"

namespace telltale::http1 {
namespace {

/// What was wrong when llhttp itself stopped. Its findings are final: nothing is repaired.
Error error_for(llhttp_errno_t error) {
  switch (error) {
    case HPE_INVALID_URL:
      return Error::bad_target;
    case HPE_INVALID_VERSION:
      return Error::bad_version;
    case HPE_UNEXPECTED_CONTENT_LENGTH:
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_INVALID_TRANSFER_ENCODING:
      return Error::bad_framing;
    default:
      return Error::malformed;
  }
}

}  // namespace

struct HeadReader::Callbacks {
  static HeadReader& self(llhttp_t* lexer) { return *static_cast<HeadReader*>(lexer->data); }

  static int text(llhttp_t* lexer, const char* at, std::size_t length) {
    self(lexer).text_->append(at, length);
    return 0;
  }
  /// Makes every field a plain one to llhttp, which would refuse HTAB behind the digits of Content-Length, legal as
  /// that is (RFC 9110 5.5): framing.h and connection.h judge the values, and more strictly.
  static int name(llhttp_t* lexer, const char* at, std::size_t length) {
    lexer->header_state = 0;
    self(lexer).name_.add(at, length);
    return 0;
  }
  static int value(llhttp_t* lexer, const char* at, std::size_t length) {
    self(lexer).value_.add(at, length);
    return 0;
  }
  static int value_complete(llhttp_t* lexer) {
    self(lexer).finish_field();
    return 0;
  }
  /// Stops llhttp before it decides anything about a body: that is framing.h's.
  static int headers_complete(llhttp_t* lexer) {
    self(lexer).complete_ = true;
    return HPE_PAUSED;
  }

  static const llhttp_settings_t& settings() {
    static const llhttp_settings_t instance = [] {
      llhttp_settings_t s;
      llhttp_settings_init(&s);
      s.on_url = text;
      s.on_status = text;
      s.on_header_field = name;
      s.on_header_value = value;
      s.on_header_value_complete = value_complete;
      s.on_headers_complete = headers_complete;
      return s;
    }();
    return instance;
  }
};

void HeadReader::start(llhttp_type_t type, const HeadLimits& limits, std::string& text, http::HeaderBlock& fields) {
  llhttp_init(&lexer_, type, &Callbacks::settings());
  lexer_.data = this;
  underscores_ = limits.underscores;
  complete_ = false;
  refused_underscore_ = false;
  error_ = Error::malformed;
  text_ = &text;
  fields_ = &fields;
  name_.release();
  value_.release();
}

void HeadReader::start_request(const HeadLimits& limits, std::size_t counted, std::string& text,
                               http::HeaderBlock& fields) {
  start(HTTP_REQUEST, limits, text, fields);
  rules_.start_request(limits, counted);
  constexpr std::string_view method = "GET ";
  llhttp_execute(&lexer_, method.data(), method.size());
}

void HeadReader::start_response(const HeadLimits& limits, std::string& text, http::HeaderBlock& fields) {
  start(HTTP_RESPONSE, limits, text, fields);
  underscores_ = UnderscorePolicy::pass;
  rules_.start_response(limits);
}

Outcome HeadReader::feed(std::string_view octets) {
  const OctetRules::Scan scan = rules_.scan(octets);
  // llhttp sees every allowed octet even if a later one is refused, so that the first error wins for any cut.
  const std::string_view allowed = octets.substr(0, scan.octets);
  const llhttp_errno_t result = allowed.empty() ? HPE_OK : llhttp_execute(&lexer_, allowed.data(), allowed.size());
  if (result != HPE_OK && result != HPE_PAUSED) return fail(error_for(result), scan.octets);
  if (scan.status == Status::failed) return fail(scan.error, scan.octets);
  const bool at_end = scan.status == Status::complete;
  if (complete_ != at_end || (at_end && llhttp_get_error_pos(&lexer_) != allowed.data() + allowed.size())) {
    return fail(Error::malformed, scan.octets);
  }
  if (!at_end) {
    name_.keep();
    value_.keep();
  }
  return {scan.status, scan.octets};
}

Outcome HeadReader::fail(Error error, std::size_t octets) {
  error_ = error;
  return {Status::failed, octets};
}

void HeadReader::finish_field() {
  const std::string_view name = name_.view();
  bool kept = true;
  if (name.find('_') != std::string_view::npos) {
    // `X_Forwarded_For`, `Content_Length`: a backend may take them for the real ones (GHSA-5m6w-wvh7-57vm), we do not.
    const bool known = http::field_id(name) != http::FieldId::other;
    kept = !known && underscores_ == UnderscorePolicy::pass;
    refused_underscore_ |= !known && underscores_ == UnderscorePolicy::reject;
  }
  if (kept) fields_->append(name, trim_ows(value_.view()));
  name_.clear();
  value_.clear();
}

}  // namespace telltale::http1
