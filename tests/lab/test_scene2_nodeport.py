"""Scenes 2 and 3: a NodePort, called from outside; `externalTrafficPolicy` Cluster and Local."""

from scene import Scene, main
from lab import NODE_PORT
from topology import CLIENT, NODES

NODE_ADDRESSES = {"NODES": " ".join(NODES.values()), "NODEPORT": str(NODE_PORT)}


class NodePort(Scene):
    def setUp(self):
        super().setUp()
        app = self.lab.pod("source-ip-app", "node1", 136)
        app.echo()
        self.service = self.lab.service(app.endpoint(), name="nodeport", node_port=NODE_PORT)
        self.lab.sync()

    def ask(self, page):
        ask = "for node in $NODES; do curl --connect-timeout 1 -s $node:$NODEPORT | grep -i client_address; done"
        return page.run("client", ask, **NODE_ADDRESSES)

    def test_cluster_shows_nodes_and_local_the_client(self):
        with self.page("nodeport-cluster") as page:
            page.run("client", "echo $NODES; echo $NODEPORT", **NODE_ADDRESSES)
            seen = self.ask(page)
            self.assertEqual(seen, "client_address=10.180.1.1\nclient_address=10.240.0.5\n")
            self.assertNotIn(CLIENT, seen)
        self.service.external_traffic_policy = "Local"
        self.lab.sync()
        with self.page("nodeport-local") as page:
            self.assertEqual(self.ask(page), f"client_address={CLIENT}\n")
            ask_node2 = f"curl --connect-timeout 1 -sS -o /dev/null {NODES['node2']}:{NODE_PORT}; echo $?"
            self.assertEqual(page.run("client", ask_node2)[-3:], "28\n", "dropped, not refused")

    def test_without_any_endpoint_it_is_refused(self):
        for policy in ("Cluster", "Local"):
            self.service.external_traffic_policy = policy
            self.service.endpoints.clear()
            self.lab.sync()
            ask = "for node in $NODES; do curl --max-time 5 -s $node:$NODEPORT; echo $?; done"
            said = self.on("client", ask, **NODE_ADDRESSES)
            self.assertEqual(said, "7\n7\n", policy)


if __name__ == "__main__":
    main()
