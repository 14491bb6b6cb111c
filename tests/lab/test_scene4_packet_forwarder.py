"""Scene 4: a load balancer that forwards packets: the client's address arrives by itself, if the nodes keep it."""

from scene import Scene, main
from lab import HEALTH_PORT
from packet_forwarder import PacketForwarder
from topology import CLIENT, VIP

# Counts what comes to a node for the VIP, before any other rule.
_COUNT = f"""
nft add table ip evidence
nft add counter ip evidence connections
nft add chain ip evidence count '{{ type filter hook prerouting priority -300; }}'
nft add rule ip evidence count ip daddr {VIP} 'tcp flags & (syn | ack) == syn' counter name connections
"""
_COUNTED = "nft list counter ip evidence connections | grep packets | xargs"


class PacketForwarding(Scene):
    def setUp(self):
        super().setUp()
        for node in ("node1", "node2"):
            self.lab.hosts[node].run(_COUNT)
        self.app = self.lab.pod("source-ip-app", "node1", 136)
        self.app.echo()

    def ask_often(self, page=None):
        ask = f"for i in $(seq 20); do curl -s {VIP} | grep client_address; done | sort | uniq -c | xargs"
        return page.run("client", ask) if page else self.on("client", ask)

    def test_local(self):
        service = self.lab.load_balanced(self.app.endpoint())
        balancer = self.enterContext(PacketForwarder(self.lab.hosts["lb1"], HEALTH_PORT))
        balancer.wait_up("node1")
        with self.page("packet-forwarder-local") as page:
            first, second = (page.run(node, f"curl -s localhost:{HEALTH_PORT}/healthz -w '\\n%{{http_code}}\\n'")
                             for node in ("node1", "node2"))
            self.assertTrue(first.endswith("200\n") and '"localEndpoints": 1' in first, first)
            self.assertTrue(second.endswith("503\n") and '"localEndpoints": 0' in second, second)
            self.assertIn(VIP, page.run("lb1", f"ip route show {VIP}"))
            self.assertEqual(self.ask_often(page), f"20 client_address={CLIENT}\n")
            self.assertIn("packets 20 ", page.run("node1", _COUNTED))
            self.assertIn("packets 0 ", page.run("node2", _COUNTED))
        second = self.lab.pod("source-ip-app-2", "node2", 136)
        second.echo()
        service.endpoints[:] = [second.endpoint()]
        self.lab.sync()
        balancer.wait_up("node2")
        with self.page("packet-forwarder-moved") as page:
            page.run("lb1", f"ip route show {VIP}")
            self.assertEqual(self.ask_often(page), f"20 client_address={CLIENT}\n")
            self.assertIn("packets 20 ", page.run("node2", _COUNTED))

    def test_cluster(self):
        """Every node is eligible, by kube-proxy's own health port; the node that has no endpoint hides the client."""
        self.lab.load_balanced(self.app.endpoint(), policy="Cluster")
        balancer = self.enterContext(PacketForwarder(self.lab.hosts["lb1"], 10256))
        balancer.wait_up("node1", "node2")
        with self.page("packet-forwarder-cluster") as page:
            page.run("node2", "curl -s localhost:10256/healthz; echo")
            seen = page.run("client", f"for i in $(seq 40); do curl -s {VIP} | grep client_address; done | sort -u")
            self.assertEqual(seen, "client_address=10.180.1.1\nclient_address=10.240.0.5\n")

    def test_a_node_about_to_be_deleted_takes_itself_out(self):
        self.lab.load_balanced(self.app.endpoint(), policy="Cluster")
        balancer = self.enterContext(PacketForwarder(self.lab.hosts["lb1"], 10256))
        balancer.wait_up("node1", "node2")
        self.lab.nodes_eligible["node2"] = False
        self.lab.sync()
        balancer.wait_up("node1")
        self.assertEqual(self.ask_often(), "20 client_address=10.180.1.1\n")


if __name__ == "__main__":
    main()
