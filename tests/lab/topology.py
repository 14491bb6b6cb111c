"""The hosts of the lab and the links between them.

                     client 198.51.100.79
                       |
                     fabric               what lies between: the Internet, the cloud's network; it routes the VIP
                       |  10.240.0.1      203.0.113.140 to the load balancers (`vip_via`)
        +---------+----+----+---------+   a bridge
       lb1       lb2      node1     node2
    10.240.0.11  .12        .3        .5
                            |         |
                          cbr0      cbr0  a bridge on each node: 10.180.1.1, 10.180.2.1
                            |         |
                          pods      pods  10.180.1.x, 10.180.2.x

Every host is a network namespace, every link a veth pair. All of it is made by Topology and gone at its end. The
addresses are those of the tutorial "Using Source IP"."""

import contextlib
import pathlib
import re
import signal
import subprocess
import os

from support import netns

CLIENT = "198.51.100.79"
VIP = "203.0.113.140"
LOAD_BALANCERS = {"lb1": "10.240.0.11", "lb2": "10.240.0.12"}
NODES = {"node1": "10.240.0.3", "node2": "10.240.0.5"}
POD_RANGES = {"node1": "10.180.1", "node2": "10.180.2"}
ALL_PODS = "10.180.0.0/16"
NODE_NETWORK = "10.240.0.0/24"

# Routers that drop nothing for its source, send no redirects, and spread by connection, not by address.
_SYSCTLS = {
    "ip_forward": "1",
    "conf/all/rp_filter": "0",
    "conf/default/rp_filter": "0",
    "conf/all/send_redirects": "0",
    "conf/default/send_redirects": "0",
    "fib_multipath_hash_policy": "1",
}
# Where it is on, frames between ports of a bridge go through the rules for routed packets. Here pods are routed anyway.
_BRIDGE_CALLS = pathlib.Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


class Topology:
    """The hosts, by name, in `hosts`; pods are added and removed at any time. A context manager."""

    def __init__(self, prefix=""):
        self._prefix = prefix
        self._stack = contextlib.ExitStack()
        self._links = 0
        self.hosts = {}

    def __enter__(self):
        remove_leftovers()
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _host(self, name: str) -> netns.Host:
        host = netns.Host(name, self._prefix)
        self._stack.callback(self._delete, name)
        self.hosts[name] = host
        with host:
            for key, value in _SYSCTLS.items():
                pathlib.Path("/proc/sys/net/ipv4", key).write_text(value, encoding="ascii")
            if _BRIDGE_CALLS.exists():
                _BRIDGE_CALLS.write_text("0", encoding="ascii")
        return host

    def _delete(self, name):
        """A host and whatever still runs there."""
        if name in self.hosts:
            self.kill(name)
            self.hosts.pop(name).delete()

    def _build(self):
        fabric, client = self._host("fabric"), self._host("client")
        netns.cable(client, "eth0", fabric, "client")
        client.batch(f"address add {CLIENT}/24 dev eth0", "link set eth0 up", "route add default via 198.51.100.1")
        fabric.batch("address add 198.51.100.1/24 dev client", "link set client up",
                     "link add nodes type bridge forward_delay 0", "address add 10.240.0.1/24 dev nodes",
                     "link set nodes up",
                     *(f"route add {net}.0/24 via {NODES[node]}" for node, net in POD_RANGES.items()))
        for name, address in {**LOAD_BALANCERS, **NODES}.items():
            host = self._host(name)
            netns.cable(host, "eth0", fabric, name)
            fabric.batch(f"link set {name} master nodes", f"link set {name} up")
            host.batch(f"address add {address}/24 dev eth0", "link set eth0 up", "route add default via 10.240.0.1",
                       *(f"route add {net}.0/24 via {NODES[node]}" for node, net in POD_RANGES.items() if node != name))
        for name, net in POD_RANGES.items():
            self.hosts[name].batch("link add cbr0 type bridge forward_delay 0", f"address add {net}.1/24 dev cbr0",
                                   "link set cbr0 up")
        self.vip_via("lb1")

    # The VIP.

    def vip_via(self, *names: str):
        """The VIP's packets go to these load balancers, each connection to one of them."""
        hops = " ".join(f"nexthop via {LOAD_BALANCERS[name]}" for name in names)
        self.hosts["fabric"].batch(f"route replace {VIP}/32 {hops}")

    def vip_on(self, name: str):
        """A load balancer that terminates connections has the VIP as an address of its own."""
        self.hosts[name].batch(f"address replace {VIP}/32 dev lo")

    # Pods.

    def add_pod(self, name: str, node: str, number: int) -> str:
        """A pod's namespace on a node; its address. All that leaves a pod goes through its node's routing, even to a
        pod beside it: so no rule of the node is passed by."""
        pod, address, gateway = self._host(name), f"{POD_RANGES[node]}.{number}", f"{POD_RANGES[node]}.1"
        self._links += 1
        netns.cable(pod, "eth0", self.hosts[node], f"pod{self._links}")
        self.hosts[node].batch(f"link set pod{self._links} master cbr0", f"link set pod{self._links} up")
        pod.batch(f"address add {address}/32 dev eth0", "link set eth0 up", f"route add {gateway} dev eth0",
                  f"route add default via {gateway}")
        return address

    def remove_pod(self, name: str):
        self._delete(name)

    # Mishaps.

    def cut(self, name: str):
        """The link of a load balancer or node is dead: what is sent to it disappears."""
        self.hosts["fabric"].batch(f"link set {name} down")

    def mend(self, name: str):
        self.hosts["fabric"].batch(f"link set {name} up")

    def kill(self, name: str):
        """SIGKILL to every process that runs on this host."""
        kill_processes(self.hosts[name].name)


def kill_processes(namespace: str):
    listed = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, check=False, text=True).stdout
    for pid in map(int, listed.split()):
        if pid != os.getpid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def namespaces(prefix: str) -> list:
    done = subprocess.run(["ip", "netns", "list"], capture_output=True, check=False, text=True)
    names = [line.split()[0] for line in done.stdout.splitlines() if line]
    return [name for name in names if name.startswith(prefix)]


def remove_namespaces(names):
    for name in names:
        kill_processes(name)
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def remove_leftovers():
    """Namespaces of test processes that were killed before they could tidy up, with whatever still runs there."""
    for name in namespaces("telltale-"):
        owner = re.match(r"telltale-(\d+)-", name)
        if owner and not os.path.exists(f"/proc/{owner[1]}"):
            remove_namespaces([name])
