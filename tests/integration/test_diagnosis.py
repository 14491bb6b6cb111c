"""What the proxy says of the two mistakes that lose the client: the wrong first octets, and an address lost on the way."""

import struct
import time

from support import HealthPort, Nginx, ProxyTest, config, listener, local_node, main, proxy_v1, proxy_v2, respond, service, wait_until
from support.proxy_header import INET, PROXY, SIGNATURE, proxy_v2_raw

REQUIRE, ONLY_V1, ONLY_V2, UNLISTED = "127.0.1.1", "127.0.2.1", "127.0.3.1", "127.0.9.1"
RULES = [
    {"from": ["127.0.1.0/24"], "policy": "require"},
    {"from": ["127.0.2.0/24"], "policy": "require", "version": "v1"},
    {"from": ["127.0.3.0/24"], "policy": "accept", "version": "v2"},
]
SOURCE = ("198.51.100.79", 52110)
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
ADDRESSES = struct.pack("!4s4sHH", bytes([198, 51, 100, 79]), bytes([203, 0, 113, 140]), 52110, 80)

# (what it is, who sends it, octets, labels of the metric, what the log line must say)
CAUSES = [
    ("plain HTTP", REQUIRE, GET, {"cause": "plain_http"}, "plain HTTP .*load balancer.*policy: accept"),
    ("TLS", REQUIRE, bytes.fromhex("16030100c8010000c40303") + bytes(50), {"cause": "tls_client_hello"}, "TLS ClientHello"),
    ("something else", REQUIRE, b"SSH-2.0-x\r\n", {"cause": "no_header"}, "first octets are 5353482d"),
    ("a peer that is not listed", UNLISTED, proxy_v2(SOURCE), {"cause": "not_listed"}, r"does not list.*from: \[127\.0\.9\.1\]"),
    ("twice", REQUIRE, proxy_v1(SOURCE) * 2 + GET, {"cause": "header_twice"}, "proxy_header_count: 2"),
    ("v1 where v2 must be", ONLY_V2, proxy_v1(SOURCE) + GET, {"cause": "v1_not_allowed"}, "version: any"),
    ("v2 where v1 must be", ONLY_V1, proxy_v2(SOURCE) + GET, {"cause": "v2_not_allowed"}, "version: any"),
    ("a bad address", REQUIRE, b"PROXY TCP4 1.2.3.400 1.2.3.4 1 2\r\n", {"cause": "malformed", "error": "v1_bad_address"}, "address or port"),
    ("a bad checksum", REQUIRE, proxy_v2(SOURCE, tlvs=[(3, b"\1\2\3\4")]), {"cause": "malformed", "error": "v2_bad_crc32c"}, "checksum"),
    ("too short", REQUIRE, proxy_v2_raw(PROXY, INET << 4 | 1, ADDRESSES[:11]), {"cause": "malformed", "error": "v2_length_too_short"}, "length is below"),
]


class FirstOctets(ProxyTest):
    def setUp(self):
        self.app = self.backend()
        listeners = [listener(name, client_ip={"proxy_protocol": RULES, "proxy_header_timeout": timeout})
                     for name, timeout in (("web", "5m"), ("hasty", "1s"))]  # fmt: skip
        # One worker: the limit of the log is each worker's.
        self.proxy = self.start(config(service(self.app), listeners=listeners, workers=1))

    def failures(self, listener="web", **labels):
        return self.proxy.metrics().sum("telltale_proxy_protocol_failures_total", listener=listener, **labels)

    def closed(self, octets, source):
        with self.proxy.client(source=source) as client:
            try:
                client.send(octets)
            except ConnectionError:
                pass
            self.assertEqual(client.closed_by_peer(), b"")

    def test_every_cause_is_counted_and_told_with_what_to_change(self):
        for what, source, octets, labels, said in CAUSES:
            with self.subTest(what=what):
                before, lines = self.failures(**labels), len(self.proxy.log.lines())
                self.closed(octets, source)
                self.assertEqual(self.failures(**labels), before + 1)
                if labels["cause"] != "malformed" or labels["error"] == "v1_bad_address":  # one line for each cause
                    self.proxy.log.wait_line(rf"listener web: connection from {source}:\d+ closed: .*{said}", start=lines)

    def test_allowed_versions_are_served(self):
        for source, header in [(ONLY_V1, proxy_v1(SOURCE)), (ONLY_V2, proxy_v2(SOURCE)), (ONLY_V2, b"")]:
            self.assertEqual(self.proxy.get(source=source, first=header).status, 200)

    def test_a_flood_is_one_line(self):
        begun = time.monotonic()
        for _ in range(50):
            self.closed(GET, REQUIRE)
        windows = 1 + (time.monotonic() - begun) // 10  # each of 10 s; one unless the machine is very busy
        self.assertEqual(self.failures(cause="plain_http"), 50)
        self.proxy.log.wait_line("plain HTTP")
        self.assertLessEqual(self.proxy.log.text().count("plain HTTP"), windows)

    def test_half_a_header(self):
        with self.proxy.client(source=REQUIRE) as client:
            client.send_apart(SIGNATURE)
            client.finish()
            self.assertEqual(client.closed_by_peer(), b"")
        self.assertEqual(self.failures(cause="cut_short"), 1)
        with self.proxy.client("hasty", source=REQUIRE) as client:
            client.send(SIGNATURE)
            self.assertEqual(client.closed_by_peer(), b"")
        self.assertEqual(self.failures("hasty", cause="timed_out"), 1)
        self.proxy.log.wait_line("in the middle of its PROXY header")
        self.proxy.log.wait_line(r"within proxy_header_timeout \(1s\)")

    def test_bare_probes_are_counted_and_not_told(self):
        for reset in (False, True):
            client = self.proxy.client(source=REQUIRE)
            client.reset() if reset else client.close()
        wait_until(lambda: self.failures(cause="bare_probe") == 2, "the probes to be counted")
        self.closed(GET, REQUIRE)  # a line that comes after where theirs would be
        self.proxy.log.wait_line("plain HTTP")
        self.assertNotIn("without an octet", self.proxy.log.text())

    def test_ending_is_nobodys_failure(self):
        client_ip = {"proxy_protocol": RULES, "proxy_header_timeout": "5m"}
        proxy = self.start(config(service(self.app), listeners=[listener(client_ip=client_ip)], drain_grace="100ms"))
        with proxy.client(source=REQUIRE):
            wait_until(lambda: proxy.metrics().sum("telltale_listener_connections_active") == 1, "the connection")
            proxy.stop()
        self.assertNotIn("closed:", proxy.log.text())


class BackendsThatDisagree(ProxyTest):
    """A real nginx that does not expect our PROXY header, and one that misses it."""

    def test_it_is_asked_once_whether_the_backend_expects_a_proxy_header(self):
        answer = "location / { return 200; }"
        nginx = self.enterContext(Nginx("listen {listen}; " + answer, "listen {listen} proxy_protocol; " + answer))
        plain, wants_proxy = nginx.addresses
        cases = [
            ("v1 to plain nginx", service(plain, propagate={"proxy_protocol": "v1"}), 400, "answers 400 to connections that open with a PROXY"),
            ("v2 to plain nginx", service(plain, propagate={"proxy_protocol": "v2"}), 400, "answers 400 to connections that open with a PROXY"),
            ("none to nginx with proxy_protocol", service(wants_proxy), 502, "closes new connections without an answer.*if it expects"),
        ]
        for what, told, status, said in cases:
            with self.subTest(what=what):
                proxy = self.start(config(told, workers=1))
                for _ in range(5):
                    self.assertEqual(proxy.get().status, status)
                proxy.log.wait_line(rf"service app: backend 127\.0\.0\.1:\d+ {said}")
                proxy.stop()
                self.assertEqual(proxy.log.text().count("service app: backend"), 1)

    def test_backends_that_understand_are_not_asked(self):
        def answer(request):
            return respond(400 if request.target == "/bad" else 200)

        def handler(connection):
            connection.read_proxy_header()
            while (request := connection.next_request()) is not None:
                if request.target == "/close":
                    return
                connection.send(answer(request))

        proxy = self.start(config(service(self.backend(handler), propagate={"proxy_protocol": "v2"}), workers=1))
        for target, status in [("/", 200), ("/bad", 400), ("/close", 502)]:
            self.assertEqual(proxy.get(target).status, status)
        proxy.stop()
        self.assertNotIn("service app: backend", proxy.log.text())


class SourceLoss(ProxyTest):
    """The nodes are the addresses that masquerading would show; 127.0.0.1, which everybody connects to, is none."""

    NODES = ("127.0.5.1", "127.0.5.2")

    def proxy_with(self, *listeners):
        app, health = self.backend(), self.enterContext(HealthPort())
        nodes = [local_node("real", app, health)]
        # For their addresses' sake alone: with weight 0 they get no traffic.
        nodes += [{"name": a, "address": a, "port": 1, "health_port": health.port, "weight": 0} for a in self.NODES]
        proxy = self.start(config(service(nodes=nodes), listeners=list(listeners) or [listener()]))
        wait_until(lambda: proxy.endpoint_states()["real"] == "healthy", "the node to be healthy")
        return proxy

    @staticmethod
    def suspected(proxy, reason="infrastructure", listener="web"):
        return proxy.metrics().sum("telltale_source_loss_suspected", listener=listener, reason=reason)

    def come(self, proxy, count, sources, **how):
        for i in range(count):
            self.assertEqual(proxy.get("/", source=sources[i % len(sources)], **how).status, 200)

    def test_connections_from_nodes_are_told_once(self):
        proxy = self.proxy_with()
        self.come(proxy, 100, self.NODES)
        proxy.log.wait_line(r"listener web: 100 of the last 100 connections come from nodes .*127\.0\.5\.\d.*externalTrafficPolicy: Local")
        self.assertEqual(self.suspected(proxy), 1)
        self.assertEqual(self.suspected(proxy, "few_addresses"), 0)

    def test_it_is_taken_back_when_clients_are_seen(self):
        proxy = self.proxy_with()
        self.come(proxy, 100, self.NODES)
        wait_until(lambda: self.suspected(proxy) == 1, "the suspicion")
        self.come(proxy, 100, [f"127.1.0.{i}" for i in range(1, 100)])
        wait_until(lambda: self.suspected(proxy) == 0, "its end")
        proxy.log.wait_line("connections come from")
        self.assertEqual(proxy.log.text().count("connections come from"), 1)

    def test_whoever_is_vouched_for_is_not_counted(self):
        """Trusted peers, PROXY senders, health checkers and this machine itself raise no alarm."""
        nodes = ["127.0.5.0/24"]
        proxy = self.proxy_with(
            listener("trusted", client_ip={"trusted": nodes}),
            listener("proxied", client_ip={"proxy_protocol": [{"from": nodes, "policy": "require"}]}),
            listener("probed"),
            listener("told", client_ip={"source_loss": "ignore"}),
            listener("itself"),
            listener("control"),
        )
        self.come(proxy, 120, self.NODES, listener="trusted", fields=[("X-Forwarded-For", "203.0.113.9")])
        self.come(proxy, 120, self.NODES, listener="proxied", first=proxy_v2(SOURCE))
        self.come(proxy, 120, self.NODES, listener="probed", fields=[("User-Agent", "kube-probe/1.30")])
        self.come(proxy, 120, self.NODES, listener="told")
        self.come(proxy, 120, ["127.0.0.1"], listener="itself")
        # All are looked at together: once the last one is suspected, the others were looked at, too.
        self.come(proxy, 120, self.NODES, listener="control")
        wait_until(lambda: self.suspected(proxy, listener="control") == 1, "the suspicion that has reason to be")
        for name in ("trusted", "proxied", "probed", "told", "itself"):
            self.assertEqual(self.suspected(proxy, listener=name), 0, name)
        proxy.log.wait_line("listener control: .*connections come from")
        self.assertEqual(proxy.log.text().count("connections come from"), 1)


if __name__ == "__main__":
    main()
