// Any octets as a chunked body: the outcome does not depend on how they were cut, and what is forwarded of a body that
// passed (its chunks as they came, its trailers written anew) passes again and holds the same.
#include "protocol/http1/chunked.h"
#include "protocol/http1/serializer.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

namespace {

using namespace telltale;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

struct Run {
  http1::Status status = http1::Status::need_more;
  std::size_t consumed = 0;
  std::string verbatim;
  std::string payload;
};

Run run(http1::ChunkedDecoder& decoder, std::string_view octets, std::size_t step) {
  Run result;
  decoder.reset();
  std::size_t size = step == 0 ? octets.size() : step;
  while (result.status == http1::Status::need_more && !octets.empty()) {
    const std::string_view piece = octets.substr(0, size);
    const std::unique_ptr<char[]> copy(new char[piece.size()]);
    piece.copy(copy.get(), piece.size());
    const auto outcome = decoder.feed({copy.get(), piece.size()}, &result.payload);
    require(outcome.verbatim <= outcome.consumed && outcome.consumed <= piece.size(), "more consumed than given");
    require(outcome.status != http1::Status::need_more || outcome.consumed == piece.size(), "octets left unread");
    result.status = outcome.status;
    result.consumed += outcome.consumed;
    result.verbatim.append(piece.substr(0, outcome.verbatim));
    octets.remove_prefix(piece.size());
    if (step == 1) ++size;
  }
  require(result.payload.size() == decoder.payload_octets(), "the payload is counted");
  require((result.status == http1::Status::failed) == static_cast<bool>(decoder.error()), "an error iff failed");
  return result;
}

void same_fields(const http::HeaderBlock& a, const http::HeaderBlock& b) {
  require(a.size() == b.size(), "same number of trailers");
  for (std::size_t i = 0; i < a.size(); ++i) {
    require(a[i].name == b[i].name && a[i].value == b[i].value, "same trailer");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string octets(data, data + size);
  http1::ChunkedDecoder decoder;
  const Run whole = run(decoder, octets, 0);
  const http::HeaderBlock trailers = decoder.trailers();
  const boost::system::error_code error = decoder.error();
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, octets.size() / 2 + 1}) {
    const Run cut = run(decoder, octets, step);
    require(cut.status == whole.status && decoder.error() == error, "the same outcome for any cut");
    require(cut.payload == whole.payload, "the same payload for any cut");
    if (whole.status != http1::Status::complete) continue;
    require(cut.consumed == whole.consumed && cut.verbatim == whole.verbatim, "the same end for any cut");
    same_fields(trailers, decoder.trailers());
  }
  if (whole.status != http1::Status::complete) return 0;

  std::string forwarded = whole.verbatim;
  http::HeaderBlock allowed;
  for (std::size_t i = 0; i < trailers.size(); ++i) {
    if (!http1::trailer_allowed(trailers[i].id, trailers[i].name)) continue;
    http1::append_field(forwarded, trailers[i].name, trailers[i].value);
    allowed.append(trailers[i].name, trailers[i].value);
  }
  forwarded += "\r\n";
  const Run again = run(decoder, forwarded, 0);
  require(again.status == http1::Status::complete && again.consumed == forwarded.size(),
          "what is forwarded is one body");
  require(again.payload == whole.payload && again.verbatim == whole.verbatim, "the forwarded payload");
  same_fields(allowed, decoder.trailers());
  return 0;
}
