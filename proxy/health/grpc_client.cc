#include "proxy/health/grpc_client.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <new>
#include <nghttp2/nghttp2.h>

namespace telltale::proxy {
namespace {

constexpr std::string_view user_agent = "telltale-probe/" TELLTALE_VERSION;
constexpr std::chrono::milliseconds max_timeout{99'999'999};  // eight digits

/// nghttp2 takes octets that it may change, and does not.
std::uint8_t* octets_of(std::string_view text) {
  return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
}

nghttp2_nv field(std::string_view name, std::string_view value) {
  return {octets_of(name), octets_of(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::string_view text_of(const std::uint8_t* octets, std::size_t size) {
  return {reinterpret_cast<const char*>(octets), size};
}

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void check(int result) {
  if (result != 0) throw std::bad_alloc();  // all that can fail where this is used
}

}  // namespace

/// What nghttp2 calls while it is fed, and asked for output.
struct GrpcClient::Callbacks {
  static GrpcClient& client(void* user_data) { return *static_cast<GrpcClient*>(user_data); }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                    const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user_data) {
    GrpcClient& self = client(user_data);
    if (frame->hd.stream_id != self.stream_) return 0;
    const std::string_view field_name = text_of(name, name_size), text = text_of(value, value_size);
    if (field_name == ":status") self.answer_.http_status = number<unsigned>(text).value_or(0);
    if (field_name == "content-type") self.answer_.content_type = text;
    if (field_name == "grpc-status") self.answer_.grpc_status = number<unsigned>(text);
    if (field_name == "grpc-message") self.answer_.grpc_message = text;
    return 0;
  }

  static int data(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* octets, std::size_t size,
                  void* user_data) {
    GrpcClient& self = client(user_data);
    if (stream != self.stream_) return 0;
    const std::size_t room = max_answer_bytes - self.answer_.octets.size();
    self.answer_.too_long |= size > room;
    self.answer_.octets.append(text_of(octets, std::min(size, room)));
    return 0;
  }

  static int stream_close(nghttp2_session*, std::int32_t stream, std::uint32_t error, void* user_data) {
    GrpcClient& self = client(user_data);
    if (stream != self.stream_) return 0;
    self.done_ = true;
    self.answer_.h2_error = error;
    return 0;
  }

  static ssize_t request(nghttp2_session*, std::int32_t, std::uint8_t* out, std::size_t room, std::uint32_t* flags,
                         nghttp2_data_source*, void* user_data) {
    GrpcClient& self = client(user_data);
    const std::size_t size = std::min(room, self.request_.size() - self.request_sent_);
    std::memcpy(out, self.request_.data() + self.request_sent_, size);
    self.request_sent_ += size;
    if (self.request_sent_ == self.request_.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }

  /// The same for all clients.
  static const nghttp2_session_callbacks* table() {
    static const nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* callbacks = nullptr;
      check(nghttp2_session_callbacks_new(&callbacks));
      nghttp2_session_callbacks_set_on_header_callback(callbacks, &header);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &data);
      nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &stream_close);
      return callbacks;
    }();
    return made;
  }

  static const nghttp2_option* options() {
    static const nghttp2_option* const made = [] {
      nghttp2_option* options = nullptr;
      check(nghttp2_option_new(&options));
      // Ten thousand idle connections are to be small: no compression state, no memory of closed streams.
      nghttp2_option_set_max_deflate_dynamic_table_size(options, 0);
      nghttp2_option_set_no_closed_streams(options, 1);
      return options;
    }();
    return made;
  }
};

void GrpcClient::Freer::operator()(nghttp2_session* session) const { nghttp2_session_del(session); }

GrpcClient::GrpcClient() {
  nghttp2_session* session = nullptr;
  check(nghttp2_session_client_new2(&session, Callbacks::table(), this, Callbacks::options()));
  session_.reset(session);
  constexpr std::array<nghttp2_settings_entry, 3> settings = {
      {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
       {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0},
       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, max_answer_bytes}}};
  check(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size()));
}

GrpcClient::~GrpcClient() = default;

bool GrpcClient::may_call() const { return done_ && nghttp2_session_check_request_allowed(session_.get()) != 0; }

bool GrpcClient::call(const Call& call) {
  if (!may_call()) return false;
  answer_ = {};
  request_ = call.request;
  request_sent_ = 0;
  const std::string timeout = std::to_string(std::min(call.timeout, max_timeout).count()) + "m";
  const std::array fields = {field(":method", "POST"),       field(":scheme", "http"),
                             field(":path", call.path),      field(":authority", call.authority),
                             field("te", "trailers"),        field("content-type", "application/grpc"),
                             field("grpc-timeout", timeout), field("user-agent", user_agent)};
  nghttp2_data_provider provider{};
  provider.read_callback = &Callbacks::request;
  stream_ = nghttp2_submit_request(session_.get(), nullptr, fields.data(), fields.size(), &provider, nullptr);
  done_ = stream_ < 0;
  return !done_;
}

std::string_view GrpcClient::output() {
  output_ = {};
  for (;;) {
    const std::uint8_t* octets = nullptr;
    const auto size = nghttp2_session_mem_send(session_.get(), &octets);
    if (size <= 0) return output_;
    output_.append(text_of(octets, static_cast<std::size_t>(size)));
  }
}

bool GrpcClient::feed(std::string_view octets) {
  const auto taken = nghttp2_session_mem_recv(session_.get(), octets_of(octets), octets.size());
  return taken >= 0 && (done_ || nghttp2_session_want_read(session_.get()) != 0);
}

}  // namespace telltale::proxy
