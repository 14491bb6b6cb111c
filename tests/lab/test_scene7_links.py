"""Scene 7, links: packets that are lost or late, connections of which one end knows nothing any more."""

from scene import main
import faults
from pairs import Pair
from support import Client, wait_until
from topology import VIP


class LossAndDelay(Pair):
    more = ""

    def test_lost_packets(self):
        """TCP sends them again; a probe that comes too late is one of the three that it takes."""
        for name, percent in (("client", 2), ("node1", 5)):
            faults.lose(self.lab, name, percent)
        load = self.load(self.url(), timeout="60s")
        self.wait_served(*self.apps.values(), more=150)
        outcome = load.stop()
        self.assertEqual(outcome.failures, 0, outcome)
        self.assert_client_known(outcome)
        lost = faults.lost(self.lab, "client", "node1")
        self.assertGreater(lost, 10)
        with self.page("fault-loss") as page:
            page.note("2 % of the packets to and from the client are lost, 5 % of those to and from node1")
            page.note(f"{lost} packets were lost; {outcome.requests} requests answered, {outcome.failures} failed; "
                      f"the slowest took {outcome.slowest:.2f} s")

    def test_late_packets(self):
        reason = faults.why_no_delay(self.lab)
        if reason:
            self.skipTest(reason)
        with faults.slow_client(self.lab, 40):
            load = self.load(self.url(), connections=16)
            self.wait_served(*self.apps.values())
            outcome = load.stop()
        self.assertEqual(outcome.failures, 0, outcome)
        self.assertGreaterEqual(outcome.median, 0.08)
        self.assert_client_known(outcome)
        with self.page("fault-delay") as page:
            page.note("packets to and from the client take 40 ms longer")
            page.note(f"{outcome.requests} requests answered, {outcome.failures} failed; half of them took "
                      f"{outcome.median * 1000:.1f} ms or less")


class HalfOpen(Pair):
    CLIENTS = 8
    listener = "timeouts: { header: 5s, idle: 6s }"

    def connect(self):
        with self.lab.hosts["client"]:
            return self.enterContext(Client((VIP, 80)))

    def test_to_a_pod_that_forgot(self):
        """The pod was lost with all it knew, the next one has its address: connections of the pool lead nowhere."""
        load = self.load(self.url())
        self.wait_served(*self.apps.values())
        load.stop()
        kept = self.metric("telltale_upstream_connections_idle", service="app")
        self.assertGreaterEqual(kept, 2)
        self.lab.cut("node1")  # nobody hears of it
        self.lab.remove(self.pods["node1"])
        app = self.lab.pod("nginx-1", "node1", 20).nginx()
        self.lab.mend("node1")
        load = self.load(self.url())
        self.wait_served(app, self.apps["node2"])
        outcome = load.stop()
        self.assertEqual(outcome.failures, 0, outcome)
        with self.page("fault-half-open-upstream") as page:
            page.note(f"{kept:.0f} connections to the nodes were kept; those to node1 are answered with RST")
            page.note(f"{outcome.requests} requests answered, {outcome.failures} failed")

    def test_from_clients_that_vanished(self):
        """Idle ones and ones in the middle of a request: each goes at its own deadline."""
        clients = [self.connect() for _ in range(self.CLIENTS)]
        for number, client in enumerate(clients):
            self.assertEqual(client.get().status, 200)
            if number % 2:
                client.send(b"GET / HTTP/1.1\r\nHost: h\r\nX-Half: ")
        active = lambda: self.metric("telltale_listener_connections_active", listener="web")  # noqa: E731
        wait_until(lambda: active() == self.CLIENTS, "the connections")
        self.lab.cut("client")
        wait_until(lambda: active() == 0, "the vanished clients' connections to be closed")
        with self.page("fault-half-open-clients") as page:
            page.file("lb1", "telltale.yaml", self.configuration)
            page.note(f"the link of a client with {self.CLIENTS} connections is cut, half of them idle, half in the "
                      "middle of a head: none is left")


if __name__ == "__main__":
    main()
