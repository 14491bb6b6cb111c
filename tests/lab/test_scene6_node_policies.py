"""Scene 6: Telltale on each node, in kube-proxy's place: it knows its node, its endpoints come from a file, and it
answers on the healthCheckNodePort itself."""

import re

from scene import Scene, main
import balancer
import health_responder
from endpoints_file import EndpointsFile
from support import wait_until
from topology import CLIENT, NODES, VIP

_ON_A_NODE = """
node_name: {node}
listeners:
  - name: nodeport
    listen: "0.0.0.0:30080"
    client_ip:
      proxy_protocol: [{{ from: [10.240.0.11, 10.240.0.12], policy: require }}]   # the load balancers
    service: app
  - name: clusterip
    listen: "0.0.0.0:8080"
    internal: true
    service: app
services:
  - name: app
    endpoints_file: {file}
    external_traffic_policy: local
    internal_traffic_policy: {internal}
    health_check_node_port: "0.0.0.0:32122"
"""
STATUS = "curl -s -o /dev/null -w '%{http_code}\\n'"
WHO = (f"for i in $(seq 20); do curl -s {VIP} | grep -E '^(served_by|x-forwarded-for)'; done"
       " | sort | uniq -c | sed 's/^ *//'")


class OnNodes(Scene):
    def setUp(self):
        super().setUp()
        self.file = self.enterContext(EndpointsFile())
        self.pods = {f"node{n}": self.lab.pod(f"nginx-{n}", f"node{n}", 20) for n in (1, 2)}
        self.apps = {node: pod.nginx() for node, pod in self.pods.items()}
        self.proxies = {}

    def configuration(self, node, internal="local", file=None) -> str:
        return _ON_A_NODE.format(node=node, file=file or self.file.path, internal=internal).lstrip("\n")

    def start(self, *endpoints, **how):
        """The file, and Telltale on both nodes."""
        self.endpoints = list(endpoints)
        text = self.file.replace(*endpoints)
        self.proxies = {node: self.telltale(node, self.configuration(node, **how)) for node in NODES}
        return text

    def known(self, node) -> dict:
        """Address -> state, as Telltale on that node has it."""
        with self.lab.hosts[node]:
            return {e["address"]: e["state"] for e in self.proxies[node].services()["app"]["endpoints"]}

    def publish(self, *endpoints):
        """Both nodes know when this returns."""
        self.file.replace(*endpoints)
        wanted = {f"{e.address}:{e.port}": e.terminating for e in endpoints}

        def current(node):
            return {address: state == "draining" for address, state in self.known(node).items()} == wanted

        wait_until(lambda: all(map(current, NODES)), f"the nodes to know {wanted}")

    def balancer(self):
        """Telltale on lb1."""
        self.lab.vip_on("lb1")
        proxy = self.telltale("lb1", balancer.at_the_vip(balancer.service("app", propagate="{ proxy_protocol: v2 }")))

        def wait_states(**states):
            with self.lab.hosts["lb1"]:
                proxy.wait_states(**states)

        return wait_states

    def wait_served(self, app, more=100):
        wanted = len(app.served()) + more
        wait_until(lambda: len(app.served()) >= wanted, "requests to be served")


class Policies(OnNodes):
    def test_external_local(self):
        """One node has the endpoint; the other answers 503, and its health port as kube-proxy's."""
        with self.page("node-external-local") as page:
            endpoints = self.start(self.pods["node1"].endpoint())
            page.file("node1", "telltale.yaml", self.configuration("node1", file="/etc/telltale/endpoints.json"))
            page.file("node1", "/etc/telltale/endpoints.json", endpoints)
            each = f"for node in $NODES; do {STATUS} $node:30080; done"
            seen = page.run("client", each, NODES=" ".join(NODES.values()))
            self.assertEqual(seen, "200\n503\n")
            for node, count in (("node1", 1), ("node2", 0)):
                said = page.run(node, "curl -si localhost:32122/healthz; echo")
                answer = health_responder.service_answer("default", "app", count, True)
                expected = health_responder.written(answer, "HTTP/1.1", True).decode().replace("\r\n", "\n") + "\n"
                date = re.compile("^Date: .*$", re.MULTILINE)
                self.assertEqual(date.sub("", said), date.sub("", expected))
        self.proxies["node2"].wait_access()
        reasons = [r["reason"] for r in self.proxies["node2"].access_log()]
        self.assertEqual(reasons, ["no_local_endpoint"])

    def test_load_balancers_that_ask_these_health_ports(self):
        self.start(self.pods["node1"].endpoint())
        expected = f"20 served_by=nginx-1\n20 x-forwarded-for={CLIENT}\n"
        self.balancer()(node1="healthy", node2="draining")
        with self.page("node-behind-telltale") as page:
            self.assertEqual(page.run("client", WHO), expected)
        self.lab.vip_on("lb2")
        self.lab.vip_via("lb2")
        haproxy = self.haproxy("lb2", balancer.HAPROXY, VIP, 80)
        haproxy.process.stderr.wait_line("node2 is DOWN")
        with self.page("node-behind-haproxy") as page:
            self.assertEqual(page.run("client", WHO), expected)
        self.assertEqual(self.apps["node2"].served(), [])

    def test_internal(self):
        self.start(self.pods["node1"].endpoint())
        for n in (1, 2):
            self.lab.pod(f"busybox{n}", f"node{n}", 8)
        with self.page("node-internal") as page:
            seen = page.run("busybox1", f"curl -s {NODES['node1']}:8080 | grep -E '^(served_by|x-forwarded-for)'")
            self.assertEqual(seen, "served_by=nginx-1\nx-forwarded-for=10.180.1.8\n")
            self.assertEqual(page.run("busybox2", f"{STATUS} {NODES['node2']}:8080"), "503\n")
            self.proxies["node2"].__exit__()
            self.telltale("node2", self.configuration("node2", internal="cluster"))
            page.note("node2, the same telltale.yaml, but: internal_traffic_policy: cluster")
            seen = page.run("busybox2", f"curl -s {NODES['node2']}:8080 | grep -E '^(served_by|x-forwarded-for)'")
            self.assertEqual(seen, "served_by=nginx-1\nx-forwarded-for=10.180.2.8\n")
            self.assertEqual(page.run("client", f"{STATUS} {NODES['node2']}:30080"), "503\n")


class Terminating(OnNodes):
    """KEP-1669, by the file alone, under load through lb1."""

    def loaded(self, **states):
        """Once the balancer has heard of both nodes: those it knows nothing of are better than none."""
        wait_states = self.balancer()
        wait_states(**states)
        return wait_states, self.load(f"http://{VIP}/")

    def check(self, outcome):
        self.assertEqual(outcome.failures, 0, outcome)
        self.assertEqual(set(outcome.values("x-forwarded-for")), {CLIENT}, outcome)

    def test_the_last_endpoint_of_a_node_terminates(self):
        """It serves on, but the health port says 503, so that load balancers leave; then it can go."""
        one, two = self.pods["node1"].endpoint(), self.pods["node2"].endpoint()
        self.start(one)
        wait_states, load = self.loaded(node1="healthy", node2="draining")
        self.wait_served(self.apps["node1"])
        self.publish(one, two)
        wait_states(node1="healthy", node2="healthy")
        one.terminating = True
        self.publish(one, two)
        with self.page("node-terminating") as page:
            page.note("its pod is terminating, and the only one of node1:")
            self.assertEqual(page.run("node1", f"{STATUS} localhost:32122"), "503\n")
            seen = page.run("client", f"curl -s {NODES['node1']}:30080 | grep served_by")
            self.assertEqual(seen, "served_by=nginx-1\n")
            wait_states(node1="draining", node2="healthy")
            self.wait_served(self.apps["node2"])
            self.apps["node1"].quit()
            self.publish(two)
            page.note("it is gone:")
            self.assertEqual(page.run("client", f"{STATUS} {NODES['node1']}:30080"), "503\n")
            self.wait_served(self.apps["node2"])
            outcome = load.stop()
            self.check(outcome)
            page.note(f"{outcome.requests} requests answered through lb1 meanwhile, {outcome.failures} failed")

    def test_pods_are_replaced(self):
        """While a new one is ready on the node the terminating one gets nothing new."""
        now = {node: pod.endpoint() for node, pod in self.pods.items()}
        self.start(*now.values())
        _, load = self.loaded(node1="healthy", node2="healthy")
        for node, old in self.apps.items():
            self.wait_served(old)
            pod = self.lab.pod(f"{self.pods[node].name}-v2", node, 21)
            new = pod.nginx()
            terminating, now[node] = now[node], pod.endpoint()
            self.publish(*now.values(), terminating)
            terminating.terminating = True
            self.publish(*now.values(), terminating)
            old.quit()
            self.publish(*now.values())
            self.wait_served(new)
        outcome = load.stop()
        self.check(outcome)
        served = outcome.values("served_by")
        self.assertEqual(set(served), {"nginx-1", "nginx-2", "nginx-1-v2", "nginx-2-v2"})
        with self.page("node-rollout") as page:
            by_new = sum(count for pod, count in served.items() if pod.endswith("v2"))
            page.note(f"{outcome.requests} requests answered, {outcome.failures} failed; "
                      f"{by_new} requests by the new pods")


if __name__ == "__main__":
    main()
