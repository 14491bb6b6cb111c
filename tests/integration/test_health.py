"""Nodes that fail /healthz get no traffic, and nobody notices but them."""

import collections
import threading

from support import (
    Node,
    ProxyTest,
    config,
    http_handler,
    listener,
    main,
    refused_address,
    respond,
    service,
    wait_until,
)

FAST = {"http": "/healthz", "interval": "50ms", "timeout": "5s"}


class Health(ProxyTest):
    def nodes(self, *statuses, **options):
        return [Node(self, f"node-{letter}", status, **options) for letter, status in zip("abcdef", statuses)]

    def serve(self, nodes, health=None, policy="local", **fields):
        conf = service(nodes=[n.conf() for n in nodes], external_traffic_policy=policy, health={**FAST, **(health or {})}, **fields)
        return self.start(config(conf))

    def counts(self, proxy, requests=40):
        return collections.Counter(proxy.get("/").body.decode() for _ in range(requests))

    # Who gets traffic.

    def test_only_nodes_that_say_200_get_traffic(self):
        for policy in ("local", "cluster"):
            nodes = self.nodes(200, 503, 200)
            proxy = self.serve(nodes, policy=policy)
            proxy.wait_states(node_a="healthy", node_b="draining", node_c="healthy")
            self.assertEqual(set(self.counts(proxy)), {"node-a", "node-c"})
            self.assertEqual(nodes[1].app.connections, [])

    def test_no_ready_endpoint_is_503_with_retry_after(self):
        nodes = self.nodes(503, 503)
        proxy = self.serve(nodes)
        proxy.wait_states(node_a="draining", node_b="draining")
        response = proxy.get("/", method="POST", body=b"x" * 1000)
        self.assertEqual(response.status, 503)
        self.assertTrue(int(response.header("retry-after")) > 0)
        self.assertEqual(sum(len(n.app.connections) for n in nodes), 0)
        wait_until(lambda: proxy.metrics().sum("telltale_no_endpoint_total", service="app") == 1, "it to be counted")

    def test_draining_and_unhealthy_are_shown_as_different_things(self):
        nodes = self.nodes(200, 503, 500)
        gone = Node(self, "node-gone")
        gone.health.close()
        proxy = self.serve([*nodes, gone], health={"fall": 1})
        proxy.wait_states(node_a="healthy", node_b="draining", node_c="unhealthy", node_gone="unhealthy")
        shown = {n["name"]: n["health"] for n in proxy.services()["app"]["nodes"]}
        self.assertEqual({name: h["state"] for name, h in shown.items()},
                         {"node-a": "healthy", "node-b": "draining", "node-c": "unhealthy", "node-gone": "unhealthy"})  # fmt: skip
        for name, health in shown.items():
            self.assertTrue(health["reason"], name)
            self.assertRegex(health["since"], r"^\d{4}-\d\d-\d\dT")
        self.assertIn("503", shown["node-b"]["reason"])
        self.assertIn("500", shown["node-c"]["reason"])
        metrics = proxy.metrics()
        for name, state in [("node-a", "healthy"), ("node-b", "draining"), ("node-c", "unhealthy")]:
            self.assertEqual(metrics.sum("telltale_endpoint_state", node=name, state=state), 1)

    def test_a_state_change_is_logged_once_with_its_reason(self):
        (node,) = self.nodes(200)
        proxy = self.serve([node])
        proxy.wait_states(node_a="healthy")
        node.health.status = 503
        proxy.wait_states(node_a="draining")
        seen = len(node.health.requests)
        node.health.wait_requests(seen + 5)
        proxy.log.wait_line("node-a.*draining")
        lines = [line for line in proxy.log.lines() if "draining" in line and "node-a" in line]
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("503", lines[0])

    # Probes.

    def test_probes_are_plain_http_whatever_the_service_speaks(self):
        (node,) = self.nodes(200)
        node.app.handler = http_handler(lambda request: respond(200, "app"), proxy=True)
        proxy = self.serve([node], propagate={"proxy_protocol": "v2"})
        proxy.wait_states(node_a="healthy")
        self.assertEqual(proxy.get("/").status, 200)
        node.health.wait_requests(5)
        probe = node.health.requests[0]
        self.assertEqual((probe.method, probe.target), ("GET", "/healthz"))
        self.assertIsNotNone(probe.header("host"))
        self.assertFalse({"x-forwarded-for", "forwarded"} & set(probe.fields.names()))

    def test_one_probe_connection_is_kept_between_probes(self):
        (node,) = self.nodes(200)
        self.serve([node])
        node.health.wait_requests(10)
        self.assertEqual(len(node.health.connections), 1)

    def test_one_probe_target_is_probed_once_for_all_who_share_it(self):
        (node,) = self.nodes(200)
        services = [service(name=n, nodes=[node.conf()], health=FAST) for n in ("one", "two", "three")]
        proxy = self.start(config(*services, listeners=[listener(s["name"], service=s["name"]) for s in services]))
        for name in ("one", "two", "three"):
            proxy.wait_states(name, node_a="healthy")
        node.health.wait_requests(5)
        self.assertEqual(len(node.health.connections), 1)
        node.health.status = 503
        for name in ("one", "two", "three"):
            proxy.wait_states(name, node_a="draining")
            self.assertEqual(proxy.get("/", listener=name).status, 503)

    def test_probes_of_the_serving_port_may_carry_a_local_header(self):
        for send_proxy, version in (("v1", 1), ("v2", 2)):
            app = self.backend(http_handler(lambda request: respond(200, "app"), proxy=True))
            conf = service(app, health={**FAST, "send_proxy": send_proxy}, propagate={"proxy_protocol": "v2"})
            proxy = self.start(config(conf))
            wait_until(lambda p=proxy: set(p.endpoint_states().values()) == {"healthy"}, "the endpoint to be healthy")
            probe = next(r for r in app.requests if r.target == "/healthz")
            self.assertEqual((probe.proxy.version, probe.proxy.command, probe.proxy.source), (version, "LOCAL", None))
            proxy.get("/real")
            request = next(r for r in app.requests if r.target == "/real")
            self.assertEqual(request.proxy.source_ip(), "127.0.0.1")

    def test_tcp_probes(self):
        app = self.backend(http_handler(lambda request: respond(200, "app")))
        with refused_address() as address:
            health = {"tcp": True, "interval": "50ms", "timeout": "5s", "fall": 1}
            endpoints = [{"address": address, "name": "gone"}, {"address": app.address, "name": "up"}]
            proxy = self.start(config(service(*endpoints, health=health)))
            proxy.wait_states(gone="unhealthy", up="healthy")
            self.assertEqual([proxy.get("/").status for _ in range(10)], [200] * 10)
        self.assertEqual(proxy.metrics().sum("telltale_retries_total"), 0, "never even tried")

    def test_fall_and_rise(self):
        (node,) = self.nodes(200)
        proxy = self.serve([node], health={"fall": 4, "rise": 3})
        proxy.wait_states(node_a="healthy")
        answered = []

        def script(_request):
            answered.append(proxy.endpoint_states()["node-a"])
            return respond(500 if len(answered) <= 6 else 200, "x")

        node.health.answer = script
        wait_until(lambda: len(answered) >= 16, "sixteen probes")
        # The state seen at probe n is the outcome of the probes before it.
        self.assertEqual(answered[:4], ["healthy"] * 4)
        self.assertEqual(answered[4:9], ["unhealthy"] * 5)
        self.assertEqual(answered[9:], ["healthy"] * len(answered[9:]))

    def test_an_explicit_503_counts_at_once(self):
        (node,) = self.nodes(200)
        proxy = self.serve([node], health={"fall": 50})
        proxy.wait_states(node_a="healthy")
        node.health.status = 503
        proxy.wait_states(node_a="draining")

    def test_a_probe_that_is_not_answered_in_time_fails(self):
        (node,) = self.nodes(200)
        node.health.answer = lambda request: node.health.release.wait() and b""
        proxy = self.serve([node], health={"timeout": "100ms", "fall": 2})
        proxy.wait_states(node_a="unhealthy")
        self.assertEqual(proxy.get("/").status, 503)

    def test_malformed_probe_answers_fail(self):
        for answer in (b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", b""):
            with self.subTest(answer=answer):
                node = Node(self, "node-a")
                node.health.handler = lambda c, a=answer: (c.next_request(), c.send(a))
                proxy = self.serve([node], health={"fall": 1})
                proxy.wait_states(node_a="unhealthy")

    def test_empty_200_is_unknown_under_strict(self):
        strict, lenient = Node(self, "node-a", body=""), Node(self, "node-b", body="")
        one = self.serve([strict], health={"strict": True})
        two = self.serve([lenient])
        strict.health.wait_requests(3)
        one.wait_states(node_a="unknown")
        two.wait_states(node_b="healthy")

    def test_the_older_text_body_is_understood(self):
        node = Node(self, "node-a", body="1 Service Endpoints found")
        proxy = self.serve([node])
        proxy.wait_states(node_a="healthy")

    def test_unknown_endpoints_serve_when_none_is_healthy_but_never_draining_ones(self):
        slow, no = Node(self, "node-a"), Node(self, "node-b", 503)
        slow.health.answer = lambda request: slow.health.release.wait() and b""
        proxy = self.serve([slow, no], health={"timeout": "60s"})
        proxy.wait_states(node_a="unknown", node_b="draining")
        self.assertEqual(self.counts(proxy, 10), {"node-a": 10})

    # Weights.

    def test_weights_share_the_traffic(self):
        one, three, none = (Node(self, f"w{n}") for n in (1, 3, 0))
        conf = service(nodes=[one.conf(weight=1), three.conf(weight=3), none.conf(weight=0)], health=FAST)
        proxy = self.start(config(conf, workers=1))
        proxy.wait_states(w1="healthy", w3="healthy", w0="healthy")
        self.assertEqual(self.counts(proxy), {"w1": 10, "w3": 30})

    def test_weights_from_the_probe(self):
        one, three = Node(self, "w1", weight=1), Node(self, "w3", weight=3)
        conf = service(nodes=[one.conf(), three.conf()], health={**FAST, "weight": "probe"})
        proxy = self.start(config(conf, workers=1))
        proxy.wait_states(w1="healthy", w3="healthy")
        self.assertEqual(self.counts(proxy), {"w1": 10, "w3": 30})

    def test_round_robin_goes_round(self):
        nodes = self.nodes(200, 200, 200)
        conf = service(nodes=[n.conf() for n in nodes], health=FAST)
        proxy = self.start(config(conf, workers=1))
        proxy.wait_states(node_a="healthy", node_b="healthy", node_c="healthy")
        order = [proxy.get("/").body for _ in range(30)]
        self.assertEqual([len(set(order[n : n + 3])) for n in range(28)], [3] * 28)

    # Nodes with endpoints.

    def test_traffic_goes_straight_to_a_nodes_endpoints_while_the_node_allows_it(self):
        node = Node(self, "node-a")
        apps = [self.backend(http_handler(lambda r, n=n: respond(200, f"pod-{n}"))) for n in range(2)]
        entry = node.conf(endpoints=[a.address for a in apps])
        proxy = self.start(config(service(nodes=[entry], health=FAST), workers=1))
        wait_until(lambda: set(e["state"] for e in proxy.services()["app"]["endpoints"]) == {"healthy"}, "health")
        self.assertEqual(self.counts(proxy, 10), {"pod-0": 5, "pod-1": 5})
        self.assertEqual(node.app.connections, [])
        node.health.status = 503
        wait_until(lambda: set(e["state"] for e in proxy.services()["app"]["endpoints"]) == {"draining"}, "draining")
        self.assertEqual(proxy.get("/").status, 503)

    # Under load.

    def test_flips_under_load_fail_no_request(self):
        nodes = self.nodes(200, 200)
        flipping = nodes[0]
        proxy = self.serve(nodes)
        proxy.wait_states(node_a="healthy", node_b="healthy")
        load = Load(proxy, 8)
        try:
            for _ in range(4):
                flipping.health.status = 503
                proxy.wait_states(node_a="draining", node_b="healthy")
                served = load.wait_more(100)
                frozen = len(flipping.app.requests)
                load.wait_more(300)
                # What was picked before the flip may still have been on its way.
                self.assertLessEqual(len(flipping.app.requests) - frozen, 8, "a draining node gets no new requests")
                flipping.health.status = 200
                proxy.wait_states(node_a="healthy", node_b="healthy")
                at = len(flipping.app.requests)
                wait_until(lambda a=at: len(flipping.app.requests) > a + 50, "traffic to come back")
                self.assertGreater(load.done, served)
        finally:
            load.stop()
        self.assertEqual(load.failures, [])

    def test_draining_lets_what_is_established_finish(self):
        nodes = self.nodes(200)

        def slow(connection):
            connection.next_request()
            connection.backend.release.wait()
            connection.send(respond(200, "finished"))

        nodes[0].app.handler = slow
        proxy = self.serve(nodes)
        proxy.wait_states(node_a="healthy")
        with proxy.client() as client:
            client.request("GET", "/")
            nodes[0].app.wait_requests(1)
            nodes[0].health.status = 503
            proxy.wait_states(node_a="draining")
            nodes[0].app.release.set()
            self.assertEqual(client.read_response().body, b"finished")


class Load:
    """Threads that send requests over kept and over new connections until they are told to stop."""

    def __init__(self, proxy, threads):
        self.proxy, self.failures, self.done = proxy, [], 0
        self._go = True
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self, index):
        try:
            while self._go:
                with self.proxy.client() as client:
                    for n in range(1 if index % 2 else 50):
                        response = client.get("/", method="POST" if n % 3 else "GET", body=b"x" * 100 if n % 3 else b"")
                        with self._lock:
                            self.done += 1
                            if response.status != 200:
                                self.failures.append(response)
        except Exception as failure:  # pylint: disable=broad-except
            self.failures.append(failure)

    def wait_more(self, count):
        target = self.done + count
        wait_until(lambda: self.done >= target or self.failures, f"{count} more requests")
        return self.done

    def stop(self):
        self._go = False
        for thread in self._threads:
            thread.join()


if __name__ == "__main__":
    main()
