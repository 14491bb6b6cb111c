"""Scene 6: Telltale as a sidecar, in the network namespace of the pod whose application listens on loopback alone."""

from scene import Scene, main
import balancer
from apps import EchoApp
from topology import CLIENT, VIP

_SIDECAR = """
listeners:
  - name: web
    listen: "0.0.0.0:8080"
    client_ip:
      proxy_protocol:
        - {{ from: [10.240.0.11], policy: require }}
        - {{ from: [10.180.0.0/16], policy: accept }}
    service: app
services:
  - name: app
    endpoints: ["127.0.0.1:9000"]
    propagate: {propagate}
"""
# docker/README.md, "as a sidecar".
_ROUTES = """
ip rule add from 127.0.0.0/8 iif lo lookup 100
ip route add local 0.0.0.0/0 dev lo table 100
"""
ASK = f"curl -s {VIP} | grep -E '^(client_address|x-forwarded-for|x-real-ip)'"


class Sidecar(Scene):
    def start(self, propagate) -> str:
        """The sidecar's configuration; lb1 is in front, with PROXY v2."""
        self.lab.vip_on("lb1")
        shop = self.lab.pod("shop", "node2", 30)
        configuration = _SIDECAR.format(propagate=propagate)
        shop.run(lambda: EchoApp("127.0.0.1", port=9000))
        if "transparent" in propagate:
            shop.host.run(_ROUTES)
        shop.telltale(configuration)
        self.lab.load_balanced(shop.endpoint(), name="shop")
        proxy = self.telltale("lb1", balancer.at_the_vip(balancer.service("app", propagate="{ proxy_protocol: v2 }")))
        with self.lab.hosts["lb1"]:
            proxy.wait_states(node1="draining", node2="healthy")
        return configuration

    def test_headers(self):
        configuration = self.start("{ x_forwarded_for: replace, x_real_ip: true }")
        with self.page("sidecar-headers") as page:
            page.file("shop", "telltale.yaml", configuration)
            seen = page.run("client", ASK)
            self.assertEqual(seen, f"client_address=127.0.0.1\nx-forwarded-for={CLIENT}\nx-real-ip={CLIENT}\n")

    def test_the_clients_own_address(self):
        self.start("{ x_forwarded_for: remove, source_address: transparent }")
        with self.page("sidecar-transparent") as page:
            page.note("shop, the same telltale.yaml, but:\n"
                      "    propagate: { x_forwarded_for: remove, source_address: transparent }\n"
                      "and in the pod, as docker/README.md says:" + _ROUTES.rstrip())
            self.assertEqual(page.run("client", ASK), f"client_address={CLIENT}\n")
            self.lab.pod("busybox", "node1", 8)
            seen = page.run("busybox", "curl -s 10.180.2.30:8080 | grep client_address")
            self.assertEqual(seen, "client_address=10.180.1.8\n")
            seen = page.run("shop", "curl -s 127.0.0.1:9000 | grep client_address")
            self.assertEqual(seen, "client_address=127.0.0.1\n")


if __name__ == "__main__":
    main()
