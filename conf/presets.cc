#include "conf/presets.h"

#include <algorithm>

namespace telltale::conf {
namespace {

using enum Preset::Tells;

// Facts from each party's own documentation; tests/integration/test_presets.py sends what they send.
constexpr Preset table[] = {
    {.name = "aws-nlb",
     .tells = proxy,
     .version = "v2",
     .sends = "PROXY v2, when the target group has `proxy_protocol_v2.enabled`; LOCAL with its health checks",
     .source = "the load balancer's, unless the target group preserves client addresses",
     .from = "the subnets of the load balancer",
     .why = "PROXY v2 must come; turn on proxy_protocol_v2.enabled and off preserve_client_ip.enabled. Headers are the "
            "client's own words: a network load balancer writes none."},
    {.name = "aws-alb",
     .tells = header,
     .header = "x-forwarded-for",
     .sends = "`X-Forwarded-For`, its peer appended (`xff_header_processing.mode` append, the default)",
     .source = "the load balancer's",
     .from = "the subnets of the load balancer",
     .why = "It appends the address that connected to it. With the mode `preserve` or `remove` it does not tell: leave "
            "it at `append`."},
    {.name = "aws-clb",
     .tells = proxy,
     .version = "v1",
     .sends = "PROXY v1 from TCP and SSL listeners, with a policy of the type ProxyProtocolPolicyType",
     .source = "the load balancer's",
     .from = "the subnets of the load balancer",
     .why = "PROXY v1 must come from TCP listeners, which write no header. HTTP listeners append X-Forwarded-For "
            "instead: `behind: aws-alb`."},
    {.name = "gcp-lb",
     .tells = header,
     .header = "x-forwarded-for",
     .trusted_hops = 2,
     .published = "gcp-lb",
     .sends = "`X-Forwarded-For`, two entries appended: the client, the load balancer's own address",
     .source = "Google Front Ends",
     .from = "the proxy-only subnet, for the regional and the internal ones",
     .why =
         "External application load balancers append client and forwarding rule: the client is the second entry from "
         "the right. Nothing left of it is checked by anybody."},
    {.name = "gcp-psc",
     .tells = proxy,
     .version = "v2",
     .sends = "PROXY v2 with the connection id (TLV 0xE0), when the service attachment enables it",
     .source = "the NAT subnet of the service attachment",
     .from = "the NAT subnets of the service attachment",
     .why =
         "The consumer's address is behind source NAT; only the PROXY header has it. Enable the PROXY protocol on the "
         "service attachment."},
    {.name = "azure-lb",
     .sends = "nothing",
     .source = "the client's",
     .why = "It passes packets through: the peer is the client. Its health probes come from 168.63.129.16."},
    {.name = "azure-private-link",
     .tells = proxy,
     .version = "v2",
     .also = "168.63.129.16",
     .sends = "PROXY v2 with the link id (TLV 0xEE), when the service has `enableProxyProtocol`; with its probes too",
     .source = "the NAT addresses of the private link service",
     .from = "the NAT subnet of the private link service",
     .why = "The consumer's address is behind source NAT; only the PROXY header has it. Once it is enabled, the health "
            "probes from 168.63.129.16 carry one as well, without a client in it."},
    {.name = "azure-front-door",
     .tells = header,
     .header = "x-azure-socketip",
     .published = "azure-front-door",
     .sends = "`X-Azure-SocketIP`: who connected to it (`X-Azure-ClientIP` a client can choose)",
     .source = "Front Door's",
     .from = "the service tag AzureFrontDoor.Backend, which changes weekly",
     .why = "X-Azure-SocketIP is the connection's address; X-Azure-ClientIP follows an X-Forwarded-For that the client "
            "sent. Every customer's Front Door has these addresses: let the backends check X-Azure-FDID."},
    {.name = "cloudflare",
     .tells = header,
     .header = "cf-connecting-ip",
     .published = "cloudflare",
     .sends = "`CF-Connecting-IP`: who connected to it",
     .source = "Cloudflare's",
     .why = "Cloudflare overwrites the header, so that no client can choose it. With Pseudo IPv4 in the mode that "
            "overwrites headers it holds a made-up address."},
    {.name = "cloudflare-spectrum",
     .tells = proxy,
     .published = "cloudflare",
     .sends = "PROXY v1 or v2, as the Spectrum application is set",
     .source = "Cloudflare's",
     .why = "A TCP application tells by the PROXY protocol alone; turn it on for the application. Headers are the "
            "client's own words."},
    {.name = "fastly",
     .tells = header,
     .header = "x-forwarded-for",
     .published = "fastly",
     .sends = "`X-Forwarded-For`, its peer appended on TLS connections (`Fastly-Client-IP` a client can choose)",
     .source = "Fastly's",
     .why = "Fastly-Client-IP is taken from the client unless your VCL sets it. X-Forwarded-For is appended to only on "
            "TLS connections: force TLS, and let shields speak TLS to us."},
    {.name = "digitalocean",
     .tells = proxy,
     .version = "v1",
     .sends = "PROXY v1, when it is enabled; HTTP forwarding writes `X-Forwarded-For` besides",
     .source = "the load balancer's, in the VPC",
     .from = "the load balancer's addresses in the VPC",
     .why = "PROXY v1 must come, with the health checks too: enable it on the load balancer. Then no header is needed, "
            "and none believed."},
    {.name = "hetzner",
     .tells = proxy,
     .sends = "the PROXY protocol, when the service has it on; HTTP services write `X-Forwarded-For` besides",
     .source = "the load balancer's, private or public",
     .from = "the load balancer's addresses",
     .why =
         "The PROXY header must come: turn it on for the service of the load balancer. Then no header is needed, and "
         "none believed."},
    {.name = "kubernetes-nodeport",
     .sends = "nothing",
     .source = "the client's with `externalTrafficPolicy: Local`, else a node's",
     .why = "Nobody tells more than the packet does: set externalTrafficPolicy: Local, or kube-proxy replaces the "
            "client's address by a node's."},
    {.name = "nothing",
     .sends = "nothing",
     .source = "the client's",
     .why = "The peer is the client, and what it says of itself is not believed."},
};

std::string addresses_of(const Preset& preset) {
  if (preset.tells == nothing) return "none needed";
  std::string text;
  if (!preset.published.empty()) text = "list `" + std::string(preset.published) + "`";
  if (preset.from.empty()) return text;
  return text + (text.empty() ? "" : "; or ") + "`from`: " + std::string(preset.from);
}

std::string expansion_of(const Preset& preset) {
  switch (preset.tells) {
    case proxy:
      return "`proxy_protocol`: `require`, `version: " + std::string(preset.version) + "`; `header: none`";
    case header: {
      const std::string hops =
          preset.trusted_hops > 0 ? ", `trusted_hops: " + std::to_string(preset.trusted_hops) + "`" : std::string();
      return "`header: " + std::string(preset.header) + "`, `trusted`" + hops;
    }
    case nothing:
      break;
  }
  return "`header: none`";
}

}  // namespace

std::span<const Preset> presets() { return table; }

const Preset* find_preset(std::string_view name) {
  const auto found = std::ranges::find(table, name, &Preset::name);
  return found == std::end(table) ? nullptr : &*found;
}

std::string presets_markdown() {
  std::string out =
      "### Presets: `listeners[].client_ip.behind`\n\n"
      "| preset | what it sends | whose address we see | its addresses | expands to | why "
      "|\n|---|---|---|---|---|---|\n";
  for (const Preset& each : table) {
    out.append("| `").append(each.name).append("` | ").append(each.sends).append(" | ").append(each.source);
    out.append(" | ").append(addresses_of(each)).append(" | ").append(expansion_of(each)).append(" | ");
    out.append(each.why).append(" |\n");
  }
  return out + "\n";
}

}  // namespace telltale::conf
