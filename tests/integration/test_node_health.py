"""Two probes: a node's, and that of what serves on it. Both must allow it, and they are shown as two things."""

import collections
import re

from support import HealthPort, ProxyTest, config, http_handler, listener, local_node, main, respond, service, wait_until

FAST = {"interval": "50ms", "timeout": "5s", "fall": 1}
READY = {**FAST, "http": "/ready"}
HEALTHZ = {**FAST, "http": "/healthz"}

# What a probe is answered, and what that makes of its target.
ANSWERS = [(503, "draining"), (500, "unhealthy")]


class Served(ProxyTest):
    """node-a serves at a port of its own, node-b has two endpoints; each has a health port."""

    def setUp(self):
        super().setUp()
        self.ready = collections.defaultdict(lambda: 200)  # by the name of who serves
        hosts = {"node-a": "127.0.0.1", "pod-1": "127.0.0.21", "pod-2": "127.0.0.22"}
        self.apps = {name: self.app(name, host) for name, host in hosts.items()}
        self.health = {name: self.enterContext(HealthPort(200, name=name + "-health")) for name in ("node-a", "node-b")}

    def app(self, name, host):
        def answer(request):
            return respond(self.ready[name] if request.target == "/ready" else 200, name)

        return self.backend(http_handler(answer), name=name, address=(host, 0))

    def nodes(self):
        pods = [{"address": self.apps[name].address, "name": name} for name in ("pod-1", "pod-2")]
        return [local_node("node-a", self.apps["node-a"], self.health["node-a"]),
                local_node("node-b", self.apps["pod-1"], self.health["node-b"], endpoints=pods)]  # fmt: skip

    def states(self, proxy, name="app"):
        """(of the nodes by their own probes, of the endpoints)"""
        shown = proxy.services()[name]
        nodes = {n["name"]: n["health"] and n["health"]["state"] for n in shown["nodes"]}
        return nodes, {e["name"]: e["state"] for e in shown["endpoints"]}

    def wait(self, proxy, nodes, endpoints, name="app"):
        """These states, and healthy for everybody else."""
        wanted = ({n: nodes.get(n, "healthy") for n in ("node-a", "node-b")},
                  {e: endpoints.get(e, "healthy") for e in ("node-a", "pod-1", "pod-2")})  # fmt: skip
        wait_until(lambda: self.states(proxy, name) == wanted, f"the states {wanted}")

    def served_by(self, proxy):
        return {proxy.get("/").body.decode() for _ in range(12)}

    def check_shown(self, proxy, node, endpoint, endpoints_state):
        """Node and endpoint are two targets: on /services and in the metrics."""
        shown = proxy.services()["app"]
        by_name = {e["name"]: e for e in shown["endpoints"]}
        self.assertEqual(by_name[endpoint]["state"], endpoints_state)
        metrics = proxy.metrics()
        for n in shown["nodes"]:
            state = n["health"]["state"]
            self.assertEqual(metrics.sum("telltale_node_state", service="app", node=n["name"], state=state), 1)
        labels = {"service": "app", "node": node, "endpoint": endpoint}
        self.assertEqual(metrics.sum("telltale_endpoint_state", state=endpoints_state, **labels), 1)
        return by_name[endpoint]


class Both(Served):
    def test_each_probe_alone_takes_the_endpoint_out_and_brings_it_back(self):
        conf = service(nodes=self.nodes(), health=READY, node_health=HEALTHZ, external_traffic_policy="local")
        proxy = self.start(config(conf, workers=1))
        self.wait(proxy, {}, {})
        self.assertEqual(self.served_by(proxy), {"node-a", "pod-1", "pod-2"})
        for status, state in ANSWERS:
            with self.subTest("the node of two endpoints", state=state):
                self.health["node-b"].status = status
                self.wait(proxy, {"node-b": state}, {"pod-1": state, "pod-2": state})
                self.assertEqual(self.served_by(proxy), {"node-a"})
                pod = self.check_shown(proxy, "node-b", "pod-1", state)
                self.assertEqual(pod["health"]["state"], "healthy")
                self.assertRegex(pod["reason"], f"^its node: answered {status}")
                self.health["node-b"].status = 200
                self.wait(proxy, {}, {})
            with self.subTest("an endpoint itself", state=state):
                self.ready["pod-1"] = status
                self.wait(proxy, {}, {"pod-1": state})
                self.assertEqual(self.served_by(proxy), {"node-a", "pod-2"})
                pod = self.check_shown(proxy, "node-b", "pod-1", state)
                self.assertEqual(pod["health"]["state"], state)
                self.assertRegex(pod["reason"], f"^answered {status}")
                self.ready["pod-1"] = 200
                self.wait(proxy, {}, {})
            with self.subTest("a node that serves itself, by its health port", state=state):
                self.health["node-a"].status = status
                self.wait(proxy, {"node-a": state}, {"node-a": state})
                self.assertEqual(self.served_by(proxy), {"pod-1", "pod-2"})
                self.assertEqual(self.check_shown(proxy, "node-a", "node-a", state)["health"]["state"], "healthy")
                self.health["node-a"].status = 200
                self.wait(proxy, {}, {})
            with self.subTest("a node that serves itself, where it serves", state=state):
                self.ready["node-a"] = status
                self.wait(proxy, {}, {"node-a": state})
                self.assertEqual(self.served_by(proxy), {"pod-1", "pod-2"})
                self.assertEqual(self.check_shown(proxy, "node-a", "node-a", state)["health"]["state"], state)
                self.ready["node-a"] = 200
                self.wait(proxy, {}, {})
        self.assertEqual(self.served_by(proxy), {"node-a", "pod-1", "pod-2"})

    def test_the_worse_of_both_counts(self):
        proxy = self.start(config(service(nodes=self.nodes(), health=READY, node_health=HEALTHZ)))
        self.wait(proxy, {}, {})
        self.health["node-b"].status, self.ready["pod-1"] = 503, 500
        self.wait(proxy, {"node-b": "draining"}, {"pod-1": "unhealthy", "pod-2": "draining"})
        self.health["node-b"].status, self.ready["pod-1"] = 500, 503
        self.wait(proxy, {"node-b": "unhealthy"}, {"pod-1": "unhealthy", "pod-2": "unhealthy"})
        self.health["node-b"].status = 200
        self.wait(proxy, {}, {"pod-1": "draining"})
        self.ready["pod-1"] = 200
        self.wait(proxy, {}, {})
        lines = [m.groups() for m in map(re.compile(r"health: app/(\S+) at (\S+) is (\w+), was").search, proxy.log.lines()) if m]
        at_node, at_pod = f"127.0.0.1:{self.health['node-b'].port}", self.apps["pod-1"].address
        told = [(name, address, state) for name, address, state in lines if state != "healthy"]
        self.assertEqual(collections.Counter(told), {("node-b", at_node, "draining"): 1, ("node-b", at_node, "unhealthy"): 1,
                                                     ("pod-1", at_pod, "draining"): 1, ("pod-1", at_pod, "unhealthy"): 1})  # fmt: skip

    def test_each_target_is_probed_at_its_own_place(self):
        proxy = self.start(config(service(nodes=self.nodes(), health=READY, node_health=HEALTHZ)))
        self.wait(proxy, {}, {})
        for name, port in self.health.items():
            self.assertEqual({r.target for r in port.wait_requests(3)}, {"/healthz"}, name)
        for name, app in self.apps.items():
            self.assertEqual({r.target for r in app.wait_requests(3)}, {"/ready"}, name)

    def test_weights_are_what_the_nodes_probe_says(self):
        self.health["node-a"].weight, self.health["node-b"].weight = 2, 4
        conf = service(nodes=self.nodes(), health=READY, node_health={**HEALTHZ, "weight": "probe"})
        proxy = self.start(config(conf, workers=1))
        self.wait(proxy, {}, {})
        counts = collections.Counter(proxy.get("/").body.decode() for _ in range(24))
        self.assertEqual(counts, {"node-a": 8, "pod-1": 8, "pod-2": 8})

    def test_the_nodes_probe_alone(self):
        proxy = self.start(config(service(nodes=self.nodes(), node_health=HEALTHZ)))
        self.wait(proxy, {}, {})
        self.health["node-b"].status, self.ready["node-a"] = 503, 500
        self.wait(proxy, {"node-b": "draining"}, {"pod-1": "draining", "pod-2": "draining"})
        self.assertEqual(self.served_by(proxy), {"node-a"})


class Tracking(Served):
    def test_who_tracks_takes_both(self):
        tracked = service(nodes=self.nodes(), health=READY, node_health=HEALTHZ)
        both = service(name="both", nodes=self.nodes(), health={"track": "app"})
        of_nodes = service(name="of-nodes", nodes=self.nodes(), node_health={"track": "app"})
        for conf in (both, of_nodes):
            for node in conf["nodes"]:
                del node["health_port"]
        services = [tracked, both, of_nodes]
        proxy = self.start(config(*services, listeners=[listener(s["name"], service=s["name"]) for s in services]))

        def wait(nodes, endpoints, of_nodes):
            self.wait(proxy, nodes, endpoints)
            self.wait(proxy, nodes, of_nodes, "of-nodes")
            endpoints = {"node-a": "healthy", "pod-1": "healthy", "pod-2": "healthy", **endpoints}
            wait_until(lambda: self.states(proxy, "both")[1] == endpoints, "the states of who tracks both")

        wait({}, {}, {})
        for status, state in ANSWERS:
            self.health["node-b"].status = status
            wait({"node-b": state}, {"pod-1": state, "pod-2": state}, {"pod-1": state, "pod-2": state})
            self.health["node-b"].status = 200
            wait({}, {}, {})
            self.ready["pod-2"] = status
            wait({}, {"pod-2": state}, {})
            self.ready["pod-2"] = 200
            wait({}, {}, {})


if __name__ == "__main__":
    main()
