"""Scene 5: Telltale as the load balancer at the VIP, which terminates connections: what the backends see."""

from scene import Scene, main
import balancer
from topology import CLIENT, LOAD_BALANCERS, VIP

LB1 = LOAD_BALANCERS["lb1"]
ASK = (f"curl -s {VIP} | grep -E '^(client_address|version|x-forwarded-for|forwarded)'; echo; curl -s {VIP}/nginx")

# propagate -> what of it the two backends say, echo and nginx.
SEEN = {
    "nothing": (
        "{ x_forwarded_for: remove }",
        [f"client_address={LB1}"],
        [f"remote_addr={LB1}", "x-forwarded-for=", "forwarded="]),
    "x-forwarded-for": (
        "{ x_forwarded_for: append }",
        [f"client_address={LB1}", f"x-forwarded-for={CLIENT}"],
        [f"remote_addr={LB1}", f"x-forwarded-for={CLIENT}", "forwarded="]),
    "forwarded": (
        "{ x_forwarded_for: remove, forwarded: { mode: append, parameters: [for, by, host, proto] } }",
        [f"client_address={LB1}", f"forwarded=for={CLIENT};by={VIP};host={VIP};proto=http"],
        [f"remote_addr={LB1}", f"forwarded=for={CLIENT};by={VIP};host={VIP};proto=http"]),
    "proxy-v1": (
        "{ x_forwarded_for: remove, proxy_protocol: v1 }",
        [f"client_address={LB1}", f"version=1 command=PROXY source={CLIENT}:"],
        [f"remote_addr={LB1}", f"proxy_protocol_addr={CLIENT}"]),
    "proxy-v2": (
        "{ x_forwarded_for: remove, proxy_protocol: v2, tlvs: [authority, crc32c] }",
        [f"client_address={LB1}", f"version=2 command=PROXY source={CLIENT}:"],
        [f"remote_addr={LB1}", f"proxy_protocol_addr={CLIENT}"]),
    "transparent": (
        "{ x_forwarded_for: remove, source_address: transparent }",
        [f"client_address={CLIENT}"],
        [f"remote_addr={CLIENT}", "x-forwarded-for="]),
}

# The nodes' answers to the client come to the load balancer, and there to Telltale's sockets (docker/README.md).
ON_THE_LOAD_BALANCER = """
ip rule add iif eth0 ipproto tcp sport 30080-30081 lookup 100
ip route add local 0.0.0.0/0 dev lo table 100
"""
ON_THE_NODE = f"""
ip rule add iif cbr0 ipproto tcp sport 8080-8081 lookup 100
ip route add default via {LB1} table 100
"""


class Propagation(Scene):
    def setUp(self):
        super().setUp()
        self.lab.vip_on("lb1")
        app, nginx = self.lab.pod("source-ip-app", "node1", 136), self.lab.pod("nginx", "node1", 137)
        app.echo("--proxy-protocol")
        nginx.nginx(8080)
        nginx.nginx(8081, proxy_protocol=True)
        self.plain, self.proxied = nginx.endpoint(8080), nginx.endpoint(8081)
        self.lab.load_balanced(app.endpoint())
        self.nginx = self.lab.load_balanced(name="nginx", cluster_ip="10.0.170.93", load_balancer_ip="",
                                            node_port=30081, health_check_node_port=32123)

    def show(self, how):
        """Asks echo and nginx through Telltale with this `propagate`."""
        propagate, by_echo, by_nginx = SEEN[how]
        self.nginx.endpoints[:] = [self.proxied if "proxy" in how else self.plain]
        self.lab.sync()
        configuration = balancer.at_the_vip(
            balancer.service("app", propagate=propagate),
            balancer.service("nginx", node_port=30081, health_port=32123, propagate=propagate),
            routes="routes:\n  - { match: { path: /nginx }, service: nginx }\n  - { service: app }")
        with self.page(f"propagate-{how}") as page:
            if how == "nothing":
                page.file("lb1", "telltale.yaml", configuration)
            else:
                page.note(f"lb1, the same telltale.yaml, but in both services:\n    propagate: {propagate}")
            if how == "transparent":
                for host, commands in (("lb1", ON_THE_LOAD_BALANCER), ("node1", ON_THE_NODE)):
                    self.assertEqual([page.run(host, command) for command in commands.strip().splitlines()], ["", ""])
            proxy = self.telltale("lb1", configuration)
            with self.lab.hosts["lb1"]:
                for name in ("app", "nginx"):
                    proxy.wait_states(name, node1="healthy", node2="draining")
            echo, _, nginx = page.run("client", ASK).partition("\n\n")
            self.assertStarts(by_echo, echo)
            self.assertStarts(["served_by=nginx", *by_nginx], nginx)
            if how == "nothing":
                self.assertNotIn(CLIENT, echo + nginx)
            elif how == "transparent":
                self.assertNotIn(LB1, echo + nginx)
        proxy.__exit__()

    def assertStarts(self, expected, text):
        for start in expected:
            self.assertTrue(any(line.startswith(start) for line in text.splitlines()), f"{start}: not in\n{text}")


def one(how):
    return lambda self: self.show(how)


for _how in SEEN:
    setattr(Propagation, f"test_{_how.replace('-', '_')}", one(_how))


class Cluster(Scene):
    """The same without `externalTrafficPolicy: Local`: what is told arrives, the socket's peer is a node."""

    def test_what_masquerading_leaves(self):
        self.lab.vip_on("lb1")
        app = self.lab.pod("source-ip-app", "node1", 136)
        app.echo("--proxy-protocol")
        self.lab.load_balanced(app.endpoint(), policy="Cluster")
        configuration = balancer.at_the_vip(
            balancer.service("app", health_port=10256, propagate="{ proxy_protocol: v2 }", policy="cluster"))
        with self.page("propagate-cluster") as page:
            proxy = self.telltale("lb1", configuration)
            with self.lab.hosts["lb1"]:
                proxy.wait_states(node1="healthy", node2="healthy")
            ask = f"for i in $(seq 20); do curl -s {VIP} | grep -E '^(client_address|x-forwarded-for)'; done | sort -u"
            seen = page.run("client", ask)
            self.assertIn("client_address=10.180.1.1\n", seen)
            self.assertIn("client_address=10.240.0.5\n", seen)
            self.assertEqual(seen.count("x-forwarded-for"), 1)
            self.assertIn(f"x-forwarded-for={CLIENT}\n", seen)


if __name__ == "__main__":
    main()
