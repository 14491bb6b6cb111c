"""A load balancer that forwards packets and terminates nothing, as a cloud's network load balancer: packets to the VIP
are routed, unchanged, to the nodes whose health port says 200. Answers go from the node to the client directly."""

import http.client
import threading

from support.waiting import DEADLINE
from topology import NODES, VIP


class PacketForwarder:
    """Probes each node every `interval` seconds from the load balancer's host and routes connections by their hash. A
    context manager. `up` are the nodes that get packets."""

    def __init__(self, host, port, interval=0.2, timeout=5):
        self._host, self._port, self._interval, self._timeout = host, port, interval, timeout
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self.up = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _healthy(self, address) -> bool:
        connection = http.client.HTTPConnection(address, self._port, timeout=self._timeout)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _run(self):
        with self._host:
            while True:
                up = [node for node, address in NODES.items() if self._healthy(address)]
                if up != self.up:
                    self._route(up)
                    with self._changed:
                        self.up = up
                        self._changed.notify_all()
                if self._ending.wait(self._interval):
                    return

    def _route(self, nodes):
        hops = " ".join(f"nexthop via {NODES[node]}" for node in nodes)
        self._host.batch(f"route replace {VIP}/32 {hops}" if nodes else f"route replace unreachable {VIP}/32")

    def wait_up(self, *nodes, deadline=DEADLINE):
        with self._changed:
            if not self._changed.wait_for(lambda: self.up == list(nodes), deadline):
                raise AssertionError(f"the nodes that are up: {self.up}, not {nodes}")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join()
