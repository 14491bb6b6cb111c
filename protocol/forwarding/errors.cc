#include "protocol/forwarding/errors.h"

namespace telltale::forwarding {
namespace {

// Boost's error_category has a protected destructor that is not virtual, on purpose: categories are constants.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class Category final : public boost::system::error_category {
 public:
  constexpr Category() : error_category(0xb7a1c3d95e6f0284) {}
  const char* name() const noexcept override { return "forwarding"; }
  std::string message(int value) const override { return text(value); }
  const char* message(int value, char*, std::size_t) const noexcept override { return text(value); }

 private:
  static const char* text(int value) noexcept {
    switch (static_cast<Error>(value)) {
      case Error::not_an_address:
        return "the forwarding header of a trusted hop names something that is no address";
      case Error::malformed:
        return "the forwarding header of a trusted hop is malformed";
      case Error::list_too_long:
        return "the forwarding header of a trusted hop has too many entries";
    }
    return "unknown forwarding error";
  }
};
#pragma GCC diagnostic pop
constexpr Category category;

}  // namespace

const boost::system::error_category& error_category() { return category; }

boost::system::error_code make_error_code(Error error) { return {static_cast<int>(error), category}; }

boost::system::error_code error_of(const ClientAddress& client) {
  const Rejected* refusal = refusal_of(client);
  if (refusal == nullptr) return {};
  switch (refusal->reason) {
    case RejectReason::not_an_address:
      return make_error_code(Error::not_an_address);
    case RejectReason::list_too_long:
      return make_error_code(Error::list_too_long);
    default:
      return make_error_code(Error::malformed);
  }
}

}  // namespace telltale::forwarding
