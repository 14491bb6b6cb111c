#pragma once

#include "protocol/http/header_block.h"
#include "protocol/http1/octet_rules.h"
#include "protocol/http1/parser.h"

#include <llhttp.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace telltale::http1 {

/// Text that llhttp hands over in pieces: a view of the input while there is one piece, a copy only when the input ends
/// within it.
class Fragment {
 public:
  void add(const char* at, std::size_t length) {
    if (kept_.empty() && view_.empty()) {
      view_ = {at, length};
    } else if (kept_.empty() && view_.data() + view_.size() == at) {
      view_ = {view_.data(), view_.size() + length};
    } else {
      keep();
      kept_.append(at, length);
    }
  }
  /// Before the input goes away.
  void keep() {
    if (view_.empty()) return;
    kept_.assign(view_);
    view_ = {};
  }
  void clear() {
    view_ = {};
    kept_.clear();
  }
  /// Also gives back what a long one held: an idle connection owns no buffer.
  void release() {
    view_ = {};
    if (kept_.capacity() > max_idle_capacity) kept_ = std::string();
    kept_.clear();
  }
  std::string_view view() const { return kept_.empty() ? view_ : std::string_view(kept_); }

 private:
  static constexpr std::size_t max_idle_capacity = 64;
  std::string_view view_;
  std::string kept_;
};

/// A head from its target or its status line on: the octet rules first, then llhttp, strict, which splits it. Both stop
/// at the same octet or the head is refused. Nothing is allocated but for the growth of the outputs and for a field cut
/// by the end of an input. Not movable: llhttp points back at it.
class HeadReader {
 public:
  HeadReader() = default;
  HeadReader(const HeadReader&) = delete;
  HeadReader& operator=(const HeadReader&) = delete;

  /// `text` receives the target, `fields` the fields; both must outlive the parse. `counted` octets of the head, the
  /// method and its space, came before. llhttp is told that the method was GET: it has a fixed list of methods, and a
  /// grammar of its own for some (CONNECT, PRI, SOURCE, RTSP's) that is not RFC 9112's; nothing of ours asks it.
  void start_request(const HeadLimits& limits, std::size_t counted, std::string& text, http::HeaderBlock& fields);
  /// `text` receives the reason. The underscore policy is for what clients send: here every unknown name passes.
  void start_response(const HeadLimits& limits, std::string& text, http::HeaderBlock& fields);

  Outcome feed(std::string_view octets);
  /// If feed() failed.
  Error error() const { return error_; }
  /// Once complete. Whether a name with `_` came that configuration refuses.
  bool refused_underscore() const { return refused_underscore_; }
  unsigned minor_version() const { return lexer_.http_minor; }
  unsigned status() const { return lexer_.status_code; }

 private:
  struct Callbacks;
  void start(llhttp_type_t type, const HeadLimits& limits, std::string& text, http::HeaderBlock& fields);
  void finish_field();
  Outcome fail(Error error, std::size_t octets);

  llhttp_t lexer_{};
  OctetRules rules_;
  UnderscorePolicy underscores_ = UnderscorePolicy::pass;
  bool complete_ = false;  // llhttp reached the end of the head
  bool refused_underscore_ = false;
  Error error_ = Error::malformed;
  std::string* text_ = nullptr;
  http::HeaderBlock* fields_ = nullptr;
  Fragment name_;
  Fragment value_;
};

}  // namespace telltale::http1
