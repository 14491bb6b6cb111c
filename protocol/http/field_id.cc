#include "protocol/http/field_id.h"

#include <array>
#include <cstddef>

namespace telltale::http {
namespace {

constexpr std::size_t id_count = static_cast<std::size_t>(last_identity_field) + 1;
static_assert(id_count <= 64, "HeaderBlock keeps one presence bit for each id");

// In the order of FieldId.
constexpr std::array<std::string_view, id_count> names = {
    "",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "http2-settings",
    "expect",
    "host",
    "via",
    "date",
    "server",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-server",
    "x-forwarded-client-cert",
    "x-forwarded-tls",
    "x-forwarded-scheme",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-pseudo-ipv4",
    "fastly-client-ip",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-original-forwarded-for",
    "x-original-host",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-proxyuser-ip",
    "wl-proxy-client-ip",
    "proxy-client-ip",
    "client-ip",
    "x-forwarded",
    "forwarded-for",
    "x-remote-ip",
    "x-remote-addr",
    "x-originating-ip",
    "fly-client-ip",
    "do-connecting-ip",
    "cloudfront-viewer-address",
    "client-cert",
    "x-telltale-client",
};
static_assert(names[static_cast<std::size_t>(FieldId::server)] == "server");
static_assert(names[static_cast<std::size_t>(FieldId::x_forwarded_tls)] == "x-forwarded-tls");
static_assert(names[id_count - 1] == "x-telltale-client");

constexpr std::array<unsigned char, 256> make_fold() {
  std::array<unsigned char, 256> fold{};
  for (unsigned c = 0; c < 256; ++c) {
    const unsigned folded = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c == '_' ? '-' : c;
    fold[c] = static_cast<unsigned char>(folded);
  }
  return fold;
}
constexpr std::array<unsigned char, 256> fold_table = make_fold();

constexpr std::size_t fold(char c) { return fold_table[static_cast<unsigned char>(c)]; }

// A perfect hash over the names, of two octets or more: the length and three characters tell all of them apart; the
// multipliers were searched for, and make_slots() refuses to compile when a new name collides.
constexpr std::size_t slot_of(std::string_view name) {
  const std::size_t n = name.size();
  return (n * 134 + fold(name[n / 2]) * 95 + fold(name[n - 2]) * 133 + fold(name[0]) * 230) & 255;
}

constexpr std::array<FieldId, 256> make_slots() {
  std::array<FieldId, 256> slots{};
  for (std::size_t i = 1; i < id_count; ++i) {
    FieldId& slot = slots[slot_of(names[i])];
    if (slot != FieldId::other) throw "two names share a slot: search for new multipliers";
    slot = static_cast<FieldId>(i);
  }
  return slots;
}
constexpr std::array<FieldId, 256> slots = make_slots();

struct Family {
  std::string_view prefix;
  FieldId id;
};
// Open-ended: X-Forwarded-Tls-Client-Cert-Info (Traefik), X-Forwarded-Ssl-Client-Cn, Ssl-Client-Verify (ingress-nginx),
// X-Ssl-Client-Cn (HAProxy and nginx by custom), X-Amzn-Mtls-Clientcert-Subject (AWS), X-Client-Cert-Present (GCP) …
constexpr Family families[] = {
    {"x-forwarded-tls", FieldId::x_forwarded_tls},    {"x-forwarded-ssl", FieldId::x_forwarded_tls},
    {"client-cert-", FieldId::client_cert},           {"ssl-client-", FieldId::client_cert},
    {"x-ssl-client", FieldId::client_cert},           {"x-client-cert", FieldId::client_cert},
    {"x-amzn-mtls-clientcert", FieldId::client_cert}, {"x-arr-clientcert", FieldId::client_cert},
};

FieldId family_of(std::string_view name) {
  const std::size_t first = fold(name[0]);
  if (first != 'x' && first != 'c' && first != 's') return FieldId::other;
  for (const Family& family : families) {
    const std::string_view prefix = family.prefix;
    if (name.size() >= prefix.size() && folded_equal(name.substr(0, prefix.size()), prefix)) return family.id;
  }
  return FieldId::other;
}

}  // namespace

bool folded_equal(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (fold(a[i]) != fold(b[i])) return false;
  }
  return true;
}

FieldId field_id(std::string_view name) {
  if (name.size() < 2) return FieldId::other;
  const FieldId id = slots[slot_of(name)];
  if (id != FieldId::other && folded_equal(name, names[static_cast<std::size_t>(id)])) return id;
  return family_of(name);
}

std::string_view field_name(FieldId id) {
  const auto index = static_cast<std::size_t>(id);
  return index < id_count ? names[index] : std::string_view{};
}

}  // namespace telltale::http
