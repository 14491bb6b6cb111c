"""`slow_start`: who comes, or comes back, gets a small share first, and its full one in the end."""

import datetime
import json
import os
import tempfile
import time

from support import Node, ProxyTest, config, http_handler, main, respond, say, service, wait_until

FAST = {"http": "/healthz", "interval": "50ms", "timeout": "5s", "fall": 1}


class SlowStart(ProxyTest):
    def setUp(self):
        """Slow enough for this machine: some 80 requests in a quarter of the time, which is 8 s at least."""
        self.client = self.enterContext(self.start(config(service(self.backend(say("x"))), workers=1)).client())
        begun = time.monotonic()
        self.share("x", 100)
        self.seconds = min(max(8, round((time.monotonic() - begun) / 100 * 80 * 4)), 40)

    def serve(self, **fields):
        self.proxy = self.start(config(service(slow_start=f"{self.seconds}s", **fields), workers=1))
        self.client = self.enterContext(self.proxy.client())

    def ask(self) -> str:
        return self.client.get("/").body.decode()

    def share(self, name, requests=40) -> float:
        return sum(self.ask() == name for _ in range(requests)) / requests

    def state(self, name) -> dict:
        return next(e for e in self.proxy.services()["app"]["endpoints"] if name in (e["node"], e["name"]))

    def assert_grows(self, name, since):
        """Its share of what is asked from now on, until its time is over. `since` is when it came, by time.time()."""
        answers = []
        while time.time() < since + self.seconds:
            who = self.ask()
            answers.append((who, time.time() - since))
        # Whatever was slow here: these were chosen for within that time.
        early = [who for who, until in answers if until < self.seconds / 4]
        self.assertGreater(len(early), 20, "this machine is too slow to see anything")
        late = [self.ask() for _ in range(100)]
        early_share, late_share = (sum(who == name for who in part) / len(part) for part in (early, late))
        # From a tenth of its weight to a quarter: from 9 to 20 % of the requests. Then all of it: 50 %.
        self.assertLess(early_share, 0.32, (early_share, late_share))
        half = {who for who, until in answers if until < self.seconds / 2}
        self.assertIn(name, half, "a little from the start, or nothing would be known of it")
        self.assertGreater(late_share, 0.4, (early_share, late_share))
        self.assertGreater(late_share, early_share + 0.15)

    def test_who_is_there_from_the_beginning_has_its_share_at_once(self):
        nodes = [Node(self, name) for name in ("old", "new")]
        self.serve(nodes=[n.conf() for n in nodes], health=FAST)
        self.proxy.wait_states(old="healthy", new="healthy")
        wait_until(lambda: abs(self.share("new") - 0.5) < 0.1, "equal shares", deadline=self.seconds / 2)

    def test_who_was_unhealthy(self):
        nodes = [Node(self, name) for name in ("old", "new")]
        self.serve(nodes=[n.conf() for n in nodes], health=FAST)
        self.proxy.wait_states(old="healthy", new="healthy")
        nodes[1].health.status = 500
        self.proxy.wait_states(old="healthy", new="unhealthy")
        wait_until(lambda: self.share("new") == 0, "nobody to come to it")
        nodes[1].health.status = 200
        self.proxy.wait_states(old="healthy", new="healthy")
        since = datetime.datetime.fromisoformat(self.state("new")["since"].replace("Z", "+00:00"))
        self.assert_grows("new", since.timestamp())

    def test_who_was_found_just_now(self):
        old, new = self.backend(say("old")), self.backend(say("new"))
        file = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "endpoints.json")

        def publish(*apps):
            with open(file + ".new", "w", encoding="utf-8") as out:
                out.write(json.dumps({"endpoints": [{"address": a.address, "name": n} for n, a in apps]}) + "\n")
            os.rename(file + ".new", file)

        publish(("old", old))
        self.serve(endpoints_file=file)
        self.assertEqual(self.share("old"), 1)
        publish(("old", old), ("new", new))
        wait_until(lambda: len(self.proxy.services()["app"]["endpoints"]) == 2, "the new one to be found")
        since = datetime.datetime.fromisoformat(self.state("new")["since"].replace("Z", "+00:00"))
        self.assert_grows("new", since.timestamp())

    def test_who_was_ejected(self):
        failing = []
        new = self.backend(http_handler(lambda request: respond(503 if failing else 200, "new")))
        apps = {"old": self.backend(say("old")), "new": new}
        endpoints = [{"address": app.address, "name": name} for name, app in apps.items()]
        self.serve(endpoints=endpoints, ejection={"failures": 3, "statuses": [503], "time": "300ms"})
        failing.append(True)
        wait_until(lambda: self.ask() and self.state("new")["ejected"], "it to be ejected")
        failing.clear()
        wait_until(lambda: self.state("new")["ejected"] is None, "its time to be over")
        self.assert_grows("new", time.time())

    def test_without_it_the_full_share_comes_at_once(self):
        nodes = [Node(self, name) for name in ("old", "new")]
        self.seconds = 0
        self.serve(nodes=[n.conf() for n in nodes], health=FAST)
        for status, state, share in ((500, "unhealthy", 0), (200, "healthy", 0.5)):
            nodes[1].health.status = status
            self.proxy.wait_states(old="healthy", new=state)
            wait_until(lambda s=share: abs(self.share("new") - s) < 0.1, f"a share of {share}")


if __name__ == "__main__":
    main()
