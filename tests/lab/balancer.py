"""Configurations of Telltale, and HAProxy, as the load balancer at the VIP, as scenes use and show them."""

import textwrap

from topology import VIP

_AT_THE_VIP = """
listeners:
  - name: web
    listen: "{vip}:80"
    {routes}
services:
"""
_SERVICE = """
  - name: {name}
    external_traffic_policy: {policy}
    port: {node_port}
    nodes:
      - {{ name: node1, address: 10.240.0.3 }}
      - {{ name: node2, address: 10.240.0.5 }}
    health: {{ http: /healthz, port: {health_port}, interval: {interval}, timeout: {timeout} }}
"""

# HAProxy in the same place.
HAPROXY = f"""
frontend vip
  bind {VIP}:80
  default_backend nodes
backend nodes
  option httpchk GET /healthz
  server node1 10.240.0.3:30080 send-proxy-v2 check port 32122 inter 1s fall 1 rise 1
  server node2 10.240.0.5:30080 send-proxy-v2 check port 32122 inter 1s fall 1 rise 1
"""


def service(name, node_port=30080, health_port=32122, propagate="", policy="local", more="", interval="1s",
            timeout="500ms") -> str:
    """One of `services`: both nodes of the cluster, by a NodePort, where their health port lets them. `propagate` and
    `more` are YAML of their own; `propagate` is a flow mapping. `interval` and `timeout` are those of the probes."""
    text = _SERVICE.format(name=name, node_port=node_port, health_port=health_port, policy=policy, interval=interval,
                           timeout=timeout).strip("\n")
    if propagate:
        text += f"\n    propagate: {propagate}"
    if more:
        text += "\n" + textwrap.indent(textwrap.dedent(more).strip("\n"), "    ")
    return text


def at_the_vip(*services, routes="service: app", listener="") -> str:
    """A whole file. `listener` is more YAML for the listener."""
    head = _AT_THE_VIP.format(vip=VIP, routes=textwrap.indent(textwrap.dedent(routes).strip("\n"), "    ").strip())
    if listener:
        more = textwrap.indent(textwrap.dedent(listener).strip("\n"), "    ")
        head = head.replace("\nservices:", f"\n{more}\nservices:")
    return head.lstrip("\n") + "\n".join(services) + "\n"
