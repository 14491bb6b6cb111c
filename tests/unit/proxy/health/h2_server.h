#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <nghttp2/nghttp2.h>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace telltale::proxy::test {

using H2Fields = std::vector<std::pair<std::string, std::string>>;

struct H2Request {
  std::map<std::string, std::string> fields;
  std::string body;
};

struct H2Answer {
  H2Fields fields;  ///< `:status` first; empty: no answer
  std::string body;
  std::optional<H2Fields> trailers;         ///< nullopt: the answer ends without
  std::optional<std::uint32_t> reset = {};  ///< RST_STREAM instead of all that
  bool go_away = false;                     ///< GOAWAY behind the answer
  bool refuse = false;  ///< GOAWAY that says that this stream was not looked at, instead of an answer
};

/// The server's end of an HTTP/2 connection, by nghttp2. Octets in, octets out.
class H2Server {
 public:
  using Script = std::function<H2Answer(const H2Request&)>;

  explicit H2Server(Script script) : script_(std::move(script)) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &on_frame);
    nghttp2_session_server_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~H2Server() { nghttp2_session_del(session_); }
  H2Server(const H2Server&) = delete;
  H2Server& operator=(const H2Server&) = delete;

  void feed(std::string_view octets) {
    const auto* data = reinterpret_cast<const std::uint8_t*>(octets.data());
    if (nghttp2_session_mem_recv(session_, data, octets.size()) < 0) throw std::runtime_error("not HTTP/2");
  }
  std::string output() {
    std::string out;
    for (;;) {
      const std::uint8_t* octets = nullptr;
      const auto size = nghttp2_session_mem_send(session_, &octets);
      if (size <= 0) return out;
      out.append(reinterpret_cast<const char*>(octets), static_cast<std::size_t>(size));
    }
  }
  void ping() { nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr); }
  void go_away() { nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR); }
  std::size_t pongs() const { return pongs_; }
  const std::map<std::int32_t, H2Request>& requests() const { return requests_; }

 private:
  static H2Server& self(void* user_data) { return *static_cast<H2Server*>(user_data); }
  static std::vector<nghttp2_nv> native(const H2Fields& fields) {
    std::vector<nghttp2_nv> out;
    const auto octets = [](const std::string& text) {
      return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
    };
    for (const auto& [name, value] : fields) {
      out.push_back({octets(name), octets(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    return out;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user_data) {
    self(user_data).requests_[frame->hd.stream_id].fields[{reinterpret_cast<const char*>(name), name_size}] =
        std::string(reinterpret_cast<const char*>(value), value_size);
    return 0;
  }
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* octets, std::size_t size,
                     void* user_data) {
    self(user_data).requests_[stream].body.append(reinterpret_cast<const char*>(octets), size);
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    const bool ends = frame->hd.type == NGHTTP2_DATA && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (ends) self(user_data).answer(frame->hd.stream_id);
    self(user_data).pongs_ += frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    return 0;
  }
  static ssize_t read_body(nghttp2_session* session, std::int32_t stream, std::uint8_t* out, std::size_t room,
                           std::uint32_t* flags, nghttp2_data_source*, void* user_data) {
    H2Answer& answer = self(user_data).answers_[stream];
    const std::size_t size = std::min(room, answer.body.size());
    std::memcpy(out, answer.body.data(), size);
    answer.body.erase(0, size);
    if (!answer.body.empty()) return static_cast<ssize_t>(size);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (answer.trailers) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const auto trailers = native(*answer.trailers);
      nghttp2_submit_trailer(session, stream, trailers.data(), trailers.size());
    }
    return static_cast<ssize_t>(size);
  }

  void answer(std::int32_t stream) {
    H2Answer& answer = answers_[stream] = script_(requests_[stream]);
    if (answer.refuse) {
      nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, std::max(stream - 2, 0), NGHTTP2_NO_ERROR, nullptr, 0);
      return;
    }
    if (answer.reset) nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, *answer.reset);
    if (answer.fields.empty() || answer.reset) return;
    const auto fields = native(answer.fields);
    nghttp2_data_provider provider{};
    provider.read_callback = &read_body;
    const bool head_alone = answer.body.empty() && !answer.trailers;
    nghttp2_submit_response(session_, stream, fields.data(), fields.size(), head_alone ? nullptr : &provider);
    if (answer.go_away) {
      nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, stream, NGHTTP2_NO_ERROR, nullptr, 0);
    }
  }

  Script script_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, H2Request> requests_;
  std::map<std::int32_t, H2Answer> answers_;
  std::size_t pongs_ = 0;
};

/// What a gRPC server answers: one frame with this message, or no body at all.
inline H2Answer grpc_answer(std::string_view message, std::string grpc_status = "0") {
  std::string frame("\0\0\0\0", 4);
  frame.push_back(static_cast<char>(message.size()));
  frame.append(message);
  return {{{":status", "200"}, {"content-type", "application/grpc"}}, frame, H2Fields{{"grpc-status", grpc_status}}};
}
inline H2Answer grpc_refusal(std::string grpc_status, std::string message = "") {
  H2Answer answer{{{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", grpc_status}}, "", {}};
  if (!message.empty()) answer.fields.emplace_back("grpc-message", message);
  return answer;
}

}  // namespace telltale::proxy::test
