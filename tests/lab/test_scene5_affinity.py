"""Scene 5, session affinity: it must be the load balancer's that terminates connections, for kube-proxy behind it knows
one address alone."""

from scene import Scene, main
from support import wait_until
from topology import VIP

CLIENTS = range(80, 86)
_CONFIGURATION = f"""
listeners:
  - name: web
    listen: "{VIP}:80"
    service: app
services:
  - name: app
"""
BY_KUBE_PROXY = """
    port: 30080
    nodes:
      - { name: node1, address: 10.240.0.3 }
"""
BY_TELLTALE = """
    session_affinity: client_ip
    nodes:
      - { name: node1, address: 10.240.0.3, endpoints: ["10.180.1.20:8080", "10.180.1.21:8080"] }
      - { name: node2, address: 10.240.0.5, endpoints: ["10.180.2.20:8080", "10.180.2.21:8080"] }
"""
PODS_OF = f"for i in $(seq 10); do curl -s --interface $c {VIP} | grep served_by; done | sort -u"
PODS_OF_ALL = f"case $(for c in $CLIENTS; do {PODS_OF}; done | sort -u | wc -l) in 1) echo one;; *) echo several;; esac"
PODS_OF_EACH = f"for c in $CLIENTS; do {PODS_OF} | wc -l; done | xargs"


class Affinity(Scene):
    def setUp(self):
        super().setUp()
        self.lab.vip_on("lb1")
        self.pods = [self.lab.pod(f"nginx-{node}-{n}", f"node{node}", 19 + n) for node in (1, 2) for n in (1, 2)]
        self.apps = [pod.nginx() for pod in self.pods]
        self.clients = " ".join(f"198.51.100.{n}" for n in CLIENTS)
        self.lab.hosts["client"].batch(*(f"address add {address}/24 dev eth0" for address in self.clients.split()))
        self.lab.load_balanced(*(pod.endpoint() for pod in self.pods), policy="Cluster", session_affinity="ClientIP")

    def show(self, services, section):
        """How many pods each client comes to, and whether it is the same one for all."""
        configuration = _CONFIGURATION.lstrip("\n") + services.lstrip("\n")
        with self.page(section) as page:
            page.file("lb1", "telltale.yaml", configuration)
            self.telltale("lb1", configuration)
            page.run("client", "echo $CLIENTS", CLIENTS=self.clients)
            each = page.run("client", PODS_OF_EACH, CLIENTS=self.clients)
            self.assertEqual(each.split(), ["1"] * len(CLIENTS))
            return page.run("client", PODS_OF_ALL, CLIENTS=self.clients)

    def test_of_kube_proxy_behind(self):
        """sessionAffinity: ClientIP, and all clients are one."""
        self.assertEqual(self.show(BY_KUBE_PROXY, "affinity-kube-proxy"), "one\n")

    def test_of_telltale(self):
        self.assertEqual(self.show(BY_TELLTALE, "affinity-telltale"), "several\n")
        served = lambda: sum(len(app.served()) for app in self.apps)  # noqa: E731
        wait_until(lambda: served() >= 2 * 10 * len(CLIENTS), "the pods to log what they served")
        self.assertEqual(served(), 2 * 10 * len(CLIENTS))


if __name__ == "__main__":
    main()
