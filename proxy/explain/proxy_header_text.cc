#include "proxy/explain/proxy_header_text.h"

#include "conf/text.h"
#include "protocol/forwarding/x_forwarded_for.h"
#include "protocol/proxy_protocol/header.h"
#include "protocol/proxy_protocol/serializer.h"
#include "protocol/proxy_protocol/tlv_names.h"
#include "proxy/observe/hex.h"

namespace telltale::proxy {
namespace {

using conf::quote;
using proxy_protocol::TlvSelector;

constexpr std::string_view forms =
    "a header is a v1 line, the hexadecimal digits of one, or like `v2 192.0.2.1:4711 198.51.100.1:443 "
    "authority=a.example`";

bool is_hex_of_header(std::string_view text) {
  for (const std::string_view begin : {"0x", "0X", "0d0a", "0D0A", "50524f5859", "50524F5859"}) {
    if (text.starts_with(begin)) return true;
  }
  return false;
}

std::string v1_line(std::string_view text) {
  for (const std::string_view end : {"\r\n", "\n", "\\r\\n"}) {
    if (text.ends_with(end)) {
      text.remove_suffix(end.size());
      break;
    }
  }
  return std::string(text) + "\r\n";
}

std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

/// Empty, or what is wrong.
std::string add_tlv(proxy_protocol::Header& header, std::string_view name, std::string_view value) {
  const auto selector = proxy_protocol::parse_tlv_selector(name);
  if (!selector) return "there is no TLV " + quote(name) + "; a type without a name is like 0xE3";
  if (selector->place != TlvSelector::Place::value && selector->place != TlvSelector::Place::subtype) {
    return quote(name) +
           " is a part of the SSL TLV: give that as a whole, ssl=0x…, or the header in hexadecimal digits";
  }
  const auto octets = proxy_protocol::tlv_octets(value, *selector);
  if (!octets) {
    return quote(value) + " is not what " + quote(name) +
           " holds: " + std::string(proxy_protocol::describe_tlv_text(*selector));
  }
  std::string whole;
  if (selector->place == TlvSelector::Place::subtype) whole += static_cast<char>(selector->sub);
  whole += *octets;
  if (!proxy_protocol::append_tlv(header.tlvs, selector->type, whole))
    return quote(value) + " is too long for " + quote(name);
  return {};
}

class ShortForm {
 public:
  explicit ShortForm(const std::optional<net::IpPort>& local) { header_.destination = local; }

  /// Empty, or what is wrong.
  std::string take(std::string_view word) {
    const std::size_t equals = word.find('=');
    if (equals != std::string_view::npos) return add_tlv(header_, word.substr(0, equals), word.substr(equals + 1));
    if (word == "v1" || word == "v2") {
      header_.version = word == "v1" ? proxy_protocol::Version::v1 : proxy_protocol::Version::v2;
    } else if (word == "crc32c") {
      with_crc32c_ = true;
    } else if (word == "LOCAL" || word == "UNKNOWN") {
      is_local_ = true;
    } else if (word != "->") {
      return take_address(word);
    }
    return {};
  }

  WrittenProxyHeader finish() {
    if (!is_local_ && !header_.source) return {{}, "the source is missing; " + std::string(forms)};
    if (header_.version == proxy_protocol::Version::v1 && !header_.tlvs.empty()) return {{}, "v1 has no TLVs"};
    header_.command = is_local_ ? proxy_protocol::Command::local : proxy_protocol::Command::proxy;
    WrittenProxyHeader out;
    if (!proxy_protocol::serialize(header_, out.octets, with_crc32c_)) out.error = "more TLVs than a header can hold";
    return out;
  }

 private:
  std::string take_address(std::string_view word) {
    const auto address = forwarding::parse_address_entry(word);
    if (!address) return quote(word) + " is not an address; " + std::string(forms);
    if (addresses_ == 2) return "a header has one source and one destination";
    (addresses_++ == 0 ? header_.source : header_.destination) = address;
    return {};
  }

  proxy_protocol::Header header_;
  unsigned addresses_ = 0;
  bool is_local_ = false;
  bool with_crc32c_ = false;
};

}  // namespace

WrittenProxyHeader read_proxy_header(std::string_view text, const std::optional<net::IpPort>& local) {
  if (text.starts_with("PROXY ")) return {v1_line(text), {}};
  if (is_hex_of_header(text)) {
    const auto octets = from_hex(text);
    if (!octets) return {{}, "these are not the hexadecimal digits of whole octets"};
    return {*octets, {}};
  }
  ShortForm form(local);
  for (std::string_view word = next_word(text); !word.empty(); word = next_word(text)) {
    std::string error = form.take(word);
    if (!error.empty()) return {{}, std::move(error)};
  }
  return form.finish();
}

}  // namespace telltale::proxy
