#pragma once

#include <cstdint>
#include <string_view>

namespace telltale::http {

/// Every field name the proxy gives a meaning to. Everything else is `other` and passes through.
/// Fewer than 64 values: HeaderBlock keeps a presence bit for each.
enum class FieldId : std::uint8_t {
  other,
  // Framing and connection management: RFC 9110 7.6.1, RFC 9112.
  connection,
  content_length,
  transfer_encoding,
  te,
  trailer,
  upgrade,
  keep_alive,
  proxy_connection,
  proxy_authenticate,
  proxy_authorization,
  http2_settings,
  expect,
  host,
  via,
  date,
  server,
  // Identity: who the client is, or how it came. identity.md, "one registry of identity headers".
  forwarded,
  x_forwarded_for,
  x_forwarded_proto,
  x_forwarded_host,
  x_forwarded_port,
  x_forwarded_prefix,
  x_forwarded_server,
  x_forwarded_client_cert,
  x_forwarded_tls,  ///< x-forwarded-tls-* and x-forwarded-ssl*
  x_forwarded_scheme,
  x_real_ip,
  x_client_ip,
  x_cluster_client_ip,
  true_client_ip,
  cf_connecting_ip,
  cf_connecting_ipv6,
  cf_pseudo_ipv4,
  fastly_client_ip,
  x_azure_client_ip,
  x_azure_socket_ip,
  x_original_forwarded_for,
  x_original_host,
  x_envoy_external_address,
  x_envoy_internal,
  x_proxyuser_ip,
  wl_proxy_client_ip,
  proxy_client_ip,
  client_ip,  ///< HTTP_CLIENT_IP of PHP and CGI programs
  x_forwarded,
  forwarded_for,
  x_remote_ip,
  x_remote_addr,
  x_originating_ip,
  fly_client_ip,
  do_connecting_ip,
  cloudfront_viewer_address,
  client_cert,        ///< RFC 9440 client-cert, client-cert-chain; x-client-cert*, ssl-client-*, x-ssl-client-*,
                      ///< x-amzn-mtls-clientcert*, x-arr-clientcert
  x_telltale_client,  ///< our own signed assertion
};
inline constexpr FieldId first_identity_field = FieldId::forwarded;
inline constexpr FieldId last_identity_field = FieldId::x_telltale_client;

/// The id of a field name, in any case and with `_` folded to `-` (x_forwarded_for is the same header to a WSGI or
/// CGI backend, GHSA-5m6w-wvh7-57vm). O(1).
FieldId field_id(std::string_view name);

/// The canonical lower-case name; empty for `other`.
std::string_view field_name(FieldId id);

constexpr bool is_identity(FieldId id) { return id >= first_identity_field && id <= last_identity_field; }

/// Case-insensitive, `_` and `-` the same.
bool folded_equal(std::string_view a, std::string_view b);

}  // namespace telltale::http
