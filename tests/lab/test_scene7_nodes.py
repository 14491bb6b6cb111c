"""Scene 7, nodes: one that dies, one whose link goes dead and comes back."""

from scene import main
from pairs import Pair

CONNECTIONS = 8


class Gone(Pair):
    """What was on the way to the node when it went away can only time out: a request for each connection that was open
    to it, 504. All others are served by the other node: connecting fails before anything was sent, so that is tried
    again."""

    def lose(self, fault):
        """Load while node1 goes away."""
        load = self.load(self.url(), connections=CONNECTIONS, timeout="10s")
        self.wait_served(*self.apps.values())
        fault("node1")
        self.wait_states(node1="unhealthy", node2="healthy")
        self.wait_served(self.apps["node2"], more=200)
        return load

    def check(self, outcome, page):
        self.assertLessEqual(set(outcome.statuses), {200, 504}, outcome)
        self.assertEqual(outcome.broken, {})
        # Connections are kept by each of the two workers.
        self.assertLessEqual(outcome.failures, 2 * CONNECTIONS, outcome)
        page.note(f"{outcome.requests} requests answered; of those that were on their way to node1 "
                  f"{outcome.failures} requests got 504 after 1 s")

    def test_a_node_dies(self):
        with self.page("fault-node-dies") as page:
            page.file("lb1", "telltale.yaml", self.configuration)
            load = self.lose(self.lab.kill_node)
            page.log("lb1", self.proxy, "node1 .* is unhealthy")
            self.check(load.stop(), page)

    def test_a_link_goes_dead_and_comes_back(self):
        with self.page("fault-link") as page:
            load = self.lose(self.lab.cut)
            page.log("lb1", self.proxy, "node1 .* is unhealthy")
            self.lab.mend("node1")
            self.wait_states(node1="healthy", node2="healthy")
            self.wait_served(self.apps["node1"])
            page.log("lb1", self.proxy, "node1 .* is healthy, was unhealthy")
            self.check(load.stop(), page)


if __name__ == "__main__":
    main()
