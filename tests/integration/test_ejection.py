"""Endpoints that fail get no traffic for a while, or until a probe finds that they serve; the rest serves meanwhile."""

import datetime
import re
import time

from support import HealthPort, ProxyTest, config, http_handler, listener, local_node, main, refused_address, respond, service, wait_until


def time_of(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class Ejection(ProxyTest):
    def setUp(self):
        self.good = self.backend(http_handler(lambda request: respond(200, "good")), name="good")
        self.dead = self.enterContext(refused_address())

    def serve(self, *endpoints, **fields):
        entries = [{"name": name, "address": address} for name, address in endpoints]
        return self.start(config(service(*entries, balance="round_robin", **fields)))

    def endpoint(self, proxy, name):
        return next(e for e in proxy.services()["app"]["endpoints"] if e["name"] == name)

    def ask_until_ejected(self, proxy, name="dead"):
        def ejected():
            self.assertEqual(proxy.get("/").body, b"good")
            return self.endpoint(proxy, name)["ejected"]

        return wait_until(ejected, f"{name} to be ejected")

    def test_it_gets_no_traffic_while_it_is_out_and_everybody_sees_it(self):
        proxy = self.serve(("good", self.good.address), ("dead", self.dead), ejection={"failures": 3, "time": "1h", "max_time": "1h"})
        out = self.ask_until_ejected(proxy)
        shown = self.endpoint(proxy, "dead")
        self.assertEqual(shown["state"], "unhealthy")
        self.assertRegex(out["reason"], r"^3 failures in a row, the last: .*refused")
        self.assertEqual(shown["reason"], "ejected: " + out["reason"])
        self.assertEqual(shown["since"], out["since"])
        self.assertEqual(time_of(out["until"]) - time_of(out["since"]), datetime.timedelta(hours=1))
        self.assertEqual(self.endpoint(proxy, "good")["ejected"], None)
        before = proxy.metrics()
        self.assertEqual(before.sum("telltale_ejections_total", service="app"), 1)
        self.assertEqual(before.sum("telltale_endpoints_ejected", service="app"), 1)
        self.assertEqual(before.sum("telltale_endpoints_eligible", service="app", traffic="external"), 1)
        self.assertEqual(before.sum("telltale_endpoint_state", endpoint="dead", state="unhealthy"), 1)
        self.assertEqual([proxy.get("/").body for _ in range(20)], [b"good"] * 20)
        self.assertEqual(proxy.metrics().sum("telltale_retries_total"), before.sum("telltale_retries_total"), "never even tried")
        lines = [line for line in proxy.log.lines() if "ejection: " in line]
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], r"app/dead at .* gets no traffic for 3600 s: 3 failures in a row, the last: .*refused")
        status = proxy.status()
        self.assertIn("service app: fit, 1 of 2 endpoints may be chosen\n", status)
        self.assertRegex(status, r"\n  endpoint dead \S+ +unhealthy .*ejected: 3 failures in a row, .*, until 2")

    def test_its_time_brings_it_back_and_doubles(self):
        proxy = self.serve(("good", self.good.address), ("dead", self.dead),
                           ejection={"failures": 2, "time": "500ms", "max_time": "1500ms"})  # fmt: skip
        shown = {}  # since -> (how often by now, for how long): of those that were looked at in time

        def logged():
            ejected = re.compile(r"ejection: app/dead at \S+ gets no traffic for (.+): 2 failures")
            return [match[1] for match in map(ejected.search, proxy.log.lines()) if match]

        def grown():
            self.assertEqual(proxy.get("/").body, b"good")
            if out := self.endpoint(proxy, "dead")["ejected"]:
                shown[out["since"]] = (out["times"], time_of(out["until"]) - time_of(out["since"]))
            return logged()[-4:] == ["500 ms", "1 s", "1500 ms", "1500 ms"]

        # If it is left in for long before it fails again, its times shrink, and it takes a few more of them.
        wait_until(grown, "the times to grow")
        wait_until(lambda: self.endpoint(proxy, "dead")["ejected"] is None, "its time to be over")
        self.assertEqual(self.endpoint(proxy, "dead")["state"], "healthy")
        for times, lasts in shown.values():
            self.assertEqual(lasts, datetime.timedelta(milliseconds=500 * times))
        self.assertEqual(max(times for times, _ in shown.values()), 3, "counted no further than it grows")
        back = "may be chosen again"
        wait_until(lambda: sum(back in line for line in proxy.log.lines()) == len(logged()), "each return")
        self.assertIn("its time is over", proxy.log.wait_line(back).string)
        self.assertEqual(proxy.metrics().sum("telltale_ejections_total"), len(logged()))

    def test_no_more_than_their_share_are_out(self):
        dead = [self.enterContext(refused_address()) for _ in range(3)]
        proxy = self.serve(("good", self.good.address), *((f"dead-{n}", a) for n, a in enumerate(dead)),
                           ejection={"failures": 1, "time": "1h", "max_time": "1h", "max_share": 50}, retries=3)  # fmt: skip
        refused = re.compile("ejection: app/dead-.* fails, but stays: 2 of 4 endpoints are out, and max_share is 50 %")
        wait_until(lambda: proxy.get("/").body == b"good" and any(map(refused.search, proxy.log.lines())), "the third to stay")
        self.assertEqual(proxy.metrics().sum("telltale_endpoints_ejected"), 2)
        self.assertEqual([proxy.get("/").body for _ in range(20)], [b"good"] * 20)
        self.assertEqual(proxy.metrics().sum("telltale_ejections_total"), 2)

    def test_the_only_one_stays(self):
        proxy = self.serve(("dead", self.dead), ejection={"failures": 1, "max_share": 100})
        self.assertEqual([proxy.get("/").status for _ in range(10)], [502] * 10, "tried, and tried again")
        proxy.log.wait_line("ejection: app/dead at .* fails, but stays: nobody else may be chosen")
        self.assertEqual(self.endpoint(proxy, "dead")["state"], "healthy")
        self.assertEqual(proxy.metrics().sum("telltale_ejections_total"), 0)

    def test_off_by_default(self):
        proxy = self.start(config(service(self.good, {"name": "dead", "address": self.dead}, balance="round_robin")))
        self.assertEqual([proxy.get("/").body for _ in range(40)], [b"good"] * 40)
        self.assertGreaterEqual(proxy.metrics().sum("telltale_retries_total"), 10)
        self.assertEqual(self.endpoint(proxy, "dead")["ejected"], None)

    def test_a_probe_where_it_serves_brings_it_back(self):
        def flaky(request):
            if request.target == "/healthz":
                return respond(200 if self.probes_succeed else 500, "health")
            return respond(503 if self.fails else 200, "bad" if self.fails else "good")

        self.fails, self.probes_succeed = True, True
        app = self.backend(http_handler(flaky), name="flaky")
        proxy = self.serve(
            ("good", self.good.address),
            ("flaky", app.address),
            ejection={"failures": 2, "statuses": [503], "time": "1h", "max_time": "1h"},
            health={"http": "/healthz", "interval": "100ms", "timeout": "5s", "fall": 100},
        )
        wait_until(lambda: set(proxy.endpoint_states().values()) == {"healthy"}, "both to be healthy")
        self.probes_succeed = False
        wait_until(lambda: proxy.get("/") and self.endpoint(proxy, "flaky")["ejected"], "it to be ejected")
        seen = len(app.requests)
        app.wait_requests(seen + 3)
        self.assertIsNotNone(self.endpoint(proxy, "flaky")["ejected"], "probes that fail bring nobody back")
        self.fails, self.probes_succeed = False, True
        wait_until(lambda: self.endpoint(proxy, "flaky")["ejected"] is None, "a probe to bring it back")
        proxy.log.wait_line("ejection: app/flaky at .* may be chosen again after .*: a probe succeeded")
        self.assertEqual([proxy.get("/").body for _ in range(10)], [b"good"] * 10)

    def test_a_probe_of_another_port_does_not(self):
        nodes, health = [], []
        for name, port in (("node-good", self.good.port), ("node-dead", int(self.dead.rpartition(":")[2]))):
            health.append(self.enterContext(HealthPort(200, name=name)))
            nodes.append({"name": name, "address": "127.0.0.1", "port": port, "health_port": health[-1].port})
        conf = service(nodes=nodes, health={"http": "/healthz", "interval": "50ms", "timeout": "5s"},
                       ejection={"failures": 2, "time": "1h", "max_time": "1h"})  # fmt: skip
        proxy = self.start(config(conf))
        proxy.wait_states(node_good="healthy", node_dead="healthy")
        self.ask_until_ejected(proxy, "node-dead")
        health[1].wait_requests(len(health[1].requests) + 5)
        self.assertIsNotNone(self.endpoint(proxy, "node-dead")["ejected"])
        self.assertEqual(proxy.services()["app"]["nodes"][1]["health"]["state"], "healthy", "it is the port that does not serve")
        self.assertEqual(proxy.metrics().sum("telltale_node_state", node="node-dead", state="healthy"), 1)


class Selection(ProxyTest):
    """The log says when there is nobody left, and when that is over."""

    def test_log_lines(self):
        begun = time.monotonic()
        health = self.enterContext(HealthPort(200))
        app = self.backend(http_handler(lambda request: respond(200, "app")))
        conf = service(nodes=[local_node("node-a", app, health)], health={"http": "/", "interval": "50ms", "timeout": "5s"})
        proxy = self.start(config(conf, listeners=[listener()]))
        proxy.wait_states(node_a="healthy")
        health.status = 503
        line = proxy.log.wait_line(r"service app: no endpoint may be chosen: requests get 503, TCP connections are refused \((.*)\)")
        self.assertEqual(line[1], "1 draining")
        self.assertEqual(proxy.get("/").status, 503)
        selection = proxy.services()["app"]["selection"]
        self.assertEqual(selection["external"], {"reason": "no_endpoint", "eligible": 0})
        self.assertEqual(proxy.ask_admin("/readyz").status, 503)
        health.status = 200
        proxy.log.wait_line("service app: requests go to healthy endpoints again")
        wait_until(lambda: proxy.get("/").status == 200, "the workers to know, too")
        flaps = 60
        for n in range(1, flaps + 1):
            health.status = 503 if n % 2 else 200
            proxy.wait_states(node_a="draining" if n % 2 else "healthy")
        windows = (time.monotonic() - begun) // 10 + 2
        said = [line for line in proxy.log.lines() if re.search("service app: (no endpoint|requests go)", line)]
        self.assertLessEqual(len(said), 4 * windows, f"it flapped {flaps} times in {windows} windows of 10 s")


if __name__ == "__main__":
    main()
