"""`health: { track: OTHER }`: no probes of its own, but the verdicts of another service's, as they come."""

import json
import os
import tempfile

from support import HealthPort, Node, ProxyTest, config, listener, main, say, service, wait_until, who_answers

FAST = {"http": "/healthz", "interval": "50ms", "timeout": "5s", "fall": 1}
WORD = {200: "healthy", 503: "draining", 500: "unhealthy"}


class Tracking(ProxyTest):
    def serve(self, *services, **top):
        listeners = [listener(s["name"], service=s["name"]) for s in services]
        return self.start(config(*services, listeners=listeners, **top))

    def wait_states(self, proxy, services, **states):
        for name in services:
            proxy.wait_states(name, **states)

    def wait_serving(self, proxy, of, *names):
        wait_until(lambda: set(who_answers(proxy, 20, listener=of)) == set(names), f"{names} to serve for {of}")

    def test_states_follow_in_a_tracker_and_in_a_tracker_of_it(self):
        nodes = [Node(self, "node-a"), Node(self, "node-b")]
        others = {n.name: [self.backend(say(f"{s}-{n.name}")) for s in ("second", "third")] for n in nodes}
        first = service(name="first", nodes=[n.conf() for n in nodes], health=FAST)
        later = []
        for place, (name, tracked) in enumerate((("second", "first"), ("third", "second"))):
            entries = [{"name": n.name, "address": "127.0.0.1", "port": others[n.name][place].port} for n in nodes]
            later.append(service(name=name, nodes=entries, health={"track": tracked}))
        proxy = self.serve(*reversed(later), first)  # whatever stands first in the file
        everyone = ("first", "second", "third")
        self.wait_states(proxy, everyone, node_a="healthy", node_b="healthy")
        for name, prefix in (("first", ""), ("second", "second-"), ("third", "third-")):
            self.wait_serving(proxy, name, prefix + "node-a", prefix + "node-b")
        for status in (503, 200, 500, 200):
            nodes[1].health.status = status
            self.wait_states(proxy, everyone, node_a="healthy", node_b=WORD[status])
            services = proxy.services()
            shown = [services[name]["nodes"][1]["health"] for name in everyone]
            self.assertEqual({json.dumps(each) for each in shown}, {json.dumps(shown[0])}, "one verdict")
            self.assertIn(str(status), shown[0]["reason"])
            metrics = proxy.metrics()
            for name, prefix in (("first", ""), ("second", "second-"), ("third", "third-")):
                serving = [prefix + n.name for n in nodes if n.health.status == 200]
                self.wait_serving(proxy, name, *serving)
                self.assertEqual(metrics.sum("telltale_node_state", service=name, node="node-b", state=WORD[status]), 1)
                self.assertEqual(proxy.services()[name]["selection"]["external"]["eligible"], len(serving))
        self.assertEqual([len(n.health.connections) for n in nodes], [1, 1], "probed once for all")

    def test_none_left_is_none_left_everywhere(self):
        node = Node(self, "node-a")
        first = service(name="first", nodes=[node.conf()], health=FAST)
        tcp = service(name="second", nodes=[{"name": "node-a", "address": "127.0.0.1", "port": node.app.port}],
                      health={"track": "first"})  # fmt: skip
        proxy = self.serve(first, tcp)
        self.wait_states(proxy, ("first", "second"), node_a="healthy")
        node.health.status = 503
        for name in ("first", "second"):
            wait_until(lambda n=name: proxy.get("/", listener=n).status == 503, f"{name} to refuse")
            record = proxy.wait_access(lambda r, n=name: r["service"] == n and r["status"] == 503)[0]
            self.assertEqual(record["reason"], "no_endpoint")
            proxy.log.wait_line(f"service {name}: no endpoint may be chosen")
        node.health.status = 200
        for name in ("first", "second"):
            wait_until(lambda n=name: proxy.get("/", listener=n).status == 200, f"{name} to serve again")

    def test_by_address_at_whatever_port(self):
        """Endpoints without nodes, of which one address serves two ports."""
        hosts = ("127.0.3.1", "127.0.3.2")
        probed = [self.enterContext(HealthPort(200, name=h)) for h in hosts]
        apps = {h: self.backend(say(h), address=(h, 0)) for h in hosts}
        nodes = [{"name": f"node at {host}", "address": host, "port": 1, "health_port": self.forward(host, port)}
                 for host, port in zip(hosts, probed)]  # fmt: skip
        first = service(name="first", nodes=nodes, health=FAST)
        second = service(*apps.values(), name="second", health={"track": "first"})
        proxy = self.serve(first, second)
        self.wait_serving(proxy, "second", *hosts)
        probed[0].status = 503
        self.wait_serving(proxy, "second", hosts[1])
        states = {e["address"].partition(":")[0]: e["state"] for e in proxy.services()["second"]["endpoints"]}
        self.assertEqual(states, {hosts[0]: "draining", hosts[1]: "healthy"})

    def forward(self, host, health):
        """A port of this host where `health` answers."""
        return self.backend(health.handler, address=(host, 0)).port

    def test_who_comes_later_is_tracked_too(self):
        file = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "endpoints.json")

        def publish(*entries):
            with open(file + ".new", "w", encoding="utf-8") as out:
                out.write(json.dumps({"nodes": list(entries)}) + "\n")
            os.rename(file + ".new", file)

        a, b = Node(self, "node-a"), Node(self, "node-b", 503)
        other = {n.name: self.backend(say("second-" + n.name)) for n in (a, b)}
        publish(a.conf())
        first = service(name="first", endpoints_file=file, health=FAST)
        entries = [{"name": name, "address": "127.0.0.1", "port": app.port} for name, app in other.items()]
        # An address of its own, so that the name alone leads to the other's node.
        entries[1]["address"] = "127.0.3.9"
        second = service(name="second", nodes=entries, health={"track": "first"})
        proxy = self.serve(first, second)
        proxy.wait_states("second", node_a="healthy", node_b="unknown")
        self.assertRegex(proxy.services()["second"]["nodes"][1]["health"]["reason"], "no such node or endpoint")
        publish(a.conf(), b.conf())
        proxy.wait_states("second", node_a="healthy", node_b="draining")
        publish(b.conf())
        proxy.wait_states("second", node_a="draining", node_b="draining")  # by its address
        self.assertEqual(proxy.services()["first"]["endpoints"][0]["node"], "node-b")


if __name__ == "__main__":
    main()
