// Templates: whatever a configuration says and a peer sends, faults have their place in the text, a field value is one
// line of legal octets, an extension of Forwarded is read back as what it was, and a custom TLV leaves the section well
// formed. The first line of the input is the template, the rest what a peer says.
#include "protocol/forwarding/forwarded.h"
#include "protocol/forwarding/list.h"
#include "protocol/forwarding/own_element.h"
#include "protocol/forwarding/propagate.h"
#include "protocol/forwarding/template.h"
#include "protocol/forwarding/template_pieces.h"
#include "protocol/http/header_block.h"
#include "protocol/proxy_protocol/serializer.h"
#include "protocol/proxy_protocol/tlv.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace telltale;
using namespace telltale::forwarding;

void require(bool condition) {
  if (!condition) std::abort();
}

bool is_control(char c) {
  const auto octet = static_cast<unsigned char>(c);
  return (octet < 0x20 && c != '\t') || octet == 0x7f;
}

// The pieces are the text, in order and without gaps: put together they give it back.
void check_pieces(std::string_view text) {
  std::string again;
  TemplatePieces pieces(text);
  for (TemplatePiece piece; pieces.next(piece);) {
    require(piece.offset == again.size());
    switch (piece.kind) {
      case TemplatePiece::Kind::literal:
        again += piece.text;
        // Of `$$` the second one is passed over.
        if (piece.text == "$" && text.substr(piece.offset).starts_with("$$")) again += '$';
        break;
      case TemplatePiece::Kind::variable:
        again.append("${").append(piece.text).append("}");
        break;
      case TemplatePiece::Kind::unclosed:
        again += piece.text;
        break;
    }
  }
  require(again == text);
}

void check_faults(std::string_view text, const std::vector<TemplateFault>& faults) {
  std::size_t before = 0;
  for (const TemplateFault& fault : faults) {
    require(fault.offset >= before && fault.offset < text.size());
    before = fault.offset;
  }
}

struct Scene {
  PeerInfo peer;
  ClientAddress client;
  TlsFacts tls;
  std::string_view said;

  explicit Scene(std::string_view what_a_peer_says) : said(what_a_peer_says) {
    peer.socket_peer = net::IpPort{net::IpAddress::v4(198, 51, 100, 7), 4711};
    peer.socket_local = net::IpPort{net::IpAddress::v4(203, 0, 113, 1), 80};
    client.address = peer.socket_peer->address;
    client.port = 4711;
    for (const int type : {0x02, 0x05, 0x20, 0xe0, 0xe3, 0xea, 0xee}) {
      proxy_protocol::append_tlv(peer.tlvs, static_cast<proxy_protocol::TlvType>(type), said.substr(0, 64));
    }
    tls = {said, said, said, said, said};
  }
  RequestFacts facts() const {
    return {.peer = peer,
            .client = client,
            .scheme = "http",
            .host = said,
            .method = said,
            .target = said,
            .listener = "web",
            .id_high = 1,
            .id_low = 2,
            .tls = &tls};
  }
};

void check_value(const Template& compiled, const RequestFacts& facts) {
  std::string whole = "before", again = "before", value = "before";
  compiled.append_to(whole, facts);
  compiled.append_to(again, facts);
  require(whole == again && whole.starts_with("before"));
  const bool kept = compiled.append_field_value(value, facts);
  require(value.starts_with("before"));
  const std::string_view field = std::string_view(value).substr(6);
  require(kept == !field.empty());
  require(std::none_of(field.begin(), field.end(), is_control));
  require(trim_ows(field) == field);
  if (kept) require(trim_ows(std::string_view(whole).substr(6)) == field);
}

void check_header(const Template& compiled, const RequestFacts& facts) {
  Propagate propagate;
  propagate.x_forwarded_for = ListMode::remove;
  propagate.via = false;
  propagate.headers.push_back({"X-Client", compiled});
  std::string head;
  append_identity_fields(head, {}, {}, propagate, facts);
  if (head.empty()) return;
  require(head.starts_with("X-Client: ") && head.ends_with("\r\n"));
  require(head.find_first_of("\r\n") == head.size() - 2);
}

void check_extension(const Template& compiled, const RequestFacts& facts) {
  ForwardedOptions options;
  options.write_for = options.write_proto = false;
  options.extensions.push_back({"host-name", compiled});
  std::string element, value;
  const bool written = append_own_element(element, options, std::nullopt, facts);
  require(written == compiled.append_field_value(value, facts));
  if (!written) return;
  // Under the name of a known parameter the parser keeps it.
  require(element.starts_with("host-name="));
  element.erase(4, 5);
  ForwardedElement parsed;
  require(parse_forwarded_element(element, parsed));
  std::vector<char> scratch(element.size());
  require(parsed.host.unescape(scratch) == value);
}

void check_tlv(const Template& compiled, const RequestFacts& facts) {
  Propagate propagate;
  propagate.proxy_protocol = true;
  propagate.custom_tlvs.push_back({proxy_protocol::TlvType{0xe1}, compiled});
  const auto header = make_proxy_header(propagate, facts);
  require(proxy_protocol::TlvRange(header.tlvs).well_formed());
  std::string value;
  compiled.append_to(value, facts);
  const auto sent = proxy_protocol::TlvRange(header.tlvs).find(proxy_protocol::TlvType{0xe1});
  require(sent.has_value() == (!value.empty() && value.size() <= max_custom_tlv_size));
  if (sent) require(*sent == value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\n'), input.size());
  const std::string_view text = input.substr(0, end);
  const Scene scene(input.substr(std::min(end + 1, input.size())));

  check_pieces(text);
  std::vector<TemplateFault> faults;
  const Template compiled(text, faults);
  require(compiled.text() == text);
  check_faults(text, faults);
  if (!faults.empty()) return 0;
  const RequestFacts facts = scene.facts();
  check_value(compiled, facts);
  check_header(compiled, facts);
  check_extension(compiled, facts);
  check_tlv(compiled, facts);
  return 0;
}
