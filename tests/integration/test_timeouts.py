"""How long backends may take: each deadline by itself, which of them it was, and all of it together."""

import contextlib
import os
import socket
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
        self.assert_idle(proxy)

    def assert_idle(self, proxy):
        record = proxy.wait_access(lambda r: r["target"] == "/tunnel")[0]
        told = (record["reason"], record["failure_side"], record["failure_phase"], record["status"])
        self.assertEqual(told, ("idle_timeout", "upstream", "response_body", 101))
        self.assertEqual(proxy.metrics().sum("telltale_request_failures_total", reason="idle_timeout"), 1)
        self.assertEqual(proxy.metrics().sum("telltale_request_failures_total"), 1)

    def test_an_idle_tunnel_has_one_reason_whichever_side_was_waited_for(self):
        """Each side has a timer, and any of them may be the first."""

        def tunnel(after):
            return lambda c: (c.next_request(), c.send(switched), after(c), c.backend.release.wait())

        def flood(sock):
            sock.settimeout(0.2)
            with contextlib.suppress(TimeoutError, ConnectionError):
                sock.sendall(bytes(64 << 20))

        switched = respond(101, fields=[("Upgrade", "x"), ("Connection", "Upgrade")], length=False)
        nothing = lambda peer: None
        cases = {
            "nobody said anything": (nothing, nothing),
            "the client spoke last": (lambda client: client.send(b"x"), nothing),
            "the backend spoke last": (nothing, lambda c: c.send(b"x")),
            "the client said all": (lambda client: client.finish(), nothing),
            "the backend said all": (nothing, lambda c: c.sock.shutdown(socket.SHUT_WR)),
            "the client takes nothing": (nothing, lambda c: flood(c.sock)),
            "the backend takes nothing": (lambda client: flood(client.sock), nothing),
        }
        # The others' times do not count in a tunnel.
        others = {"body": "100ms", "write": "100ms"}
        for what, (client_does, backend_does) in cases.items():
            with self.subTest(what):
                app = service(self.backend(tunnel(backend_does)), timeouts={"idle": "600ms", "response": "20s"})
                proxy = self.start(config(app, listeners=[listener(timeouts=others)], workers=1))
                with proxy.client(receive_buffer=16 * 1024) as client:
                    client.request("GET", "/tunnel", [("Upgrade", "x"), ("Connection", "Upgrade")])
                    self.assertEqual(client.read_response().status, 101)
                    with contextlib.suppress(OSError):  # it may be over already
                        client_does(client)
                    self.assert_idle(proxy)
                    self.assertGreater(proxy.access_log()[0]["duration_ms"], 500)

    # Expect: 100-continue.

    def expecting(self, serve, response, body, total="0s"):
        """A client that waits to be told 100 for five octets, and the proxy, whose backend does serve(connection)."""

        def handler(connection):
            connection.read_request_head()
            serve(connection)

        app = service(self.backend(handler), timeouts={"response": response, "total": total}, retries=0)
        proxy = self.start(config(app, listeners=[listener(timeouts={"body": body})], workers=1))
        client = self.enterContext(proxy.client())
        client.request("POST", "/expecting", [("Expect", "100-continue"), ("Content-Length", "5")])
        return client, proxy

    def answer(self, client, proxy):
        """The interim statuses, the final one, and the reason."""
        response = client.read_response()
        reason = proxy.wait_access()[0]["reason"]
        counted = proxy.metrics().sum("telltale_request_failures_total", service="app", reason=reason or "")
        self.assertEqual(counted, 0 if reason is None else 1)
        return [i.status for i in response.interim], response.status, reason

    def test_a_backend_that_owes_a_100_is_the_slow_one(self):
        silence = lambda c: c.backend.release.wait()
        hints = lambda c: (c.send(respond(103, length=False)), c.backend.release.wait())
        for what, serve, interim in (("silence", silence, []), ("a 103 is no 100", hints, [103])):
            with self.subTest(what):
                client, proxy = self.expecting(serve, response="1500ms", body="200ms")
                self.assertEqual(self.answer(client, proxy), (interim, 504, "response_timeout"))

    def test_the_total_holds_while_a_client_waits_for_a_100(self):
        client, proxy = self.expecting(lambda c: c.backend.release.wait(), response="20s", body="100ms", total="500ms")
        self.assertEqual(self.answer(client, proxy), ([], 504, "total_timeout"))

    def test_who_waits_for_a_100_is_not_slow(self):
        """And has all its time from then on."""

        def serve(connection):
            connection.send(respond(103, length=False))
            wait(2.2)
            connection.send(respond(100, length=False))
            connection.send(respond(200, connection.read_exact(5)))

        client, proxy = self.expecting(serve, response="20s", body="2s")
        self.assertEqual([client.read_response_head().status for _ in range(2)], [103, 100])
        client.send(b"hello")
        self.assertEqual(self.answer(client, proxy), ([], 200, None))

    def test_a_client_that_was_told_100_is_the_slow_one(self):
        more = respond(103, length=False)
        for what, octets, interim in (("100", b"", [100]), ("100, then 103", more, [100, 103])):
            with self.subTest(what):
                serve = lambda c, o=octets: (c.send(respond(100, length=False) + o), c.read_to_end())
                client, proxy = self.expecting(serve, response="1500ms", body="2s")
                self.assertEqual(self.answer(client, proxy), (interim, 408, "body_timeout"))
                self.assertGreater(proxy.access_log()[0]["duration_ms"], 1900)

    def test_a_client_that_begins_unasked_is_the_slow_one(self):
        """As it may (RFC 9110 10.1.1): it waits no longer."""
        client, proxy = self.expecting(lambda c: c.read_to_end(), response="1500ms", body="2s")
        client.send(b"1")
        self.assertEqual(self.answer(client, proxy), ([], 408, "body_timeout"))

    def test_the_backend_is_the_slow_one_again_once_it_has_the_body(self):
        serve = lambda c: (c.send(respond(100, length=False)), c.read_exact(5), c.backend.release.wait())
        client, proxy = self.expecting(serve, response="1500ms", body="20s")
        self.assertEqual(client.read_response_head().status, 100)
        wait(1.7)
        client.send(b"hello")
        self.assertEqual(self.answer(client, proxy), ([], 504, "response_timeout"))

    def test_an_answer_instead_of_a_100_ends_the_wait(self):
        """The client may still send its body, and has the usual time for that."""
        serve = lambda c: (c.send(respond(200, "no need")), c.read_to_end())
        client, proxy = self.expecting(serve, response="20s", body="500ms")
        self.assertEqual(client.read_response().status, 200)
        self.assertEqual(client.closed_by_peer(), b"")
        self.assertEqual(proxy.wait_access()[0]["reason"], "body_timeout")

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
