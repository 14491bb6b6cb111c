"""Scene 6: the usual mistakes, and what Telltale says of them."""

from scene import Scene, main
import balancer
from lab import HEALTH_PORT, NODE_PORT
from topology import NODES, VIP

_HAPROXY = f"""
frontend vip
  bind {VIP}:80
  default_backend nodes
backend nodes
  option httpchk GET /healthz
  server node1 10.240.0.3:{NODE_PORT} %s check port {HEALTH_PORT} inter 1s
"""
_EDGE = """
listeners:
  - name: web
    listen: "0.0.0.0:8080"
    %s
    service: app
services:
  - name: app
    nodes:
      - { name: node1, address: 10.240.0.3, endpoints: ["10.180.1.136:8080"] }
"""
ASK = f"curl -sS -o /dev/null -w '%{{http_code}}\\n' {VIP}"


class Backends(Scene):
    """Between Telltale on lb1 and nginx."""

    def ask(self, page, propagate, expects_proxy, status, says):
        nginx = self.lab.pod("nginx", "node1", 20)
        nginx.nginx(proxy_protocol=expects_proxy)
        self.lab.vip_on("lb1")
        self.lab.load_balanced(nginx.endpoint())
        with page:
            page.note(f"nginx: listen 8080{' proxy_protocol' if expects_proxy else ''};\n"
                      f"lb1, telltale.yaml: propagate: {propagate}")
            proxy = self.telltale("lb1", balancer.at_the_vip(balancer.service("app", propagate=propagate)))
            with self.lab.hosts["lb1"]:
                proxy.wait_states(node1="healthy", node2="draining")
            self.assertEqual(page.run("client", f"for i in 1 2 3 4 5; do {ASK}; done"), f"{status}\n" * 5)
            page.log("lb1", proxy, says)

    def test_proxy_to_one_that_expects_none(self):
        self.ask(self.page("mistake-unexpected"), "{ proxy_protocol: v2 }", False, 400,
                 "answers 400 to connections that open with a PROXY")

    def test_none_to_one_that_expects_it(self):
        self.ask(self.page("mistake-missing"), "{ x_forwarded_for: append }", True, 502,
                 "closes new connections without an answer")


class Listeners(Scene):
    """Between HAProxy on lb2 and an edge."""

    def ask(self, page, sends, client_ip, says):
        edge = self.lab.pod("edge", "node1", 10)
        self.lab.vip_on("lb2")
        self.lab.vip_via("lb2")
        self.lab.load_balanced(edge.endpoint())
        proxy = edge.telltale(_EDGE % client_ip)
        self.haproxy("lb2", _HAPROXY % sends, VIP, 80)
        with page:
            page.note(f"lb2, haproxy.cfg: server node1 10.240.0.3:{NODE_PORT} {sends}\n"
                      f"edge, telltale.yaml: {client_ip}")
            self.assertEqual(page.run("client", ASK), "502\n")
            page.log("edge", proxy, says)

    def test_none_to_one_that_requires_it(self):
        self.ask(self.page("mistake-not-sent"), "",
                 "client_ip: { proxy_protocol: [{ from: [10.240.0.0/24], policy: require }] }",
                 "closed: plain HTTP where a PROXY header is required")

    def test_from_a_load_balancer_that_is_not_listed(self):
        self.ask(self.page("mistake-not-listed"), "send-proxy-v2",
                 "client_ip: { proxy_protocol: [{ from: [10.240.0.11], policy: require }] }", "does not list")

    def test_the_wrong_version(self):
        self.ask(self.page("mistake-version"), "send-proxy",
                 "client_ip: { proxy_protocol: [{ from: [10.240.0.12], policy: require, version: v2 }] }",
                 "version: any")


class Health(Scene):
    def test_proxy_to_the_health_port(self):
        """kube-proxy answers 400 to what is no HTTP: a healthy node looks unhealthy."""
        nginx = self.lab.pod("nginx", "node1", 20)
        nginx.nginx(proxy_protocol=True)
        self.lab.vip_on("lb1")
        self.lab.load_balanced(nginx.endpoint())
        configuration = balancer.at_the_vip(balancer.service("app", propagate="{ proxy_protocol: v2 }")).replace(
            "timeout: 500ms }", "timeout: 500ms, send_proxy: v2 }")
        proxy = self.telltale("lb1", configuration)
        with self.lab.hosts["lb1"]:
            proxy.wait_states(node1="unhealthy", node2="unhealthy")
        with self.page("mistake-health-proxy") as page:
            page.note("lb1, telltale.yaml: health: { http: /healthz, port: 32122, …, send_proxy: v2 }")
            page.run("lb1", "telltale check -c telltale.yaml", cwd=proxy.directory)
            self.assertEqual(page.run("client", ASK), "503\n")


class SourceLoss(Scene):
    def test_masquerading(self):
        edge = self.lab.pod("edge", "node1", 10)
        self.lab.pod("source-ip-app", "node1", 136).echo()
        self.lab.load_balanced(edge.endpoint(), policy="Cluster")
        proxy = edge.telltale(_EDGE % "client_ip: {}")
        with self.page("mistake-masquerading") as page:
            page.note("telltale-edge: externalTrafficPolicy: Cluster")
            page.run("client", f"curl -s -H 'Connection: close' '{NODES['node1']}:{NODE_PORT}/[1-110]' "
                               "| grep x-forwarded-for | sort -u")
            page.log("edge", proxy, "of the last .* connections come from")


if __name__ == "__main__":
    main()
