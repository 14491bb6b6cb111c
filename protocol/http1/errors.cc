#include "protocol/http1/parser.h"

namespace telltale::http1 {
namespace {

// Boost's error_category has a protected destructor that is not virtual, on purpose: categories are constants.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class Category final : public boost::system::error_category {
 public:
  constexpr Category() : error_category(0x9d4c2a61f0b37e15) {}
  const char* name() const noexcept override { return "http1"; }
  std::string message(int value) const override { return text(value); }
  const char* message(int value, char*, std::size_t) const noexcept override { return text(value); }

 private:
  static const char* text(int value) noexcept {
    switch (static_cast<Error>(value)) {
      case Error::malformed:
        return "malformed message head";
      case Error::bad_version:
        return "HTTP version not supported";
      case Error::target_too_long:
        return "request target too long";
      case Error::head_too_large:
        return "message head too large";
      case Error::too_many_fields:
        return "too many header fields";
      case Error::bad_target:
        return "bad request target";
      case Error::bad_host:
        return "missing, repeated or bad Host";
      case Error::bad_framing:
        return "ambiguous or bad message framing";
      case Error::bad_connection:
        return "Connection nominates a field that it must not, or too many";
      case Error::connect_refused:
        return "CONNECT is not served";
      case Error::bad_expect:
        return "expectation not supported";
      case Error::bad_chunk:
        return "malformed chunked coding";
      case Error::unknown_coding:
        return "transfer coding not supported";
      case Error::bad_field:
        return "field name with an underscore refused";
      case Error::unexpected_upgrade:
        return "101 without an upgrade asked for";
    }
    return "unknown HTTP/1 error";
  }
};
#pragma GCC diagnostic pop
constexpr Category category;

}  // namespace

const boost::system::error_category& error_category() { return category; }

boost::system::error_code make_error_code(Error error) { return {static_cast<int>(error), category}; }

unsigned status_for(boost::system::error_code error) {
  if (error.category() != category) return 400;
  switch (static_cast<Error>(error.value())) {
    case Error::connect_refused:
      return 405;
    case Error::target_too_long:
      return 414;
    case Error::bad_expect:
      return 417;
    case Error::head_too_large:
    case Error::too_many_fields:
      return 431;
    case Error::unknown_coding:
      return 501;
    case Error::bad_version:
      return 505;
    default:
      return 400;
  }
}

}  // namespace telltale::http1
