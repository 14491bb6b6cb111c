"""What kube-proxy does on a node, from the same inputs: DNAT to endpoints, masquerading, and the drop under `Local`, as
nftables rules in the shape of its nftables mode. IPv4 and TCP.

| traffic | becomes |
|---|---|
| ClusterIP from a pod | DNAT to any endpoint (`internalTrafficPolicy: Local`: one on this node); the source stays |
| ClusterIP from anything else | the same, masqueraded |
| NodePort or load balancer IP, `externalTrafficPolicy: Cluster` | DNAT to any endpoint, masqueraded |
| the same, `Local` | DNAT to an endpoint on this node, the source stays; if there is none, dropped |
| the same, `Local`, from a pod | as for its ClusterIP: it never leaves the node for the load balancer |
| the same, `Local`, from the node itself | the same, masqueraded |
| a pod to itself through a service | masqueraded (hairpin) |
| `sessionAffinity: ClientIP` | the endpoint that this source had before, for three hours, while it is one |
| a service without any endpoint | rejected: connection refused |
"""

import subprocess

from support.process import find_program
from topology import ALL_PODS, NODES

_MASQUERADE = "0x4000"

_TABLE = """
add table ip kube-proxy
flush table ip kube-proxy
table ip kube-proxy {{
  chain nat-prerouting {{
    type nat hook prerouting priority dstnat; policy accept;
    jump services
  }}
  chain nat-output {{
    type nat hook output priority -100; policy accept;
    jump services
  }}
  chain nat-postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    meta mark & {mark} == 0 return
    meta mark set meta mark ^ {mark}
    masquerade fully-random
  }}
  chain filter-input {{
    type filter hook input priority filter; policy accept;
    ct state new jump no-endpoints
  }}
  chain filter-forward {{
    type filter hook forward priority filter; policy accept;
    ct state new jump no-endpoints
  }}
  chain filter-output {{
    type filter hook output priority filter; policy accept;
    ct state new jump no-endpoints
  }}
  chain mark-for-masquerade {{
    meta mark set meta mark | {mark}
  }}
{chains}
}}
"""


def _chain(name, rules) -> str:
    return f"  chain {name} {{\n" + "".join(f"    {rule}\n" for rule in rules) + "  }"


def _external(service, node) -> list:
    """Where it is called from outside: a NodePort, the load balancer's IP."""
    out = []
    if service.node_port:
        out.append(f"ip daddr {NODES[node]} tcp dport {service.node_port}")
    if service.load_balancer_ip:
        out.append(f"ip daddr {service.load_balancer_ip} tcp dport {service.port}")
    return out


def _has_affinity(service) -> bool:
    return service.session_affinity == "ClientIP"


def _spread(service, endpoints) -> list:
    """To the endpoint that the source had, if it had one and there is affinity, else to one of them at random."""
    if not endpoints:
        return []
    had = [f"ip saddr @{_set_name(service, e)} goto {_endpoint_name(service, e)}" for e in endpoints]
    targets = ", ".join(f"{i} : goto {_endpoint_name(service, e)}" for i, e in enumerate(endpoints))
    return [*(had if _has_affinity(service) else []), f"numgen random mod {len(endpoints)} vmap {{ {targets} }}"]


def _endpoint_name(service, endpoint) -> str:
    return f"endpoint-{service.name}-{endpoint.address}"


def _set_name(service, endpoint) -> str:
    return f"affinity-{service.name}-{endpoint.address}"


def _endpoint(service, endpoint) -> list:
    """What leads to an endpoint: its chain, and the set of the sources that had it."""
    chain = [f"ip saddr {endpoint.address} jump mark-for-masquerade",
             f"meta l4proto tcp dnat to {endpoint.address}:{endpoint.port}"]
    if not _has_affinity(service):
        return [_chain(_endpoint_name(service, endpoint), chain)]
    name = _set_name(service, endpoint)
    sources = f"  set {name} {{\n    type ipv4_addr; flags dynamic,timeout; timeout 10800s;\n  }}"
    return [sources, _chain(_endpoint_name(service, endpoint), [f"update @{name} {{ ip saddr }}", *chain])]


def _service_chains(service, node) -> list:
    name, everywhere, here = service.name, service.cluster_wide(), service.local(node)
    internal = here if service.internal_traffic_policy == "Local" else everywhere
    no_pod = f"ip saddr != {ALL_PODS} jump mark-for-masquerade"
    chains = [_chain(f"service-{name}", _spread(service, everywhere)),
              _chain(f"local-{name}", _spread(service, here)),
              _chain(f"internal-{name}", [no_pod, *_spread(service, internal)])]
    if service.external_traffic_policy == "Local":
        external = [f"ip saddr {ALL_PODS} goto service-{name}",
                    "fib saddr type local jump mark-for-masquerade",
                    f"fib saddr type local goto service-{name}",
                    f"goto local-{name}"]
    else:
        external = ["jump mark-for-masquerade", f"goto service-{name}"]
    chains.append(_chain(f"external-{name}", external))
    for endpoint in {e.address: e for e in everywhere + here}.values():
        chains += _endpoint(service, endpoint)
    return chains


def rules(services, node: str) -> str:
    """The whole ruleset of a node, to be loaded in one transaction."""
    dispatch, without, chains = [], [], []
    for service in services:
        cluster_ip = f"ip daddr {service.cluster_ip} tcp dport {service.port}"
        dispatch.append(f"{cluster_ip} goto internal-{service.name}")
        dispatch += [f"{where} goto external-{service.name}" for where in _external(service, node)]
        if not service.cluster_wide():
            without += [f"{where} reject" for where in [cluster_ip, *_external(service, node)]]
        else:
            if service.internal_traffic_policy == "Local" and not service.local(node):
                without.append(f"{cluster_ip} drop")
            if service.external_traffic_policy == "Local" and not service.local(node):
                without += [f"{where} drop" for where in _external(service, node)]
        chains += _service_chains(service, node)
    chains += [_chain("services", dispatch), _chain("no-endpoints", without)]
    return _TABLE.format(mark=_MASQUERADE, chains="\n".join(chains))


def apply(host, services, node: str):
    """Replaces the node's rules in one transaction. Connections that are tracked go on as they began."""
    text = rules(services, node)
    done = subprocess.run(["ip", "netns", "exec", host.name, find_program("nft"), "-f", "-"], input=text,
                          capture_output=True, check=False, text=True)
    if done.returncode != 0:
        raise AssertionError(f"nft on {host.name}: {done.stderr}\n{text}")
