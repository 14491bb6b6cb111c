"""Scene 7, nodes: one that dies, one whose link goes dead and comes back."""

from scene import main
from pairs import RESILIENT, Pair

CONNECTIONS = 8


class Gone(Pair):
    def lose(self, fault):
        """Load while node1 goes away."""
        load = self.load(self.url(), connections=CONNECTIONS, timeout="20s")
        self.wait_served(*self.apps.values())
        fault("node1")
        self.wait_states(node1="unhealthy", node2="healthy")
        self.wait_served(self.apps["node2"], more=200)
        return load

    def die(self, page):
        load = self.lose(self.lab.kill_node)
        page.log("lb1", self.proxy, "node1 .* is unhealthy")
        return load.stop()

    def go_and_come_back(self, page):
        load = self.lose(self.lab.cut)
        page.log("lb1", self.proxy, "node1 .* is unhealthy")
        self.lab.mend("node1")
        self.wait_states(node1="healthy", node2="healthy")
        self.wait_served(self.apps["node1"])
        page.log("lb1", self.proxy, "node1 .* is healthy, was unhealthy")
        return load.stop()


class OnlyUnsentRequestsAgain(Gone):
    """What was on the way to the node when it went away can only time out: a request for each connection that was open
    to it, 504. All others are served by the other node: connecting fails before anything was sent, so that is tried
    again."""

    def check(self, outcome, page):
        self.assertLessEqual(set(outcome.statuses), {200, 504}, outcome)
        self.assertEqual(outcome.broken, {})
        # Connections are kept by each of the two workers.
        self.assertLessEqual(outcome.failures, 2 * CONNECTIONS, outcome)
        why = {record["reason"] for record in self.proxy.access_log() if record["status"] != 200}
        self.assertLessEqual(why, {"response_timeout"})
        page.note(f"{outcome.requests} requests answered; of those that were on their way to node1 "
                  f"{outcome.failures} requests got 504 after 2 s")

    def test_a_node_dies(self):
        with self.page("fault-node-dies") as page:
            page.file("lb1", "telltale.yaml", self.configuration)
            self.check(self.die(page), page)

    def test_a_link_goes_dead_and_comes_back(self):
        with self.page("fault-link") as page:
            self.check(self.go_and_come_back(page), page)


class WhatTimedOutAgain(Gone):
    """GETs may be sent twice: none fails."""

    more = RESILIENT

    def check(self, outcome, page):
        self.assertEqual(outcome.failures, 0, outcome)
        self.assert_client_known(outcome)
        again = [record for record in self.proxy.access_log() if record["tries"] > 1]
        self.assertTrue(again)
        page.note(f"{outcome.requests} requests answered, {outcome.failures} failed; {len(again)} requests were tried "
                  f"again, the slowest of all took {outcome.slowest:.2f} s")

    def test_a_node_dies(self):
        with self.page("fault-node-dies-retries") as page:
            page.note("lb1, the same telltale.yaml, but:\n" + self.more_as_shown())
            self.check(self.die(page), page)

    def test_a_link_goes_dead_and_comes_back(self):
        with self.page("fault-link-retries") as page:
            self.check(self.go_and_come_back(page), page)


if __name__ == "__main__":
    main()
