// Any octets as a request or response head: the outcome does not depend on how they were cut, and a head that passed,
// written anew from the parse, passes again and means the same.
#include "protocol/http1/parser.h"
#include "protocol/http1/serializer.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

namespace {

using namespace telltale;
using http::FieldId;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

/// The first octet of the input chooses these.
struct Options {
  explicit Options(std::uint8_t octet) : response((octet & 1) != 0) {
    context.method = (octet & 2) != 0 ? http1::Method::head : http1::Method::get;
    context.upgrade_requested = (octet & 4) != 0;
    limits.underscores = static_cast<http1::UnderscorePolicy>((octet >> 3) % 3);
    if ((octet & 0x80) != 0) limits = {.max_head_bytes = 96, .max_target_bytes = 24, .max_fields = 3};
  }
  bool response;
  http1::ResponseContext context;
  http1::HeadLimits limits;
};

struct Run {
  http1::Status status = http1::Status::need_more;
  std::size_t consumed = 0;
  boost::system::error_code error;
};

/// Pieces of 1, 2, 3, ... octets, or of `step`; from memory of their own, so that a sanitizer sees a view that outlives
/// its input. 0: whole.
template <typename Parser>
Run run(Parser& parser, std::string_view octets, std::size_t step) {
  Run result;
  std::size_t size = step == 0 ? octets.size() : step;
  while (result.status == http1::Status::need_more && !octets.empty()) {
    const std::string_view piece = octets.substr(0, size);
    const std::unique_ptr<char[]> copy(new char[piece.size()]);
    piece.copy(copy.get(), piece.size());
    const http1::Outcome outcome = parser.feed({copy.get(), piece.size()});
    require(outcome.consumed <= piece.size(), "more consumed than given");
    require(outcome.status != http1::Status::need_more || outcome.consumed == piece.size(), "octets left unread");
    result.status = outcome.status;
    result.consumed += outcome.consumed;
    octets.remove_prefix(piece.size());
    if (step == 1) ++size;
  }
  result.error = parser.error();
  return result;
}

void same_fields(const http::HeaderBlock& a, const http::HeaderBlock& b) {
  require(a.size() == b.size(), "same number of fields");
  for (std::size_t i = 0; i < a.size(); ++i) {
    require(a[i].name == b[i].name && a[i].value == b[i].value && a[i].id == b[i].id, "same field");
  }
}

bool same_body(const http1::BodyFraming& a, const http1::BodyFraming& b) {
  return a.kind == b.kind && a.length == b.length;
}

void same_head(const http1::RequestHead& a, const http1::RequestHead& b) {
  require(a.method_text == b.method_text && a.method == b.method, "same method");
  require(a.target == b.target && a.authority == b.authority, "same target");
  require(a.keep_alive == b.keep_alive && a.wants_upgrade == b.wants_upgrade, "same connection");
  require(same_body(a.body, b.body), "same framing");
  same_fields(a.fields, b.fields);
}

void same_head(const http1::ResponseHead& a, const http1::ResponseHead& b) {
  require(a.status == b.status && a.reason == b.reason, "same status");
  require(a.keep_alive == b.keep_alive && a.declared_length == b.declared_length, "same connection");
  require(same_body(a.body, b.body), "same framing");
  same_fields(a.fields, b.fields);
}

/// Appends what goes on of the fields, as they would be forwarded, and collects them.
void forward_fields(std::string& out, const http::HeaderBlock& fields, http::HeaderBlock& forwarded) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const http::HeaderBlock::Field field = fields[i];
    if (field.id == FieldId::host || field.id == FieldId::content_length) continue;
    if (http1::is_hop_by_hop(fields, field.id, field.name)) continue;
    http1::append_field(out, field.name, field.value);
    forwarded.append(field.name, field.value);
  }
}

http::HeaderBlock without_framing(const http::HeaderBlock& fields) {
  http::HeaderBlock rest;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const http::HeaderBlock::Field field = fields[i];
    if (field.id == FieldId::host || field.id == FieldId::content_length || field.id == FieldId::transfer_encoding) {
      continue;
    }
    rest.append(field.name, field.value);
  }
  return rest;
}

constexpr http1::HeadLimits wide{.max_head_bytes = 1 << 20, .max_target_bytes = 1 << 20, .max_fields = 10'000};

void check_again(const http1::RequestHead& head) {
  if (head.authority.empty()) return;  // HTTP/1.0 without Host cannot be said in HTTP/1.1
  std::string out;
  http::HeaderBlock forwarded;
  http1::append_request_line(out, head);
  forward_fields(out, head.fields, forwarded);
  http1::append_framing(out, head.body, false);
  out += "\r\n";
  http1::RequestParser parser;
  http1::RequestHead again;
  parser.start(again, wide);
  const Run result = run(parser, out, 0);
  require(result.status == http1::Status::complete && result.consumed == out.size(), "what is forwarded is one head");
  require(again.method_text == head.method_text && again.target == head.target, "forwarded request line");
  require(again.authority == head.authority && !again.from_absolute_form, "forwarded authority");
  require(same_body(again.body, head.body), "forwarded framing");
  same_fields(without_framing(again.fields), forwarded);
}

void check_again(const http1::ResponseHead& head, http1::ResponseContext context) {
  if (head.status == 101) return;  // without Upgrade it is none
  std::string out;
  http::HeaderBlock forwarded;
  http1::append_status_line(out, head.status, head.reason);
  forward_fields(out, head.fields, forwarded);
  http1::append_framing(out, head);
  out += "\r\n";
  http1::ResponseParser parser;
  http1::ResponseHead again;
  parser.start(again, wide, context);
  const Run result = run(parser, out, 0);
  require(result.status == http1::Status::complete && result.consumed == out.size(), "what is forwarded is one head");
  require(again.status == head.status && again.reason == head.reason, "forwarded status line");
  require(same_body(again.body, head.body) && again.declared_length == head.declared_length, "forwarded framing");
  same_fields(without_framing(again.fields), forwarded);
}

/// `start(parser, head)` begins a message, `check(head)` is what must hold of a complete one.
template <typename Parser, typename Head, typename Start, typename Check>
void check(std::string_view octets, Start start, Check check_complete) {
  Parser parser;
  Head head;
  start(parser, head);
  const Run whole = run(parser, octets, 0);
  require((whole.status == http1::Status::failed) == static_cast<bool>(whole.error), "an error if and only if failed");
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, octets.size() / 2 + 1}) {
    Head cut_head;
    start(parser, cut_head);
    const Run cut = run(parser, octets, step);
    require(cut.status == whole.status && cut.error == whole.error, "the same outcome for any cut");
    if (whole.status != http1::Status::complete) continue;
    require(cut.consumed == whole.consumed, "the same end for any cut");
    same_head(head, cut_head);
  }
  if (whole.status == http1::Status::complete) check_complete(head);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Options options(*data);
  const std::string octets(data + 1, data + size);
  if (options.response) {
    check<http1::ResponseParser, http1::ResponseHead>(
        octets, [&](auto& parser, auto& head) { parser.start(head, options.limits, options.context); },
        [&](const auto& head) { check_again(head, options.context); });
  } else {
    check<http1::RequestParser, http1::RequestHead>(
        octets, [&](auto& parser, auto& head) { parser.start(head, options.limits); },
        [](const auto& head) { check_again(head); });
  }
  return 0;
}
