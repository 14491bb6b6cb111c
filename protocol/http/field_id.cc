#include "protocol/http/field_id.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace telltale::http {
namespace {

struct Row {
  std::string_view name;
  FieldId id;
};

constexpr Row rows[] = {
    {"connection", FieldId::connection},
    {"content-length", FieldId::content_length},
    {"transfer-encoding", FieldId::transfer_encoding},
    {"te", FieldId::te},
    {"trailer", FieldId::trailer},
    {"upgrade", FieldId::upgrade},
    {"keep-alive", FieldId::keep_alive},
    {"proxy-connection", FieldId::proxy_connection},
    {"proxy-authenticate", FieldId::proxy_authenticate},
    {"proxy-authorization", FieldId::proxy_authorization},
    {"http2-settings", FieldId::http2_settings},
    {"expect", FieldId::expect},
    {"host", FieldId::host},
    {"via", FieldId::via},
    {"date", FieldId::date},
    {"server", FieldId::server},
    {"forwarded", FieldId::forwarded},
    {"x-forwarded-for", FieldId::x_forwarded_for},
    {"x-forwarded-proto", FieldId::x_forwarded_proto},
    {"x-forwarded-host", FieldId::x_forwarded_host},
    {"x-forwarded-port", FieldId::x_forwarded_port},
    {"x-forwarded-prefix", FieldId::x_forwarded_prefix},
    {"x-forwarded-server", FieldId::x_forwarded_server},
    {"x-forwarded-client-cert", FieldId::x_forwarded_client_cert},
    {"x-forwarded-scheme", FieldId::x_forwarded_scheme},
    {"x-real-ip", FieldId::x_real_ip},
    {"x-client-ip", FieldId::x_client_ip},
    {"x-cluster-client-ip", FieldId::x_cluster_client_ip},
    {"true-client-ip", FieldId::true_client_ip},
    {"cf-connecting-ip", FieldId::cf_connecting_ip},
    {"cf-connecting-ipv6", FieldId::cf_connecting_ipv6},
    {"cf-pseudo-ipv4", FieldId::cf_pseudo_ipv4},
    {"fastly-client-ip", FieldId::fastly_client_ip},
    {"x-azure-clientip", FieldId::x_azure_client_ip},
    {"x-azure-socketip", FieldId::x_azure_socket_ip},
    {"x-original-forwarded-for", FieldId::x_original_forwarded_for},
    {"x-original-host", FieldId::x_original_host},
    {"x-envoy-external-address", FieldId::x_envoy_external_address},
    {"x-envoy-internal", FieldId::x_envoy_internal},
    {"x-proxyuser-ip", FieldId::x_proxyuser_ip},
    {"wl-proxy-client-ip", FieldId::wl_proxy_client_ip},
    {"proxy-client-ip", FieldId::proxy_client_ip},
};

/// Whole families of names, told by their beginning.
constexpr std::string_view tls_prefixes[] = {"x-forwarded-tls", "x-forwarded-ssl"};

constexpr char fold(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c + ('a' - 'A'));
  return c == '_' ? '-' : c;
}

constexpr std::size_t slot_count = 256;

/// Cheap and, for these rows, nearly free of collisions: length and three octets.
constexpr std::size_t hash(std::string_view name) {
  const auto at = [name](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(fold(name[i]))); };
  return (name.size() * 7 + at(0) * 31 + at(name.size() / 2) * 13 + at(name.size() - 1) * 57) % slot_count;
}

/// Open addressing: each slot holds a row number + 1.
constexpr std::array<std::uint8_t, slot_count> make_slots() {
  std::array<std::uint8_t, slot_count> slots{};
  for (std::size_t i = 0; i < std::size(rows); ++i) {
    std::size_t at = hash(rows[i].name);
    while (slots[at] != 0) at = (at + 1) % slot_count;
    slots[at] = static_cast<std::uint8_t>(i + 1);
  }
  return slots;
}
constexpr auto slots = make_slots();

constexpr std::size_t longest_name() {
  std::size_t longest = 0;
  for (const Row& row : rows) longest = row.name.size() > longest ? row.name.size() : longest;
  return longest;
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
  if (name.empty()) return FieldId::other;
  if (name.size() <= longest_name()) {
    for (std::size_t at = hash(name); slots[at] != 0; at = (at + 1) % slot_count) {
      const Row& row = rows[slots[at] - 1];
      if (folded_equal(row.name, name)) return row.id;
    }
  }
  for (const auto prefix : tls_prefixes) {
    if (name.size() >= prefix.size() && folded_equal(name.substr(0, prefix.size()), prefix)) return FieldId::x_forwarded_tls;
  }
  return FieldId::other;
}

std::string_view field_name(FieldId id) {
  for (const Row& row : rows) {
    if (row.id == id) return row.name;
  }
  return id == FieldId::x_forwarded_tls ? tls_prefixes[0] : std::string_view();
}

}  // namespace telltale::http
