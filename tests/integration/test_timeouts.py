"""How long backends may take: each deadline by itself, which of them it was, and all of it together."""

import os
import tempfile
import time

from support import (
    DEADLINE,
    HAProxy,
    Nginx,
    ProxyTest,
    black_hole,
    config,
    listener,
    main,
    respond,
    service,
    wait_until,
)

# Takes the request and says nothing for a minute.
SILENT = """
frontend silent
  bind {bind0}
  timeout tarpit 60s
  http-request tarpit
"""
# A head and the first octets, then an octet a second.
STUCK = "listen {listen}; location / { limit_rate_after 600; limit_rate 1; return 200 '%s'; }" % ("x" * 1000)
# 200 KB of which 20 KB leave in a second.
STEADY = "listen {listen}; location / { limit_rate 20k; root {root}; }"
WELL = "listen {listen}; location / { return 200 'well'; }"


def wait(seconds):
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end)


class Timeouts(ProxyTest):
    def silent(self) -> str:
        return self.enterContext(HAProxy(SILENT)).address

    def nginx(self, server, **names) -> str:
        for name, value in names.items():
            server = server.replace(f"{{{name}}}", value)
        return self.enterContext(Nginx(server)).address

    def serve(self, endpoint, **fields):
        return self.start(config(service(endpoint, **fields), workers=1))

    def asked(self, proxy, target="/"):
        """Status (None: cut) and how long it took."""
        begun = time.monotonic()
        with proxy.client() as client:
            client.request("GET", target)
            try:
                status = client.read_response().status
            except ConnectionError:
                status = None
        return status, time.monotonic() - begun

    def reason(self, proxy, target="/"):
        record = proxy.wait_access(lambda r: r["target"] == target)[0]
        self.assertEqual(proxy.metrics().sum("telltale_request_failures_total", reason=record["reason"]), 1)
        return record["reason"]

    def wait_active(self, proxy, count):
        wait_until(lambda: proxy.metrics().sum("telltale_requests_active") == count, f"{count} active requests")

    def test_each_deadline_has_its_reason(self):
        long = {"connect": "5m", "response": "5m", "idle": "5m"}
        with black_hole() as hole:
            rows = [
                ("connect", hole, {"connect": "300ms"}, 504, "connect_timeout"),
                ("all of it, while connecting", hole, {"total": "300ms"}, 504, "total_timeout"),
                ("response", self.silent(), {"response": "300ms"}, 504, "response_timeout"),
                ("all of it, before a response", self.silent(), {"total": "300ms"}, 504, "total_timeout"),
                ("idle", self.nginx(STUCK), {"idle": "300ms"}, None, "idle_timeout"),
                # Within that time its head must have come.
                ("all of it, within a response", self.nginx(STUCK), {"total": "3s"}, None, "total_timeout"),
            ]
            for what, endpoint, timeouts, status, reason in rows:
                with self.subTest(what):
                    proxy = self.serve(endpoint, timeouts={**long, **timeouts}, retries=0)
                    got, seconds = self.asked(proxy)
                    self.assertEqual(got, status)
                    self.assertGreater(seconds, 0.25)
                    self.assertLess(seconds, DEADLINE)
                    self.assertEqual(self.reason(proxy), reason)

    def test_the_total_is_over_all_tries(self):
        """Else each of the four tries would come to its own end."""
        retries = {"attempts": 3, "on": ["timeout"], "per_try_timeout": "1s"}
        proxy = self.serve(self.silent(), timeouts={"total": "2500ms"}, retries=retries)
        status, seconds = self.asked(proxy)
        self.assertEqual(status, 504)
        self.assertGreater(seconds, 2.4)
        record = proxy.wait_access()[0]
        self.assertEqual(record["reason"], "total_timeout")
        self.assertIn(record["tries"], (2, 3))

    def test_the_total_is_over_waiting_for_a_connection(self):
        routes = [{"match": {"path": "/second"}, "service": "app", "timeouts": {"total": "600ms"}}, {"service": "app"}]
        breakers = {"max_connections": 1, "pending_timeout": "5m"}
        app = service(self.silent(), circuit_breakers=breakers)
        proxy = self.start(config(app, listeners=[listener(routes=routes)], workers=1))
        with proxy.client() as first:
            first.request("GET", "/first")
            wait_until(lambda: proxy.metrics().sum("telltale_circuit_breaker_in_use", limit="max_connections") == 1)
            status, seconds = self.asked(proxy, "/second")
            first.reset()  # a mere close would be a half-close, and be waited for
        self.assertEqual(status, 504)
        self.assertGreater(seconds, 0.5)
        record = proxy.wait_access(lambda r: r["target"] == "/second")[0]
        self.assertEqual((record["reason"], record["failure_phase"], record["tries"]), ("total_timeout", "pick", 0))

    def test_the_total_holds_while_the_client_uploads(self):
        proxy = self.serve(self.silent(), timeouts={"total": "2s", "response": "5m"})
        with proxy.client() as client:
            client.request("POST", "/slow", [("Content-Length", "10")])
            client.send_apart(b"12345")
            response = client.read_response()
            self.assertEqual((response.status, response.closes()), (504, True))
        self.assertEqual(self.reason(proxy, "/slow"), "total_timeout")

    def test_the_total_holds_for_a_client_that_does_not_read(self):
        def flood(connection):
            connection.next_request()
            connection.send(respond(200, b"", [("Content-Length", 64 << 20)], length=False))
            connection.send(bytes(64 << 20))

        proxy = self.serve(self.backend(flood), timeouts={"total": "400ms"})
        with proxy.client(receive_buffer=16 * 1024) as client:
            client.request("GET", "/unread")
            self.assertEqual(self.reason(proxy, "/unread"), "total_timeout")
            self.assertLess(len(client.closed_by_peer()), 64 << 20)

    def test_what_moves_on_is_not_idle(self):
        root = self.enterContext(self.directory(200 * 1024))
        proxy = self.serve(self.nginx(STEADY, root=root), timeouts={"idle": "5s", "response": "5s"})
        begun = time.monotonic()
        self.assertEqual(len(proxy.get("/file").body), 200 * 1024)
        self.assertGreater(time.monotonic() - begun, 6)

    def directory(self, size):
        directory = tempfile.TemporaryDirectory()
        os.chmod(directory.name, 0o755)
        with open(os.path.join(directory.name, "file"), "wb") as out:
            out.write(bytes(size))
        return directory

    # Tunnels.

    def tunnel(self, **timeouts):
        def echo(connection):
            connection.next_request()
            connection.send(respond(101, fields=[("Upgrade", "x"), ("Connection", "Upgrade")], length=False))
            while octets := connection.read_some():
                connection.send(octets)

        proxy = self.serve(self.backend(echo), timeouts=timeouts)
        client = self.enterContext(proxy.client())
        client.request("GET", "/tunnel", [("Upgrade", "x"), ("Connection", "Upgrade")])
        self.assertEqual(client.read_response().status, 101)
        return proxy, client

    def test_the_total_does_not_end_a_tunnel(self):
        """As with Envoy's route timeout and HAProxy's `timeout tunnel`, which takes the place of the others."""
        proxy, client = self.tunnel(total="2s", response="2s", idle="5m")
        wait(3)
        client.send(b"still here")
        self.assertEqual(client.read_exact(10), b"still here")
        client.close()
        self.assertIsNone(proxy.wait_access()[0]["reason"])

    def test_an_idle_tunnel_ends(self):
        proxy, client = self.tunnel(idle="2s")
        for _ in range(3):
            wait(1)
            client.send(b"x")
            self.assertEqual(client.read_exact(1), b"x")
        self.assertEqual(client.closed_by_peer(), b"")
        record = proxy.wait_access()[0]
        self.assertGreater(record["duration_ms"], 4500)
        self.assertIn(record["reason"], ("idle_timeout", "body_timeout"))

    # Routes.

    def test_a_route_has_timeouts_of_its_own(self):
        routes = [{"match": {"path": "/slow"}, "service": "app", "timeouts": {"response": "5m"}}, {"service": "app"}]
        app = service(self.silent(), timeouts={"response": "300ms"})
        proxy = self.start(config(app, listeners=[listener(routes=routes)], workers=1))
        with proxy.client() as slow:
            slow.request("GET", "/slow")
            self.wait_active(proxy, 1)
            status, seconds = self.asked(proxy)
            self.assertEqual(status, 504)
            self.assertGreater(seconds, 0.25)
            # That one came later. The first one waits on.
            self.assertEqual([record["target"] for record in proxy.wait_access()], ["/"])
            self.wait_active(proxy, 1)
            slow.reset()

    def test_a_pooled_connection_has_no_deadline_left_over(self):
        """What a connection had of its idle time must not end the request that it carries next: in the third one the
        idle time before the second one would be over."""
        app = self.backend(lambda c: self.answer_slowly(c))
        proxy = self.serve(app, pool={"idle_timeout": "2s"}, timeouts={"response": "5m"})
        for _ in range(3):
            self.assertEqual(proxy.get("/").status, 200)
        self.assertEqual(len(app.connections), 1)

    def answer_slowly(self, connection):
        while connection.next_request() is not None:
            wait(1.2)
            connection.send(respond(200, "slow"))


if __name__ == "__main__":
    main()
