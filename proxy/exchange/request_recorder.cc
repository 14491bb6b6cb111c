#include "proxy/exchange/request_recorder.h"

#include "protocol/forwarding/identity_headers.h"

#include <algorithm>
#include <cstring>

namespace telltale::proxy {

void RecordedRequest::add(std::string_view piece) {
  std::memcpy(text_.data() + text_size_, piece.data(), piece.size());
  sizes_[pieces_++] = static_cast<std::uint16_t>(piece.size());
  text_size_ = static_cast<std::uint16_t>(text_size_ + piece.size());
}

void RecordedRequest::take_peer(const forwarding::PeerInfo& from) {
  peer = from;
  is_cut = from.tlvs.size() > max_tlv_octets;
  if (is_cut) peer.tlvs = std::string();  // half a section is none
}

void RecordedRequest::take_assertion(const forwarding::ClientAddress& client) {
  asserted.reset();
  assertion_refusals.clear();
  if (client.provenance == forwarding::Provenance::assertion) asserted = net::IpPort{*client.address, client.port};
  for (const auto& each : client.rejected) {
    if (forwarding::is_of_assertion(each.reason)) assertion_refusals.push_back(each.reason);
  }
}

void RecordedRequest::take_head(const http1::RequestHead& head, const forwarding::HeaderTrust& trust) {
  text_size_ = 0;
  pieces_ = 0;
  minor_version_ = head.minor_version;
  for (const std::string_view piece :
       {std::string_view(head.method_text), std::string_view(head.authority), head.path()}) {
    const bool fits = has_room(piece.size(), 1);
    is_cut = is_cut || !fits;
    add(fits ? piece : std::string_view("", 0));
  }
  for (const auto field : head.fields) {
    const bool is_wanted = field.id == http::FieldId::via || field.id == http::FieldId::connection ||
                           forwarding::is_identity_name(field.id, field.name, trust);
    if (!is_wanted) continue;
    const bool is_secret = field.id == http::FieldId::x_telltale_client;
    const std::string_view value = is_secret ? not_kept : field.value;
    if (!has_room(field.name.size() + value.size(), 2)) {
      is_cut = true;
      continue;
    }
    add(field.name);
    add(value);
  }
}

void RecordedRequest::give_head(http1::RequestHead& out) const {
  out.clear();
  if (pieces_ < 3) return;
  std::size_t at = 0;
  const auto piece = [&](std::size_t i) {
    const std::string_view text(text_.data() + at, sizes_[i]);
    at += sizes_[i];
    return text;
  };
  out.method_text = piece(0);
  out.authority = piece(1);
  out.target = piece(2);
  out.minor_version = minor_version_;
  for (std::size_t i = 3; i + 1 < pieces_; i += 2) {
    const std::string_view name = piece(i);
    out.fields.append(name, piece(i + 1));
  }
}

std::vector<RecordedRequest> RequestRecorder::last(std::size_t n) const {
  std::vector<RecordedRequest> out;
  const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>({n, ring_.size(), written_}));
  out.reserve(count);
  for (std::size_t i = 1; i <= count; ++i) out.push_back(ring_[(written_ - i) % ring_.size()]);
  return out;
}

std::vector<RecordedRequest> RequestRecorder::find(std::uint64_t id_high, std::uint64_t id_low) const {
  for (const RecordedRequest& each : ring_) {
    if (each.snapshot != nullptr && each.kind != RecordedRequest::Kind::closed && each.id_high == id_high &&
        each.id_low == id_low) {
      return {each};
    }
  }
  return {};
}

}  // namespace telltale::proxy
