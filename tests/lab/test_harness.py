"""The lab itself: kube-proxy's answers and rules, and that nothing of it is left."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest

from scene import Scene, main
import cluster
import health_responder
import kube_proxy
import topology
import transcript
from lab import HEALTH_PORT
from support import Client, proxy_v2, wait_until

_DATE = re.compile(rb"\r\nDate: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n")
_HEALTHY = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
            b"X-Load-Balancing-Endpoint-Weight: 2\r\nDate: DATE\r\nContent-Length: 123\r\n\r\n"
            b'{\n\t"service": {\n\t\t"namespace": "default",\n\t\t"name": "loadbalancer"\n\t},\n'
            b'\t"localEndpoints": 2,\n\t"serviceProxyHealthy": true\n}')
_NONE = (_HEALTHY.replace(b"200 OK", b"503 Service Unavailable").replace(b"Weight: 2", b"Weight: 0")
         .replace(b'localEndpoints": 2', b'localEndpoints": 0'))


class HealthPort(Scene):
    """As pkg/proxy/healthcheck of Kubernetes, through Go's HTTP server, answers."""

    def setUp(self):
        super().setUp()
        # No pod needs to run: it is the cluster that says where there are endpoints.
        self.service = self.lab.load_balanced(*(cluster.Endpoint(f"10.180.1.{n}", "node1") for n in (10, 11)))

    def ask(self, octets, node="node1", port=HEALTH_PORT) -> bytes:
        with self.lab.hosts["lb1"], Client((topology.NODES[node], port)) as client:
            client.send(octets)
            client.finish()
            return _DATE.sub(b"\r\nDate: DATE\r\n", client.closed_by_peer())

    def test_answers(self):
        get = b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n"
        for path in (b"/healthz", b"/", b"/any?x=y"):
            self.assertEqual(self.ask(get % path), _HEALTHY)
        self.assertEqual(self.ask(get % b"/healthz", "node2"), _NONE)
        self.assertEqual(self.ask(get % b"/1" + get % b"/2"), _HEALTHY * 2, "kept alive")
        self.assertEqual(self.ask(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"), _HEALTHY.partition(b"{")[0])
        close = self.ask(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + get % b"/")
        self.assertEqual(close, _HEALTHY.replace(b"123\r\n", b"123\r\nConnection: close\r\n"))
        self.assertEqual(self.ask(b"GET / HTTP/1.0\r\n\r\n"), _HEALTHY.replace(b"1.1 200", b"1.0 200"))

    def test_it_does_not_speak_the_proxy_protocol(self):
        bad = (b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
               b"400 Bad Request")
        for header in (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", proxy_v2(("192.0.2.1", 1))):
            self.assertEqual(self.ask(header + b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"), bad)

    def test_states(self):
        get = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
        self.lab.proxies_healthy["node1"] = False
        self.lab.sync()
        expected = _HEALTHY.replace(b"200 OK", b"503 Service Unavailable").replace(b"true", b"false")
        self.assertEqual(self.ask(get), expected.replace(b"123", b"124"))
        self.lab.proxies_healthy["node1"] = True
        for endpoint in self.service.endpoints:
            endpoint.terminating = True
        self.lab.sync()
        self.assertEqual(self.ask(get), _NONE, "terminating endpoints do not count")
        self.service.external_traffic_policy = "Cluster"
        self.lab.sync()
        with self.assertRaises(ConnectionRefusedError):
            self.ask(get)

    def test_of_the_node(self):
        get = b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n"
        good = (rb'(?s)^HTTP/1.1 200 OK\r\n.*\{"lastUpdated": "2\d{3}-.* \+0000 UTC m=\+[\d.]+",'
                rb'"currentTime": ".*", "nodeEligible": true\}$')
        self.assertRegex(self.ask(get % b"/healthz", port=10256), good)
        self.lab.nodes_eligible["node1"] = False
        self.lab.sync()
        self.assertRegex(self.ask(get % b"/healthz", port=10256), rb'(?s)^HTTP/1.1 503 .*"nodeEligible": false\}$')
        self.assertRegex(self.ask(get % b"/livez", port=10256), rb"(?s)^HTTP/1.1 200 OK\r\n")
        self.assertRegex(self.ask(get % b"/other", port=10256), rb"(?s)^HTTP/1.1 404 .*404 page not found\n$")

    def test_go_writes_times_so(self):
        now = health_responder.go_time()
        self.assertRegex(now, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9} \+0000 UTC m=\+\d+\.\d{9}$")


class Rules(unittest.TestCase):
    @staticmethod
    def service(*endpoints, **fields):
        fields = {"node_port": 30080, "load_balancer_ip": topology.VIP, "external_traffic_policy": "Local", **fields}
        return cluster.Service("s", "10.0.0.1", endpoints=list(endpoints), **fields)

    def targets(self, service, node, chain="local-s") -> list:
        text = kube_proxy.rules([service], node)
        return re.findall(r"endpoint-s-([\d.]+)", re.search(rf"chain {chain} \{{(.*?)\n  \}}", text, re.DOTALL)[1])

    def test_which_endpoints(self):
        """KEP-1669: ready ones, else those that are terminating and serve; for each policy by itself."""
        def endpoint(number, node, **state):
            return cluster.Endpoint(f"10.180.0.{number}", node, **state)

        ready, other = endpoint(1, "node1"), endpoint(2, "node2")
        ending, ended = endpoint(3, "node1", terminating=True), endpoint(4, "node1", terminating=True, serving=False)
        down = endpoint(5, "node1", serving=False)
        cases = [
            ("ready ones only", [ready, ending, ended, down, other], [1], [1, 2]),
            ("here only terminating ones", [ending, ended, other], [3], [2]),
            ("none that serves here", [ended, down, other], [], [2]),
            ("terminating ones only", [ending, ended], [3], [3]),
            ("none", [down], [], []),
        ]
        for what, endpoints, local, everywhere in cases:
            with self.subTest(what):
                service = self.service(*endpoints)
                self.assertEqual(self.targets(service, "node1"), [f"10.180.0.{n}" for n in local])
                self.assertEqual(self.targets(service, "node1", "service-s"), [f"10.180.0.{n}" for n in everywhere])
                self.assertEqual(self.targets(service, "node1", "internal-s"), [f"10.180.0.{n}" for n in everywhere])
                service.internal_traffic_policy = "Local"
                self.assertEqual(self.targets(service, "node1", "internal-s"), [f"10.180.0.{n}" for n in local])

    def test_drop_or_refuse(self):
        here, there = cluster.Endpoint("10.180.0.1", "node1"), cluster.Endpoint("10.180.0.2", "node2")
        external = [f"ip daddr {topology.NODES['node1']} tcp dport 30080", f"ip daddr {topology.VIP} tcp dport 80"]
        cluster_ip = "ip daddr 10.0.0.1 tcp dport 80"
        cases = [
            ("an endpoint here", self.service(here, there), []),
            ("elsewhere", self.service(there), [f"{e} drop" for e in external]),
            ("elsewhere, Cluster", self.service(there, external_traffic_policy="Cluster"), []),
            ("elsewhere, internal Local",
             self.service(there, external_traffic_policy="Cluster", internal_traffic_policy="Local"),
             [f"{cluster_ip} drop"]),
            ("nowhere", self.service(), [f"{e} reject" for e in [cluster_ip, *external]]),
        ]
        for what, service, expected in cases:
            with self.subTest(what):
                text = kube_proxy.rules([service], "node1")
                chain = re.search(r"chain no-endpoints \{\n(.*?)  \}", text, re.DOTALL)[1]
                self.assertEqual([line.strip() for line in chain.splitlines()], expected)


class Page(unittest.TestCase):
    def test_every_scene_is_on_the_page(self):
        here, text = transcript.README.parent, transcript.README.read_text(encoding="utf-8")
        self.assertGreater(len(transcript.sections()), 30)
        never_recorded = [name for name, seen in transcript.sections().items() if not seen.strip()]
        self.assertEqual(never_recorded, [])
        self.assertEqual([f.name for f in here.glob("test_*.py") if f"`{f.name}`" not in text], [])

    def test_what_is_compared(self):
        cases = [
            ("from 10.1.2.3:45678", "from 10.1.2.3:33333", True),
            ("to 10.1.2.3:30080", "to 10.1.2.3:30081", False),
            ("client_address=10.180.1.1", "client_address=10.240.0.5", False),
            ("412 requests answered, 0 failed", "977 requests answered, 0 failed", True),
            ("412 requests answered, 0 failed", "412 requests answered, 1 failed", False),
            ("0.25 s after", "1.02 s after", True),
            ("2026-01-02T03:04:05.678Z warn x", "2027-01-02T03:04:05.678Z warn x", True),
            ("503", "200", False),
        ]
        for one, other, same in cases:
            with self.subTest(one):
                self.assertEqual(transcript.normalised(one) == transcript.normalised(other), same)


class Tidy(unittest.TestCase):
    def test_nothing_is_left_after_a_failure(self):
        with self.assertRaises(ZeroDivisionError), topology.Topology():
            self.assertTrue(topology.namespaces(f"telltale-{os.getpid()}-"))
            raise ZeroDivisionError
        self.assertEqual(topology.namespaces(f"telltale-{os.getpid()}-"), [])

    def test_what_a_killed_process_left_is_removed_by_the_next(self):
        script = ("import scene, lab, sys\nwith lab.Lab() as l:\n  l.pod('echo', 'node1', 9).echo()\n"
                  "  print('up', flush=True)\n  sys.stdin.read()")
        with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              cwd=os.path.dirname(os.path.abspath(__file__))) as other:
            self.assertEqual(other.stdout.readline(), b"up\n")
            names = topology.namespaces(f"telltale-{other.pid}-")
            echo = f"telltale-{other.pid}-echo"
            pids = subprocess.run(["ip", "netns", "pids", echo], capture_output=True, check=True, text=True)
            other.send_signal(signal.SIGKILL)
        self.assertGreater(len(names), 6)
        with topology.Topology():
            self.assertEqual(topology.namespaces(f"telltale-{other.pid}-"), [])
        for pid in pids.stdout.split():
            wait_until(lambda p=pid: ended(p), "what ran there to be gone")


def ended(pid) -> bool:
    """Also if nobody has asked yet how."""
    try:
        return ") Z " in pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return True


if __name__ == "__main__":
    main()
