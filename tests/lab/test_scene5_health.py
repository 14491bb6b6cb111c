"""Scene 5, the health port: 503 on one node moves all traffic in an interval and a timeout; no request fails."""

import time

from scene import Scene, main
import balancer
from support import wait_until
from topology import CLIENT, VIP

# Seconds. The next probe begins an interval after the one before, and 10 % more at the latest: what is left of the
# timeout is for its answer, for the workers to hear of it, and for what was on its way to the node.
INTERVAL, TIMEOUT = 2, 2


class Moving(Scene):
    def setUp(self):
        super().setUp()
        self.lab.vip_on("lb1")
        self.pods = [self.lab.pod(f"nginx-{n}", f"node{n}", 20) for n in (1, 2)]
        self.apps = [pod.nginx() for pod in self.pods]
        self.service = self.lab.load_balanced(*(pod.endpoint() for pod in self.pods))
        self.configuration = balancer.at_the_vip(
            balancer.service("app", interval=f"{INTERVAL}s", timeout=f"{TIMEOUT}s"))
        self.proxy = self.telltale("lb1", self.configuration)
        self.states(node1="healthy", node2="healthy")

    def states(self, **states):
        with self.lab.hosts["lb1"]:
            self.proxy.wait_states(**states)

    def served(self, since=0.0) -> list:
        """Requests of each pod."""
        return [sum(when >= since for when, _, _ in app.served()) for app in self.apps]

    def moves(self, keep):
        """Load while node1 says 503 and then 200 again: the outcome, and seconds from just before its health port says
        503 for the first time until node1 has answered its last request."""
        load = self.load(f"http://{VIP}/", keep=keep)
        before = self.served()
        wait_until(lambda: min(now - then for now, then in zip(self.served(), before)) > 100, "both nodes to serve")
        self.lab.proxies_healthy["node1"] = False
        said = time.time()
        self.lab.sync()
        self.states(node1="draining", node2="healthy")
        # Well after the move: had it not been whole, something would come to node1 meanwhile.
        moved = self.served()[1]
        wait_until(lambda: self.served()[1] > moved + 500, "node2 to serve alone")
        last = max(when for when, _, _ in self.apps[0].served()) - said
        self.lab.proxies_healthy["node1"] = True
        self.lab.sync()
        self.states(node1="healthy", node2="healthy")
        back = self.served()[0]
        wait_until(lambda: self.served()[0] > back + 100, "node1 to serve again")
        return load.stop(), last

    def test_all_traffic_moves_in_time_and_no_request_fails(self):
        with self.page("healthz-503") as page:
            page.file("lb1", "telltale.yaml", self.configuration)
            for keep in (True, False):
                outcome, last = self.moves(keep)
                self.assertEqual(outcome.failures, 0, outcome)
                self.assertEqual(set(outcome.values("x-forwarded-for")), {CLIENT})
                self.assertLessEqual(last, INTERVAL + TIMEOUT)
                how = "connections used again" if keep else "a connection for each request"
                page.note(f"{how}: {outcome.requests} requests answered, {outcome.failures} failed; node1 answered its "
                          f"last one {max(last, 0):.2f} s after it began to say 503 (an interval and a timeout: "
                          f"{INTERVAL + TIMEOUT} s)")


if __name__ == "__main__":
    main()
