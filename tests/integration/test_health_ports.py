"""Our own health ports: what kube-proxy would answer, to whoever asks as clouds and load balancers do."""

import contextlib
import re
import signal
import time

from support import (
    Client,
    Echo,
    HAProxy,
    HealthPort,
    ProxyTest,
    Telltale,
    config,
    curl,
    http_handler,
    listener,
    local_node,
    main,
    proxy_v1,
    proxy_v2,
    respond,
    service,
    wait_until,
)
from support.proxy_header import INET, LOCAL, proxy_v2_raw
from support.sockets import text_of
from support.waiting import SANITIZER

ANY = "127.0.0.1:0"

# As a real AWS network load balancer sends it before its probe: LOCAL, TCP over IPv4, and no address block.
AWS_NLB = proxy_v2_raw(LOCAL, INET << 4 | 1, b"\x03\x00\x04" + b"\x2b\x0c\xf4\x52" + b"\x04\x00\x4a" + bytes(74))


def answer(status, name, endpoints, healthy=True, space="default", more=""):
    """Octet by octet what kube-proxy (Kubernetes 1.28 and later) sends, but for the date."""
    body = (
        '{\n\t"service": {\n\t\t"namespace": "%s",\n\t\t"name": "%s"\n\t},\n\t"localEndpoints": %d,\n\t"serviceProxyHealthy": %s\n}'
        % (space, name, endpoints, "true" if healthy else "false")
    )
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
        f"X-Load-Balancing-Endpoint-Weight: {endpoints}\r\nDate: now\r\nContent-Length: {len(body)}\r\n{more}\r\n{body}"
    ).encode()


def without_date(octets):
    return re.sub(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n", b"Date: now\r\n", octets)


def serve_name(name):
    return http_handler(lambda request: respond(200, name))


class Answers(ProxyTest):
    """A service of two backends, `web/app`, and one whose only backend fails its probe."""

    @classmethod
    def setUpClass(cls):
        apps = [cls.class_backend(serve_name("app"), name=f"app{n}") for n in range(2)]
        failing = cls.enterClassContext(HealthPort(503))
        proxy = cls.proxy = cls.class_start(
            config(
                service(*apps, name="web/app", health_check_node_port=ANY),
                service(failing, name="none", health={"http": "/", "timeout": "5s"}, health_check_node_port=ANY),
                listeners=[listener(service="web/app"), listener("none", service="none")],
            )
        )
        wait_until(lambda: proxy.endpoint_states("none") == {failing.address: "draining"}, "the probe to fail")

    def url(self, path="/healthz", name="web/app"):
        host, port = self.proxy.health_ports[name]
        return f"http://{host}:{port}{path}"

    def test_octets(self):
        for first in (b"", proxy_v1(("203.0.113.9", 4711)), proxy_v1(None), proxy_v2(None), AWS_NLB,
                      proxy_v2(("2001:db8::9", 4711), ("2001:db8::1", 80))):  # fmt: skip
            for name, status, expected in (
                ("web/app", "200 OK", answer("200 OK", "app", 2, space="web", more="Connection: close\r\n")),
                ("none", "503", answer("503 Service Unavailable", "none", 0, more="Connection: close\r\n")),
            ):
                with self.subTest(first=first, name=name), Client(self.proxy.health_ports[name], first=first) as client:
                    client.request("GET", "/healthz", [("Connection", "close")])
                    self.assertEqual(without_date(client.closed_by_peer()), expected, status)

    def test_octets_of_a_connection_that_stays(self):
        with Client(self.proxy.health_ports["web/app"], first=AWS_NLB) as client:
            expected = answer("200 OK", "app", 2, space="web")
            for method in ("GET", "POST", "DELETE", "PROBE"):
                client.request(method, "/any/path?at=all", body=b"ignored" if method == "POST" else b"")
                wait_until(lambda: client.peek(1), "an answer")
                response = client.read_response(method)
                self.assertEqual((response.status, response.body), (200, expected.partition(b"\r\n\r\n")[2]), method)
                self.assertEqual(response.header("x-load-balancing-endpoint-weight"), "2")

    def test_curl(self):
        for arguments in ([], ["--haproxy-protocol"], ["-X", "PUT"], ["-d", "data"], ["--http1.0"], ["-H", "Host:x", "-H", "A: b"]):
            for path in ("/healthz", "/", "/whatever"):
                result = curl(*arguments, self.url(path))
                self.assertEqual((result.status, result.json()["localEndpoints"]), (200, 2), (arguments, path))
                result = curl(*arguments, self.url(path, "none"))
                self.assertEqual((result.status, result.json()["service"]["name"]), (503, "none"), (arguments, path))
        self.assertEqual(curl("-I", "--haproxy-protocol", self.url()).body, b"")

    def test_what_is_no_request_is_answered_400_and_closed(self):
        for octets in (b"hello\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 x\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"):
            with Client(self.proxy.health_ports["web/app"], first=octets) as client:
                self.assertTrue(client.closed_by_peer().startswith(b"HTTP/1.1 400 Bad Request"), octets)

    def test_a_probe_without_a_request_is_left_alone(self):
        for octets in (b"", AWS_NLB, proxy_v1(None), b"PRO", AWS_NLB[:20], b"GET / HTT"):
            with Client(self.proxy.health_ports["web/app"], first=octets) as client:
                client.finish()
                self.assertEqual(client.closed_by_peer(), b"")
        self.assertEqual(curl(self.url()).status, 200)


class WhatCounts(ProxyTest):
    def ask(self, proxy, name="app"):
        with Client(proxy.health_ports[name]) as client:
            response = client.get("/healthz")
            self.assertEqual(response.header("x-load-balancing-endpoint-weight"), str(response.json()["localEndpoints"]))
            return response.status, response.json()["localEndpoints"]

    def test_it_follows_the_endpoints(self):
        nodes = [HealthPort(200, name=f"node-{n}") for n in "ab"]
        apps = [self.backend(serve_name(n)) for n in "ab"]
        conf = service(
            nodes=[local_node(h.name, a, self.enterContext(h)) for h, a in zip(nodes, apps)],
            health={"http": "/healthz", "interval": "50ms", "timeout": "5s"},
            health_check_node_port=ANY,
        )
        proxy = self.start(config(conf))
        for statuses, expected in (((200, 200), (200, 2)), ((200, 503), (200, 1)), ((503, 503), (503, 0)), ((500, 200), (200, 1))):
            for node, status in zip(nodes, statuses):
                node.status = status
            wait_until(lambda wanted=expected: self.ask(proxy) == wanted, f"{expected} for {statuses}")

    def test_on_a_node_only_its_own_count_and_a_node_without_drops(self):
        app = self.backend(serve_name("app"))
        nodes = [{"name": "node-a", "address": "127.0.0.1", "port": app.port}, {"name": "node-b", "address": "127.0.0.1", "port": app.port}]
        conf = service(nodes=nodes, external_traffic_policy="local", health_check_node_port=ANY)
        for node, health, status in (("node-a", (200, 1), 200), ("node-b", (200, 1), 200), ("node-c", (503, 0), 503)):
            proxy = self.start(config(conf, node_name=node))
            self.assertEqual(self.ask(proxy), health, node)
            self.assertEqual(proxy.get("/").status, status, node)
            ready = proxy.ask_admin("/readyz?verbose")
            self.assertEqual(ready.status, status, node)
            self.assertIn(b"[+]workers ok\n", ready.body)
            self.assertEqual(b"[-]endpoints failed: no service has" in ready.body, status == 503)
            if status == 503:
                self.assertIn(b"app: no_local_endpoint", ready.body)
                self.assertEqual(
                    proxy.metrics().sum("telltale_service_selection", reason="no_local_endpoint", traffic="external", service="app"), 1
                )
                proxy.log.wait_line("service app.*no endpoint of this node may be chosen.*2 healthy")

    def test_terminating_endpoints_serve_and_do_not_count(self):
        app = self.backend(serve_name("app"))
        conf = service({"address": app.address, "terminating": True}, health_check_node_port=ANY)
        proxy = self.start(config(conf))
        self.assertEqual(self.ask(proxy), (503, 0))
        self.assertEqual(proxy.get("/").body, b"app")
        self.assertEqual(proxy.services()["app"]["selection"]["external"], {"reason": "terminating", "eligible": 1})


class Life(ProxyTest):
    def test_on_drain_503_comes_first_and_everything_else_goes_on(self):
        app = self.backend(serve_name("app"))
        proxy = self.start(config(service(app, health_check_node_port=ANY), drain_delay="6s"))
        prober = self.enterContext(Client(proxy.health_ports["app"]))
        self.assertEqual(prober.get("/healthz").status, 200)
        idle = self.enterContext(proxy.client())
        self.assertEqual(idle.get("/").status, 200)
        begun = time.monotonic()
        proxy.terminate()
        response = wait_until(lambda: (r := prober.get("/healthz")).status == 503 and r, "the health port to say 503")
        self.assertEqual(response.json(), {"service": {"namespace": "default", "name": "app"}, "localEndpoints": 1,
                                           "serviceProxyHealthy": False})  # fmt: skip
        self.assertEqual(proxy.ask_admin("/readyz").body, b"not ready: draining\n")
        self.assertEqual(proxy.ask_admin("/livez").status, 200)
        self.assertEqual(proxy.get("/new").status, 200, "who comes in the meantime is served")
        self.assertEqual(idle.closed_by_peer(), b"", "idle connections close after the delay")
        self.assertGreaterEqual(time.monotonic() - begun, 5.9)
        self.assertEqual(prober.closed_by_peer(), b"")
        self.assertEqual(proxy.process.wait(), 0)

    def test_sigint_says_503_too_while_requests_finish(self):
        def gated(connection):
            connection.next_request()
            connection.backend.release.wait()
            connection.send(respond(200, "done"))

        app = self.backend(gated)
        proxy = self.start(config(service(app, health_check_node_port=ANY)))
        with proxy.client() as client, Client(proxy.health_ports["app"]) as prober:
            client.request("GET", "/")
            app.wait_requests(1)
            proxy.process.send_signal(signal.SIGINT)
            wait_until(lambda: prober.get("/").status == 503, "the health port to say 503")
            app.release.set()
            self.assertEqual(client.read_response().body, b"done")
        self.assertEqual(proxy.process.wait(), 0)

    def test_a_port_that_is_taken_is_said_before_anything_runs(self):
        app = self.backend(serve_name("app"))
        first = self.start(config(service(app, health_check_node_port=ANY)))
        taken = text_of(first.health_ports["app"])
        with self.assertRaises(AssertionError) as failure, Telltale(config(service(app, health_check_node_port=taken))):
            pass
        self.assertIn(taken, str(failure.exception))
        self.assertIn("in use", str(failure.exception))

    def test_hundreds_of_ports_are_cheap(self):
        app = self.backend(serve_name("app"))
        count = 300
        names = [f"s{n}" for n in range(count)]
        rss = {}
        for ports in (False, True):
            more = {"health_check_node_port": ANY} if ports else {}
            services = [service(app, name=name, **more) for name in names]
            proxy = self.start(config(*services, listeners=[listener(service="s0")]))
            if ports:
                self.assertEqual(set(proxy.health_ports), set(names))
                for name in names:
                    with Client(proxy.health_ports[name]) as client:
                        self.assertEqual(client.get("/").json()["service"]["name"], name)
            rss[ports] = proxy.memory()
        print(f"{count} health ports: {(rss[True] - rss[False]) // 1024} KiB more", flush=True)
        self.assertLess(rss[True] - rss[False], count * 32 * 1024 * (4 if SANITIZER else 1))


class Probers(ProxyTest):
    """Who asks in earnest."""

    def node(self, name, policy=()):
        """A Telltale on a node, with a backend that has a health port: its `release` decides."""
        app, health = self.backend(serve_name(name)), self.enterContext(HealthPort(200, name=name))
        conf = service(
            nodes=[local_node(name, app, health)],
            health={"http": "/healthz", "interval": "50ms", "timeout": "5s"},
            health_check_node_port=ANY,
        )
        rules = {"client_ip": {"proxy_protocol": [{"from": ["127.0.0.0/8"], "policy": "accept"}]}} if policy else {}
        proxy = self.start(config(conf, listeners=[listener(**rules)]))
        proxy.wait_states(**{name.replace("-", "_"): "healthy"})
        return proxy, health

    def test_a_telltale_in_front(self):
        nodes = [self.node(f"node-{n}") for n in "ab"]
        entries = [
            {"name": f"node-{n}", "address": "127.0.0.1", "port": p.address()[1], "health_port": p.health_ports["app"][1]}
            for n, (p, _) in zip("ab", nodes)
        ]
        front = self.start(config(service(nodes=entries, external_traffic_policy="local",
                                          health={"http": "/healthz", "interval": "50ms", "timeout": "5s", "weight": "probe"})))  # fmt: skip
        front.wait_states(node_a="healthy", node_b="healthy")
        self.assertEqual({front.get("/").body for _ in range(20)}, {b"node-a", b"node-b"})
        nodes[0][1].status = 503
        front.wait_states(node_a="draining", node_b="healthy")
        shown = front.services()["app"]["nodes"][0]["health"]
        self.assertEqual(shown["reason"], "answered 503: no local endpoints of default/app")
        self.assertEqual(shown["weight"], 0)
        self.assertEqual({front.get("/").body for _ in range(20)}, {b"node-b"})
        nodes[0][1].status = 200
        front.wait_states(node_a="healthy", node_b="healthy")

    def test_haproxy_in_front(self):
        for options, policy in (("check-send-proxy", ()), ("send-proxy-v2 check-send-proxy", ("accept",)), ("", ())):
            with self.subTest(options=options), contextlib.ExitStack() as stack:
                nodes = [self.node(f"node-{n}", policy) for n in "ab"]
                servers = "".join(
                    f"  server {p.health_ports['app'][1]} {text_of(p.address())} check port {p.health_ports['app'][1]} "
                    f"inter 50ms fall 1 rise 1 {options}\n"
                    for p, _ in nodes
                )
                text = "frontend f\n  bind {bind0}\n  default_backend b\nbackend b\n  option httpchk GET /healthz\n  balance roundrobin\n"
                haproxy = stack.enter_context(HAProxy(text + servers))

                def served(at=haproxy):
                    answers = [curl(f"http://{at.address}/") for _ in range(4)]
                    return {a.body if a.status == 200 else a.status for a in answers}

                wait_until(lambda: served() == {b"node-a", b"node-b"}, "both to serve")
                nodes[0][1].status = 503
                wait_until(lambda: served() == {b"node-b"}, "one to serve")
                nodes[1][1].status = 503
                wait_until(lambda: served() == {503}, "nobody to serve")
                nodes[0][1].status = 200
                wait_until(lambda: served() == {b"node-a"}, "the first one to serve again")


class EchoAsNode(ProxyTest):
    def test_echo_says_the_same(self):
        with Echo() as echo, Client(echo.sockname) as client:
            body = answer("200 OK", "demo", 1).partition(b"\r\n\r\n")[2]
            self.assertEqual(client.get("/healthz").body, body)


if __name__ == "__main__":
    main()
