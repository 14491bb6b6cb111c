"""Scene 6: Telltale on each node, an edge container behind a load balancer that speaks the PROXY protocol."""

from scene import Scene, main
import balancer
from lab import CLUSTER_IP
from support import wait_until
from topology import CLIENT, LOAD_BALANCERS, VIP

_EDGE = """
listeners:
  - name: web
    listen: "0.0.0.0:8080"
    client_ip:
      proxy_protocol:
        - {{ from: [10.240.0.11, 10.240.0.12], policy: require }}   # the load balancers
        - {{ from: [10.180.0.0/16], policy: {pods} }}                # pods
    service: app
services:
  - name: app
    endpoints: ["{cluster_ip}:80"]
"""

ASK = f"for i in $(seq 10); do curl -s {VIP} | grep -E '^(client_address|x-forwarded-for)'; done | sort -u"
THROUGH_THE_EDGES = f"client_address=10.180.1.10\nclient_address=10.180.2.10\nx-forwarded-for={CLIENT}\n"


class Edge(Scene):
    def start(self, pods="accept"):
        """The application on node1, an edge on each node; returns the edges."""
        app = self.lab.pod("source-ip-app", "node1", 136)
        app.echo("--proxy-protocol")
        self.lab.service(app.endpoint(), name="source-ip-app")
        self.configuration = _EDGE.format(pods=pods, cluster_ip=CLUSTER_IP)
        edges = [self.lab.pod(f"edge-{n}", f"node{n}", 10) for n in (1, 2)]
        running = [edge.telltale(self.configuration) for edge in edges]
        self.lab.load_balanced(*(edge.endpoint() for edge in edges), name="telltale-edge", cluster_ip="10.0.170.94")
        return running

    def test_behind_telltale(self):
        self.start()
        self.lab.vip_on("lb1")
        configuration = balancer.at_the_vip(balancer.service("app", propagate="{ proxy_protocol: v2 }"))
        proxy = self.telltale("lb1", configuration)
        with self.lab.hosts["lb1"]:
            proxy.wait_states(node1="healthy", node2="healthy")
        with self.page("edge-behind-telltale") as page:
            page.file("lb1", "telltale.yaml", configuration)
            page.file("edge-1", "telltale.yaml", self.configuration)
            self.assertEqual(page.run("client", ASK), THROUGH_THE_EDGES)
            page.run("client", f"curl -s -H 'X-Forwarded-For: 6.6.6.6' -H 'Forwarded: for=6.6.6.6' {VIP} "
                               "| grep -iE '^(x-)?forwarded'")
            page.run("edge-1", "curl -s '127.0.0.1:9901/explain?last=1'")
        self.assertNotIn("6.6.6.6", page.text().partition("grep -iE")[2].partition("edge-1$")[0])

    def test_behind_haproxy(self):
        self.start()
        self.lab.vip_on("lb2")
        self.lab.vip_via("lb2")
        self.haproxy("lb2", balancer.HAPROXY, VIP, 80)
        with self.page("edge-behind-haproxy") as page:
            page.file("lb2", "haproxy.cfg", balancer.HAPROXY)
            self.assertEqual(page.run("client", ASK), THROUGH_THE_EDGES)

    def test_a_pod_that_calls_the_load_balancer(self):
        """kube-proxy takes it to an edge without the load balancer, so without a PROXY header."""
        edges = self.start()
        self.lab.pod("busybox", "node2", 8)
        with self.page("edge-hairpin") as page:
            seen = page.run("busybox", f"curl -s {VIP} | grep x-forwarded-for")
            self.assertEqual(seen, "x-forwarded-for=10.180.2.8\n")
        for edge in edges:
            edge.__exit__()
        configuration = _EDGE.format(pods="require", cluster_ip=CLUSTER_IP)
        strict = [self.lab.pods[f"edge-{n}"].telltale(configuration) for n in (1, 2)]
        self.lab.services[-1].endpoints.pop()  # to know whose log to read
        self.lab.sync()
        with self.page("edge-hairpin-required") as page:
            page.note("edges, the same telltale.yaml, but:\n        - { from: [10.180.0.0/16], policy: require }")
            self.assertIn("Empty reply", page.run("busybox", f"curl -sS {VIP}"))
            page.log("edge-1", strict[0], "closed: plain HTTP where a PROXY header is required")

    def test_two_load_balancers_at_once(self):
        """Telltale and HAProxy share the VIP; when one of them is gone, the other has all of it."""
        self.start()
        for name in LOAD_BALANCERS:
            self.lab.vip_on(name)
        self.haproxy("lb2", balancer.HAPROXY, VIP, 80)
        proxy = self.telltale("lb1", balancer.at_the_vip(balancer.service("app", propagate="{ proxy_protocol: v2 }")))
        with self.lab.hosts["lb1"]:
            proxy.wait_states(node1="healthy", node2="healthy")
        self.lab.vip_via("lb1", "lb2")
        self.assertEqual(self.on("client", ASK.replace("seq 10", "seq 30")), THROUGH_THE_EDGES)
        wait_until(lambda: proxy.access_log(), "some of it on lb1")
        self.assertLess(len(proxy.access_log()), 30)
        self.lab.vip_via("lb2")
        self.assertEqual(self.on("client", ASK), THROUGH_THE_EDGES)


if __name__ == "__main__":
    main()
