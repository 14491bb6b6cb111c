#include "protocol/tls/client_hello.h"

#include "protocol/tls/client_hello_body.h"

#include <algorithm>
#include <iterator>

namespace telltale::tls {
namespace {

struct ErrorText {
  Error error;
  const char* label;
  const char* message;
};
constexpr ErrorText error_texts[] = {
    {Error::record_type, "record_type", "ClientHello: interrupted by a record that is no handshake"},
    {Error::record_length, "record_length", "ClientHello: a record is empty or longer than 16384 octets"},
    {Error::not_client_hello, "not_client_hello", "ClientHello: another handshake message comes first"},
    {Error::bad_version, "bad_version", "ClientHello: SSL 3.0 or older, or no version of TLS"},
    {Error::bad_length, "bad_length", "ClientHello: a field or list breaks its bounds"},
    {Error::trailing_octets, "trailing_octets", "ClientHello: octets behind its end"},
    {Error::duplicate_extension, "duplicate_extension", "ClientHello: two extensions of one type"},
    {Error::bad_server_name, "bad_server_name", "ClientHello: malformed list of server names"},
    {Error::bad_host_name, "bad_host_name", "ClientHello: the server name is not a host name"},
    {Error::bad_alpn, "bad_alpn", "ClientHello: malformed list of application protocols"},
    {Error::bad_supported_versions, "bad_supported_versions", "ClientHello: malformed list of supported versions"},
    {Error::psk_not_last, "psk_not_last", "ClientHello: an extension behind pre_shared_key"},
    {Error::message_too_long, "message_too_long", "ClientHello: the message is above the limit"},
    {Error::too_many_octets, "too_many_octets", "ClientHello: its records are above the limit"},
};

const ErrorText* find_text(int value) {
  const auto* text = std::find_if(std::begin(error_texts), std::end(error_texts),
                                  [value](const ErrorText& t) { return static_cast<int>(t.error) == value; });
  return text == std::end(error_texts) ? nullptr : text;
}

// Boost's base has no virtual destructor, and needs none: categories are static.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class Category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "telltale.tls"; }
  std::string message(int value) const override {
    const ErrorText* text = find_text(value);
    return text ? text->message : "unknown ClientHello error";
  }
};
#pragma GCC diagnostic pop

// RFC 8446 5.1: type, legacy_record_version, length.
constexpr std::size_t record_head_size = 5;
constexpr std::size_t max_fragment_size = 1 << 14;
constexpr std::uint8_t handshake_record = 22;
// RFC 8446 4: type, length in 24 bits.
constexpr std::size_t message_head_size = 4;
constexpr std::uint8_t client_hello_message = 1;

std::uint8_t octet(std::string_view octets, std::size_t i) { return static_cast<std::uint8_t>(octets[i]); }

// The octets of a record's head that there are so far. RFC 5246 E.1: of the version the major number alone counts, for
// clients write any minor one there; RFC 8446 5.1 says to ignore it.
bool is_handshake_record(std::string_view octets) {
  return (octets.empty() || octet(octets, 0) == handshake_record) && (octets.size() < 2 || octet(octets, 1) == 3);
}

}  // namespace

const boost::system::error_category& error_category() {
  static const Category category;
  return category;
}

boost::system::error_code make_error_code(Error error) { return {static_cast<int>(error), error_category()}; }

std::string_view error_label(Error error) {
  const ErrorText* text = find_text(static_cast<int>(error));
  return text ? text->label : "unknown";
}

// Records in turn. Every judgement is made as soon as the octets that it needs are there, and before the next one: thus
// the first fault is the same for any cut.
ClientHelloPeek::Outcome ClientHelloPeek::scan(std::string_view octets) {
  if (record_ == 0 && !is_handshake_record(octets)) return {Status::not_tls, 0};
  while (message_size_ == 0 || gathered_.size() < message_size_) {
    const std::size_t payload = record_ + record_head_size;
    if (payload > limits_.max_octets) return fail(Error::too_many_octets);
    if (octets.size() < payload) return {Status::need_more, payload};
    if (!is_handshake_record(octets.substr(record_))) return fail(Error::record_type);
    const std::size_t length = std::size_t{octet(octets, record_ + 3)} << 8 | octet(octets, record_ + 4);
    // RFC 8446 5.1, RFC 5246 6.2.1: fragments of a handshake are not empty.
    if (length == 0 || length > max_fragment_size) return fail(Error::record_length);
    const std::size_t end = payload + length;
    if (end > limits_.max_octets) return fail(Error::too_many_octets);
    const std::string_view fragment = octets.substr(payload, length);
    if (const Error error = check_message_size(fragment, length); error != Error{}) return fail(error);
    if (fragment.size() < length) return {Status::need_more, end};
    // The usual case: the whole message in one record, read where it lies.
    if (length == message_size_) return read(fragment, end);
    gathered_.append(fragment);
    record_ = end;
  }
  return read(gathered_, record_);
}

void ClientHelloPeek::reset() {
  record_ = message_size_ = 0;
  gathered_.clear();
  hello_ = {};
  error_.clear();
}

// `fragment` is what there is of a record's payload of `length` octets. The message's head, too, may be cut by records.
Error ClientHelloPeek::check_message_size(std::string_view fragment, std::size_t length) {
  if (message_size_ == 0) {
    if (gathered_.size() + fragment.size() < message_head_size) return Error{};
    const auto head = [&](std::size_t i) -> std::size_t {
      return i < gathered_.size() ? octet(gathered_, i) : octet(fragment, i - gathered_.size());
    };
    if (head(0) != client_hello_message) return Error::not_client_hello;
    const std::size_t size = message_head_size + (head(1) << 16 | head(2) << 8 | head(3));
    if (size > limits_.max_message_bytes) return Error::message_too_long;
    message_size_ = size;
  }
  // RFC 8446 5.1: a ClientHello ends with its record, for keys may change behind it.
  return gathered_.size() + length > message_size_ ? Error::trailing_octets : Error{};
}

ClientHelloPeek::Outcome ClientHelloPeek::read(std::string_view message, std::size_t size) {
  hello_ = {};
  const Error error = parse_client_hello(message.substr(message_head_size), hello_);
  if (error != Error{}) return fail(error);
  return {Status::done, size};
}

ClientHelloPeek::Outcome ClientHelloPeek::fail(Error error) {
  error_ = error;
  const bool too_large = error == Error::message_too_long || error == Error::too_many_octets;
  return {too_large ? Status::too_large : Status::malformed, 0};
}

}  // namespace telltale::tls
