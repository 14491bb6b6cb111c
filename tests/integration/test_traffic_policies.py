"""Which endpoints may be chosen at all, by where traffic comes from and where we run: policies of `local`, what is
near, endpoints that go away; and what becomes of traffic that has none."""

import json
import os
import socket
import tempfile

from support import HealthPort, Node, ProxyTest, config, listener, main, say, service, wait_until, who_answers

FAST = {"http": "/healthz", "interval": "50ms", "timeout": "5s", "fall": 1}
BOTH = [listener("external"), listener("internal", internal=True)]
BOTH_TCP = [listener("external", protocol="tcp"), listener("internal", protocol="tcp", internal=True)]


def is_refused(proxy, name):
    try:
        socket.create_connection(proxy.address(name), timeout=20).close()
        return False
    except ConnectionRefusedError:
        return True


class PolicyTest(ProxyTest):
    def serves(self, proxy, *names, listener="external", requests=30):
        """Waits until these answer, all of them and nobody else."""
        seen = set()

        def do():
            seen.clear()
            seen.update(who_answers(proxy, requests, listener=listener))
            return seen == set(names)

        try:
            wait_until(do)
        except AssertionError:
            self.fail(f"{listener}: {sorted(seen)} answer, not {sorted(names)}")

    def wait_selection(self, proxy, traffic, reason, eligible):
        wanted = {"reason": reason, "eligible": eligible}
        wait_until(lambda: proxy.services()["app"]["selection"][traffic] == wanted, f"{traffic} to be {wanted}")
        metrics = proxy.metrics()
        self.assertEqual(metrics.sum("telltale_service_selection", service="app", traffic=traffic, reason=reason), 1)
        self.assertEqual(metrics.sum("telltale_endpoints_eligible", service="app", traffic=traffic), eligible)

    def assert_dropped(self, proxy, reason, listener="external"):
        """HTTP: 503 at once, and why."""
        before = proxy.metrics()
        wait_until(lambda: who_answers(proxy, 1, listener=listener) == {"503 Service Unavailable\n": 1}, "503")
        response = proxy.get("/dropped", method="POST", body=b"x", listener=listener)
        self.assertEqual((response.status, response.header("retry-after")), (503, "5"))
        record = proxy.wait_access(lambda r: r["target"] == "/dropped" and r["listener"] == listener)[0]
        wanted = {"status": 503, "reason": reason, "failure_side": "proxy", "failure_phase": "pick", "tries": 0,
                  "endpoint": None, "node": None, "service": "app"}  # fmt: skip
        self.assertEqual({name: record[name] for name in wanted}, wanted)
        after = proxy.metrics()
        for name, labels in (("request_failures_total", {"reason": reason}), ("no_endpoint_total", {})):
            grown = [m.sum(f"telltale_{name}", service="app", **labels) for m in (before, after)]
            self.assertGreater(grown[1], grown[0], name)


class Local(PolicyTest):
    def nodes(self, *statuses):
        return [Node(self, f"node-{letter}", status) for letter, status in zip("abcdef", statuses)]

    def serve(self, nodes, external="cluster", internal="cluster", listeners=None, **top):
        conf = service(nodes=[n.conf() for n in nodes], health=FAST, external_traffic_policy=external,
                       internal_traffic_policy=internal)  # fmt: skip
        proxy = self.start(config(conf, listeners=listeners or BOTH, **top))
        wait_until(lambda: "unknown" not in proxy.endpoint_states().values(), "the first probes")
        return proxy

    def test_outside_the_nodes_probes_decide(self):
        a, b, c = nodes = self.nodes(200, 503, 500)
        proxy = self.serve(nodes, external="local")
        self.serves(proxy, "node-a")
        self.wait_selection(proxy, "external", "fit", 1)
        b.health.status = 200
        self.serves(proxy, "node-a", "node-b")
        self.assertEqual(c.app.connections, [])
        for node in nodes:
            node.health.status = 503
        self.wait_selection(proxy, "external", "no_endpoint", 0)
        self.assert_dropped(proxy, "no_endpoint")
        c.health.status = 200
        self.serves(proxy, "node-c")

    def test_on_a_node_only_its_own_endpoints_count(self):
        ours, everywhere = {"node-b"}, {"node-a", "node-b", "node-c"}
        for policies, external, internal in [
            (("local", "cluster"), ours, everywhere),
            (("cluster", "local"), everywhere, ours),
            (("local", "local"), ours, ours),
            (("cluster", "cluster"), everywhere, everywhere),
        ]:
            with self.subTest(policies=policies):
                proxy = self.serve(self.nodes(200, 200, 200), *policies, node_name="node-b")
                self.serves(proxy, *external)
                self.serves(proxy, *internal, listener="internal")
                self.wait_selection(proxy, "external", "fit", len(external))
                self.wait_selection(proxy, "internal", "fit", len(internal))

    def test_a_node_without_endpoints_drops_one_kind_and_serves_the_other(self):
        for policies, dropping, serving in [
            (("local", "cluster"), "external", "internal"),
            (("cluster", "local"), "internal", "external"),
        ]:
            with self.subTest(policies=policies):
                proxy = self.serve(self.nodes(200, 200), *policies, node_name="node-z")
                self.serves(proxy, "node-a", "node-b", listener=serving)
                self.wait_selection(proxy, dropping, "no_local_endpoint", 0)
                self.wait_selection(proxy, serving, "fit", 2)
                self.assert_dropped(proxy, "no_local_endpoint", dropping)
                self.serves(proxy, "node-a", "node-b", listener=serving)

    def test_our_endpoint_comes_and_goes(self):
        ours, other = nodes = self.nodes(503, 200)
        proxy = self.serve(nodes, external="local", node_name="node-a")
        for _ in range(2):
            ours.health.status = 503
            self.wait_selection(proxy, "external", "no_local_endpoint", 0)
            self.assert_dropped(proxy, "no_local_endpoint")
            self.serves(proxy, "node-b", listener="internal")
            ours.health.status = 200
            self.serves(proxy, "node-a")
            self.serves(proxy, "node-a", "node-b", listener="internal")
        other.health.status = 503
        self.serves(proxy, "node-a", listener="internal")

    def test_tcp_connections_are_refused_where_http_is_503(self):
        ours, _ = nodes = self.nodes(200, 200)
        proxy = self.serve(nodes, external="local", node_name="node-a", listeners=BOTH_TCP, workers=3)
        self.serves(proxy, "node-a")
        established = self.enterContext(proxy.client("external"))
        self.assertEqual(established.get("/").body, b"node-a")
        for _ in range(2):
            ours.health.status = 503
            wait_until(lambda: is_refused(proxy, "external"), "connections to be refused")
            self.assertTrue(all(is_refused(proxy, "external") for _ in range(20)), "by every worker")
            self.serves(proxy, "node-b", listener="internal")
            self.assertEqual(established.get("/").body, b"node-a", "established ones go on")
            ours.health.status = 200
            wait_until(lambda: not is_refused(proxy, "external"), "connections to be accepted")
            self.serves(proxy, "node-a")

    def test_tcp_of_one_kind_is_refused_while_the_other_is_served(self):
        proxy = self.serve(self.nodes(200, 200), external="local", node_name="node-z", listeners=BOTH_TCP, workers=3)
        wait_until(lambda: is_refused(proxy, "external"), "connections to be refused")
        self.serves(proxy, "node-a", "node-b", listener="internal")
        self.assertTrue(all(is_refused(proxy, "external") for _ in range(20)))

    def test_tcp_on_a_unix_socket_is_ended_for_the_same_reason(self):
        path = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "in.sock")
        unix = listener("external", "unix:" + path, protocol="tcp")
        proxy = self.serve(self.nodes(200), external="local", node_name="node-z", listeners=[unix])
        with proxy.client("external") as client:
            self.assertEqual(client.closed_by_peer(), b"")
        record = proxy.wait_access()[0]
        wanted = {"reason": "no_local_endpoint", "failure_side": "proxy", "failure_phase": "pick", "tries": 0,
                  "status": 0, "endpoint": None, "protocol": "TCP"}  # fmt: skip
        self.assertEqual({name: record[name] for name in wanted}, wanted)
        metrics = proxy.metrics()
        self.assertEqual(metrics.sum("telltale_request_failures_total", service="app", reason="no_local_endpoint"), 1)
        self.assertEqual(metrics.sum("telltale_no_endpoint_total", service="app"), 1)


class Near(PolicyTest):
    """`traffic_distribution`"""

    def serve(self, *nodes, distribution="prefer_same_zone", **top):
        """`nodes`: (Node, fields)"""
        entries = [node.conf(**fields) for node, fields in nodes]
        conf = service(nodes=entries, health=FAST, traffic_distribution=distribution)
        return self.start(config(conf, listeners=BOTH[:1], **top))

    def test_those_of_our_zone_while_there_are_some(self):
        a1, a2, b = Node(self, "a1"), Node(self, "a2"), Node(self, "b")
        proxy = self.serve((a1, {"zone": "a"}), (a2, {"zone": "a"}), (b, {"zone": "b"}), zone="a")
        self.serves(proxy, "a1", "a2")
        a1.health.status = 500
        self.serves(proxy, "a2")
        self.wait_selection(proxy, "external", "fit", 1)
        a2.health.status = 503
        self.serves(proxy, "b")
        a1.health.status = 200
        self.serves(proxy, "a1")
        a2.health.status = 200
        self.serves(proxy, "a1", "a2")

    def test_one_without_a_hint_makes_it_all_while_it_is_ready(self):
        a, b, nowhere = Node(self, "a"), Node(self, "b"), Node(self, "nowhere")
        proxy = self.serve((a, {"zone": "a"}), (b, {"zone": "b"}), (nowhere, {}), zone="a")
        self.serves(proxy, "a", "b", "nowhere")
        nowhere.health.status = 503
        self.serves(proxy, "a")
        nowhere.health.status = 200
        self.serves(proxy, "a", "b", "nowhere")

    def test_nobody_near_is_all(self):
        a, b = Node(self, "a"), Node(self, "b")
        proxy = self.serve((a, {"zone": "a"}), (b, {"zone": "b"}), zone="c")
        self.serves(proxy, "a", "b")

    def test_the_zone_is_our_nodes(self):
        a, b, b2 = Node(self, "a"), Node(self, "b"), Node(self, "b2")
        proxy = self.serve((a, {"zone": "a"}), (b, {"zone": "b"}), (b2, {"zone": "b"}), node_name="b")
        self.serves(proxy, "b", "b2")

    def test_hints_are_taken_before_where_an_endpoint_is(self):
        apps = {name: self.backend(say(name)) for name in ("a", "b", "both")}
        hints = {"a": {"zone": "z", "for_zones": ["a"]}, "b": {"zone": "a", "for_zones": ["b"]},
                 "both": {"zone": "z", "for_zones": ["b", "a"]}}  # fmt: skip
        endpoints = [{"address": apps[name].address, **fields} for name, fields in hints.items()]
        conf = service(*endpoints, traffic_distribution="prefer_same_zone")
        for zone, names in (("a", {"a", "both"}), ("b", {"b", "both"}), ("z", {"a", "b", "both"})):
            self.serves(self.start(config(conf, listeners=BOTH[:1], zone=zone)), *names)

    def test_our_node_else_our_zone_else_all(self):
        ours, near, far = Node(self, "ours"), Node(self, "near"), Node(self, "far")
        proxy = self.serve((ours, {"zone": "a"}), (near, {"zone": "a"}), (far, {"zone": "b"}),
                           distribution="prefer_same_node", node_name="ours")  # fmt: skip
        self.serves(proxy, "ours")
        ours.health.status = 503
        self.serves(proxy, "near")
        near.health.status = 500
        self.serves(proxy, "far")
        near.health.status = 200
        self.serves(proxy, "near")
        ours.health.status = 200
        self.serves(proxy, "ours")

    def test_hints_for_our_node_do_not_ask_for_zones(self):
        apps = [self.backend(say(f"app-{n}")) for n in range(3)]
        hinted = [{"address": app.address, "for_nodes": ["here"]} for app in apps[:2]]
        elsewhere = {"address": apps[2].address, "for_nodes": ["there"]}
        zones = [{**hinted[0], "zone": "a"}, {**hinted[1], "zone": "b"}]
        for what, endpoints, names in [
            ("some are ours", [*hinted, elsewhere], {"app-0", "app-1"}),
            ("one has no hint", [*hinted, apps[2].address], {"app-0", "app-1", "app-2"}),
            ("all are ours, in two zones", zones, {"app-0", "app-1"}),
        ]:
            with self.subTest(what):
                conf = service(*endpoints, traffic_distribution="prefer_same_node")
                self.serves(self.start(config(conf, listeners=BOTH[:1], node_name="here", zone="a")), *names)


class GoingAway(PolicyTest):
    """Terminating endpoints (KEP-1669) and the panic rule: who is asked when nobody is ready."""

    def setUp(self):
        self.file = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "endpoints.json")

    def publish(self, *entries):
        """(Node, fields of its one endpoint)"""
        nodes = [n.conf(endpoints=[{"address": n.app.address, **fields}]) for n, fields in entries]
        with open(self.file + ".new", "w", encoding="utf-8") as out:
            json.dump({"nodes": nodes}, out)
            out.write("\n")
        os.rename(self.file + ".new", self.file)

    def serve(self, *entries, listeners=None, health=None, **fields):
        self.publish(*entries)
        top = {name: fields.pop(name) for name in ("node_name",) if name in fields}
        conf = service(endpoints_file=self.file, health={**FAST, **(health or {})}, **fields)
        return self.start(config(conf, listeners=listeners or BOTH, **top))

    def test_they_serve_only_while_nobody_is_ready(self):
        old, new = Node(self, "old"), Node(self, "new")
        ends, ended = {"terminating": True}, {"terminating": True, "serving": False}
        proxy = self.serve((old, {}))
        self.serves(proxy, "old")
        self.publish((old, ends))
        self.wait_selection(proxy, "external", "terminating", 1)
        self.serves(proxy, "old")
        self.publish((old, ends), (new, {}))
        self.serves(proxy, "new")
        self.wait_selection(proxy, "external", "fit", 1)
        new.health.status = 503
        self.serves(proxy, "old")
        self.publish((old, ended), (new, {}))
        self.wait_selection(proxy, "external", "no_endpoint", 0)
        self.assert_dropped(proxy, "no_endpoint")
        new.health.status = 200
        self.serves(proxy, "new")

    def test_what_is_established_goes_on(self):
        old, new = Node(self, "old"), Node(self, "new")
        proxy = self.serve((old, {}), listeners=BOTH_TCP)
        with proxy.client("external") as client:
            self.assertEqual(client.get("/").body, b"old")
            self.publish((old, {"terminating": True}), (new, {}))
            self.serves(proxy, "new")
            self.assertEqual(client.get("/").body, b"old")

    def test_their_probes_may_say_503_but_not_fail(self):
        old = Node(self, "old")
        proxy = self.serve((old, {"terminating": True}))
        self.serves(proxy, "old")
        old.health.status = 503
        wait_until(lambda: proxy.services()["app"]["nodes"][0]["health"]["state"] == "draining", "the probe's verdict")
        self.serves(proxy, "old")
        old.health.status = 500
        self.wait_selection(proxy, "external", "no_endpoint", 0)
        self.assert_dropped(proxy, "no_endpoint")

    def test_each_policy_decides_by_itself(self):
        old, ready = Node(self, "ours"), Node(self, "other")
        proxy = self.serve((old, {"terminating": True}), (ready, {}), external_traffic_policy="local", node_name="ours")
        self.serves(proxy, "ours")
        self.serves(proxy, "other", listener="internal")
        self.wait_selection(proxy, "external", "terminating", 1)
        self.wait_selection(proxy, "internal", "fit", 1)
        ready.health.status = 503
        self.serves(proxy, "ours", listener="internal")
        self.publish((old, {"terminating": True, "serving": False}), (ready, {}))
        self.wait_selection(proxy, "external", "no_local_endpoint", 0)
        self.assert_dropped(proxy, "no_local_endpoint")

    def test_after_them_come_those_of_whom_nothing_is_known_and_never_who_said_no(self):
        old, silent = Node(self, "old"), Node(self, "silent")
        full, broken = Node(self, "full", 503), Node(self, "broken", 500)
        port = silent.health
        port.answer = lambda request: port.release.wait() and HealthPort.answer(port, request)
        rest = ((silent, {}), (full, {}), (broken, {}))
        proxy = self.serve((old, {"terminating": True}), *rest, health={"timeout": "60s"})
        proxy.wait_states(old="draining", silent="unknown", full="draining", broken="unhealthy")
        self.serves(proxy, "old")
        self.publish((old, {"terminating": True, "serving": False}), *rest)
        self.serves(proxy, "silent")
        self.wait_selection(proxy, "external", "unknown", 1)
        self.assertEqual((full.app.connections, broken.app.connections), ([], []))
        port.status = 503
        port.release.set()
        self.wait_selection(proxy, "external", "no_endpoint", 0)
        self.assert_dropped(proxy, "no_endpoint")
        full.health.status = 200
        self.serves(proxy, "full")


if __name__ == "__main__":
    main()
