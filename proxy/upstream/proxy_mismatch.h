#pragma once

#include "proxy/observe/log_rate.h"

#include <cstdint>
#include <string_view>

namespace telltale::proxy {

/// Notices, for one endpoint and one worker, that we and the backend seem to disagree about the PROXY protocol: until
/// it has given any other answer than 400, it answers 400 to connections that open with a PROXY header, or closes new
/// ones without an octet. That is all that can be seen from here, so what it says is put as a question.
class ProxyMismatch {
 public:
  enum class Answer : std::uint8_t {
    other,        ///< a response, not 400
    bad_request,  ///< 400
    none,         ///< the connection was closed before an octet of a response
  };

  /// After the first exchange of a new connection. The view is of a constant, to be logged behind the endpoint's name;
  /// empty: nothing to say, or it was said a moment ago.
  std::string_view judge(Answer answer, bool sent_proxy_header, LogRate::Clock::time_point now) {
    if (answer == Answer::other) is_understood_ = true;
    if (is_understood_ || (answer == Answer::bad_request && !sent_proxy_header)) return {};
    if (!rate_.admit(now)) return {};
    if (answer == Answer::bad_request) {
      return "answers 400 to connections that open with a PROXY header, and has answered nothing else yet: does it "
             "expect one? If not, set `proxy_protocol: off` in the service's propagate";
    }
    if (sent_proxy_header) {
      return "closes connections that open with a PROXY header, and has answered none yet: does it expect one, and in "
             "this version? If not, change proxy_protocol in the service's propagate";
    }
    return "closes new connections without an answer, and has answered none yet: if it expects a PROXY header (nginx: "
           "listen … proxy_protocol, HAProxy: accept-proxy), set proxy_protocol in the service's propagate";
  }

 private:
  bool is_understood_ = false;
  LogRate rate_;
};

}  // namespace telltale::proxy
