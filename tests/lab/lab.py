"""The lab: the hosts, a cluster with its kube-proxies on two of them, and what runs in its pods."""

import contextlib
import json
import pathlib
import socket
import sys
import tempfile
import time

import kube_proxy
from apps import EchoApp, NginxApp, Proxy
from cluster import Endpoint, Service
from support.process import Process
from topology import NODES, VIP, Topology

CLUSTER_IP = "10.0.170.92"
NODE_PORT = 30080
HEALTH_PORT = 32122  # the tutorial's healthCheckNodePort
_RESPONDER = pathlib.Path(__file__).with_name("health_responder.py")


class Pod:
    """A namespace and the containers in it. `end` of a container is its own affair; what is left ends with the pod."""

    def __init__(self, lab, name, node, number):
        self.name, self.node = name, node
        self._lab, self._running = lab, []
        self.address = lab.add_pod(name, node, number)
        self.host = lab.hosts[name]

    def run(self, make):
        """The application that make() starts, in this pod."""
        with self.host:
            app = make()
        self._running.append(app)
        return app

    def echo(self, *arguments, port=8080) -> EchoApp:
        return self.run(lambda: EchoApp(self.address, *arguments, port=port))

    def nginx(self, port=8080, proxy_protocol=False) -> NginxApp:
        return self.run(lambda: NginxApp(self.name, self.address, port, proxy_protocol))

    def telltale(self, configuration) -> Proxy:
        return self.run(lambda: Proxy(configuration))

    def endpoint(self, port=8080) -> Endpoint:
        return Endpoint(self.address, self.node, port)

    def kill(self):
        """SIGKILL to all that runs in it."""
        self._lab.kill(self.name)
        while self._running:
            self._running.pop().lost()

    def close(self):
        with contextlib.ExitStack() as stack:
            stack.callback(self._lab.remove_pod, self.name)
            while self._running:
                stack.push(self._running.pop(0).__exit__)


class Lab(Topology):
    """`services` may be changed at any time; sync() then does what the kube-proxies would do."""

    def __init__(self, prefix=""):
        super().__init__(prefix)
        self.services, self.pods = [], {}
        self.proxies_healthy = dict.fromkeys(NODES, True)
        self.nodes_eligible = dict.fromkeys(NODES, True)
        self._responders = {}

    def _build(self):
        super()._build()
        self._directory = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="telltale-lab-"))
        for node in NODES:
            with self.hosts[node]:
                responder = Process([sys.executable, _RESPONDER, self._control(node)])
            self._responders[node] = responder
            self._stack.callback(responder.kill)
        for responder in self._responders.values():
            responder.stdout.wait_line("ready")
        self.sync()

    def _control(self, node) -> str:
        return f"{self._directory}/{node}"

    # The cluster.

    def pod(self, name, node, number) -> Pod:
        pod = self.pods[name] = Pod(self, name, node, number)
        self._stack.callback(self.remove, pod)
        return pod

    def remove(self, pod: Pod):
        if self.pods.pop(pod.name, None):
            pod.close()

    def service(self, *endpoints, name="app", cluster_ip=CLUSTER_IP, **fields) -> Service:
        """Adds a service; sync() is the caller's."""
        service = Service(name, cluster_ip, endpoints=list(endpoints), **fields)
        self.services.append(service)
        return service

    def load_balanced(self, *endpoints, name="loadbalancer", policy="Local", **fields) -> Service:
        """A Service of type LoadBalancer at the VIP, with the tutorial's ports; in effect at once."""
        fields = {"node_port": NODE_PORT, "load_balancer_ip": VIP, "health_check_node_port": HEALTH_PORT, **fields}
        service = self.service(*endpoints, name=name, external_traffic_policy=policy, **fields)
        self.sync()
        return service

    def sync(self):
        """Rules first, then what the health ports say, as kube-proxy does it. When that was, since the epoch."""
        for node in NODES:
            kube_proxy.apply(self.hosts[node], self.services, node)
        for node, responder in self._responders.items():
            if responder.running():
                self._tell(node)
        return time.time()

    def _tell(self, node):
        local = [s for s in self.services if s.health_check_node_port and s.external_traffic_policy == "Local"]
        services = [{"namespace": s.namespace, "name": s.name, "port": s.health_check_node_port,
                     "endpoints": s.local_ready(node)} for s in local]
        state = {"services": services, "healthy": self.proxies_healthy[node],
                 "node_eligible": self.nodes_eligible[node]}
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(self._control(node))
            control.sendall(json.dumps(state).encode() + b"\n")
            said = control.recv(16)
        assert said == b"ok\n", f"health responder of {node}: {self._responders[node].stderr.text()}"

    def kill_node(self, node):
        """The machine is gone: its link first, so that nobody hears of it, then everything on it."""
        self.cut(node)
        for pod in [p for p in self.pods.values() if p.node == node]:
            pod.kill()
        self.kill(node)
