"""Every word of proxy/README.md, "Reasons": what the client gets, and the word in the access log and in the metrics.
The status of what is cut is the one that was sent before, or 0."""

import os
import pathlib
import re
import resource
import socket
import tempfile
import unittest

from support import (
    HealthPort,
    ProxyTest,
    black_hole,
    config,
    listener,
    local_node,
    main,
    proxy_v2,
    refused_address,
    respond,
    self_signed,
    service,
    wait_until,
)
from support.tls import TlsBackend, server_context
from support.waiting import SANITIZER

README = pathlib.Path(__file__).resolve().parents[2] / "proxy" / "README.md"
# Our own fault; and what is so only if everybody vanishes between two lines of code.
NOT_SHOWN = {"internal", "bad_status"}
PROBE = {"http": "/healthz", "interval": "50ms", "timeout": "5s", "fall": 1}
SHORT = "300ms"


def closing(connection):
    connection.next_request()


def resetting(connection):
    connection.next_request()
    connection.reset()


def silent(connection):
    connection.next_request()
    connection.backend.release.wait()


def garbage(connection):
    connection.next_request()
    connection.send(b"220 mail.example ESMTP\r\n\r\n")


def half(then):
    def handler(connection):
        connection.next_request()
        connection.send(respond(200, b"x" * 1000)[:-500])
        then(connection)

    return handler


def waits(connection):
    connection.backend.release.wait()


class ReasonTest(ProxyTest):
    def serve(self, *endpoints, listeners=None, workers=2, top=None, **fields):
        return self.start(config(service(*endpoints, **fields), listeners=listeners, workers=workers, **(top or {})))

    def ask(self, proxy, target="/"):
        """The status."""
        return proxy.get(target).status

    def assert_told(self, proxy, reason, find=lambda record: True, count=1, **wanted):
        record = proxy.wait_access(lambda r: find(r) and r["reason"] is not None)[0]
        wanted = {"reason": reason, **wanted}
        self.assertEqual({name: record[name] for name in wanted}, wanted, record)
        service_name = record["service"] or ""
        metrics = proxy.metrics()
        failures = "telltale_request_failures_total"
        self.assertEqual(metrics.sum(failures, reason=reason, service=service_name), count)
        self.assertEqual(metrics.sum(failures), count, "and under no other word")
        return record


class OfBackends(ReasonTest):
    def test_connecting(self):
        with refused_address() as refused, black_hole() as hole:
            for reason, endpoint, status in [
                ("connect_refused", refused, 502),
                ("connect_failed", "unix:/nonexistent/telltale.sock", 502),
                ("connect_timeout", hole, 504),
            ]:
                with self.subTest(reason):
                    proxy = self.serve(endpoint, timeouts={"connect": SHORT})
                    self.assertEqual(self.ask(proxy), status)
                    self.assert_told(proxy, reason, status=status, failure_side="upstream", failure_phase="connect",
                                     tries=1, service="app")  # fmt: skip

    def test_tls(self):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="telltale-tls-"))
        certificate = self_signed(directory, "app", "/CN=app")
        unknown = self.enterContext(TlsBackend(context=server_context(certificate)))
        for reason, backend, detail in [
            ("tls_verify_failed", unknown, "certificate verify failed: self-signed certificate"),
            ("tls_handshake_failed", self.backend(lambda c: c.read_some()), "End of file"),
        ]:
            with self.subTest(reason):
                proxy = self.serve(backend, tls={"sni": "app"})
                self.assertEqual(self.ask(proxy), 502)
                self.assert_told(proxy, reason, status=502, failure_side="upstream", failure_phase="handshake", tries=1,
                                 service="app", failure=detail)  # fmt: skip

    def test_before_a_response(self):
        per_try = {"attempts": 2, "on": ["timeout"], "per_try_timeout": SHORT}
        for reason, handler, status, tries, fields in [
            ("upstream_closed", closing, 502, 1, {}),
            ("upstream_reset", resetting, 502, 1, {}),
            ("upstream_reset", resetting, 502, 3, {"retries": {"attempts": 2, "on": ["reset"]}}),
            ("bad_response", garbage, 502, 1, {}),
            ("response_timeout", silent, 504, 1, {"timeouts": {"response": SHORT}}),
            ("total_timeout", silent, 504, 1, {"timeouts": {"total": SHORT}}),
            ("per_try_timeout", silent, 504, 3, {"retries": per_try}),
        ]:
            with self.subTest(reason, tries=tries):
                proxy = self.serve(self.backend(handler), **fields)
                self.assertEqual(self.ask(proxy), status)
                self.assert_told(proxy, reason, status=status, failure_side="upstream", tries=tries, service="app")
                metrics = proxy.metrics()
                self.assertEqual(metrics.sum("telltale_requests_total", service="app"), 1, "however often it was tried")
                self.assertEqual(metrics.sum("telltale_retries_total", service="app"), tries - 1)

    def test_within_a_response(self):
        for reason, handler, timeouts in [
            ("upstream_closed", half(lambda c: None), {}),
            ("upstream_reset", half(lambda c: (c.backend.release.wait(), c.reset())), {}),
            ("idle_timeout", half(waits), {"idle": SHORT}),
            ("total_timeout", half(waits), {"total": SHORT}),
        ]:
            with self.subTest(reason):
                app = self.backend(handler)
                proxy = self.serve(app, timeouts=timeouts)
                with proxy.client() as client:
                    client.request("GET", "/")
                    self.assertEqual(client.read_response_head().status, 200)
                    client.read_exact(1)  # it is on its way
                    if reason == "upstream_reset":
                        app.release.set()
                    with self.assertRaises(ConnectionError):
                        client.read_exact(1000)
                self.assert_told(proxy, reason, status=200, failure_side="upstream", tries=1,
                                 failure_phase="response_body")  # fmt: skip


class OfChoosing(ReasonTest):
    def test_nobody_may_be_chosen(self):
        app, health = self.backend(), self.enterContext(HealthPort(503))
        for reason, node_name, policy in [
            ("no_endpoint", "n", "local"),
            ("no_local_endpoint", "other", "local"),
            ("no_endpoint", "", "cluster"),
        ]:
            with self.subTest(reason, node_name=node_name):
                conf = service(nodes=[local_node("n", app, health)], health=PROBE, external_traffic_policy=policy)
                proxy = self.start(config(conf, **({"node_name": node_name} if node_name else {})))
                proxy.wait_states(n="draining")
                response = wait_until(lambda p=proxy: (r := p.get("/")).status == 503 and r, "503")
                self.assertTrue(int(response.header("retry-after")) > 0)
                count = int(proxy.metrics().sum("telltale_no_endpoint_total"))
                self.assert_told(proxy, reason, count=count, status=503, failure_side="proxy", failure_phase="pick",
                                 tries=0, endpoint=None)  # fmt: skip

    def test_limits(self):
        for reason, breakers, requests in [
            ("max_requests", {"max_requests": 1}, 1),
            ("max_pending", {"max_connections": 1, "max_pending": 1}, 2),
            ("pending_timeout", {"max_connections": 1, "pending_timeout": SHORT}, 1),
        ]:
            with self.subTest(reason):
                app = self.backend(silent)
                proxy = self.serve(app, circuit_breakers=breakers, workers=1)
                for n in range(requests):
                    self.enterContext(proxy.client()).request("GET", f"/{n}")
                    pending = lambda: proxy.metrics().sum("telltale_requests_pending")
                    wait_until(lambda n=n, p=pending: len(app.requests) + p() == n + 1, "it to be held")
                self.assertEqual(self.ask(proxy, "/refused"), 503)
                self.assert_told(proxy, reason, lambda r: r["target"] == "/refused", status=503, failure_side="proxy",
                                 failure_phase="pick", tries=0, endpoint=None)  # fmt: skip
                app.release.set()

    @unittest.skipIf(SANITIZER == "asan", "UBSan needs a descriptor itself to look at an object, and there is none left")
    def test_nothing_left_to_connect_with(self):
        proxy = self.serve(self.backend(), workers=1, listeners=[listener(routes=[
            {"match": {"path": "/fixed"}, "respond": {"body": "well"}}, {"service": "app"}])])  # fmt: skip
        with proxy.client() as client:
            self.assertEqual(client.get("/fixed").body, b"well")
            most = resource.prlimit(proxy.process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(proxy.process.pid, resource.RLIMIT_NOFILE, (3, most[1]))
            try:
                response = client.get("/")
                self.assertEqual((response.status, response.header("retry-after")), (503, "5"))
            finally:
                resource.prlimit(proxy.process.pid, resource.RLIMIT_NOFILE, most)
            self.assertEqual(client.get("/").status, 200, "that comes back by itself")
        self.assert_told(proxy, "no_resources", status=503, failure_phase="connect", tries=1)

    def test_no_address_to_connect_from(self):
        path = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "in.sock")
        app = self.backend()
        from_unix = [listener(listen="unix:" + path)]
        proxy = self.serve(app, listeners=from_unix, propagate={"source_address": "transparent"})
        self.assertEqual(self.ask(proxy), 502)
        self.assert_told(proxy, "no_source_address", status=502, failure_phase="connect", tries=1)
        self.assertEqual(app.connections, [])

    def test_a_proxy_header_that_would_be_too_long(self):
        rules = [{"from": ["127.0.0.0/8"], "policy": "require"}]
        client_ip = {"proxy_protocol": rules, "proxy_max_header_bytes": 65535}
        propagate = {"proxy_protocol": "v2", "pass_tlvs": ["0xE3"], "tlvs": ["authority"]}
        app = self.backend()
        proxy = self.serve(app, listeners=[listener(client_ip=client_ip)], propagate=propagate)
        first = proxy_v2(("198.51.100.1", 1), tlvs=[(0xE3, bytes(65535 - 12 - 3))])
        self.assertEqual(proxy.get("/", first=first).status, 500)
        self.assert_told(proxy, "proxy_header_too_long", status=500, failure_side="proxy", tries=0)
        self.assertEqual(app.connections, [])


class OfClients(ReasonTest):
    def test_heads_and_bodies(self):
        post = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf"
        for reason, sent, status, limits in [
            ("bad_request", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, {}),
            ("header_timeout", b"GET / HTTP/1.1\r\nHost", 408, {"timeouts": {"header": SHORT}}),
            ("body_timeout", post, 408, {"timeouts": {"body": SHORT}}),
            ("body_too_large", post, 413, {"limits": {"max_body_bytes": 16}}),
            ("no_route", b"GET /elsewhere HTTP/1.1\r\nHost: h\r\n\r\n", 404,
             {"routes": [{"match": {"path": "/here"}, "service": "app"}]}),
        ]:  # fmt: skip
            with self.subTest(reason):
                proxy = self.serve(self.backend(silent), listeners=[listener(**limits)])
                with proxy.client(first=sent) as client:
                    self.assertEqual(client.read_response().status, status)
                side = "proxy" if reason == "no_route" else "downstream"
                tries = 1 if reason == "body_timeout" else 0
                self.assert_told(proxy, reason, status=status, failure_side=side, tries=tries)

    def test_who_goes_away_and_who_does_not_read(self):
        app = self.backend(silent)
        proxy = self.serve(app)
        with proxy.client() as client:
            client.request("GET", "/")
            app.wait_requests(1)
            client.reset()
        self.assert_told(proxy, "client_closed", status=0, failure_side="downstream", tries=1)

        def flood(connection):
            connection.next_request()
            connection.send(respond(200, b"", [("Content-Length", 64 << 20)], length=False))
            connection.send(bytes(64 << 20))

        proxy = self.serve(self.backend(flood), listeners=[listener(timeouts={"write": SHORT})])
        with proxy.client(receive_buffer=16 * 1024) as client:
            client.request("GET", "/")
            self.assert_told(proxy, "client_timeout", status=200, failure_side="downstream", tries=1)

    def test_the_end_of_a_shutdown(self):
        app = self.backend(silent)
        proxy = self.serve(app, top={"drain_grace": SHORT})
        with proxy.client() as client:
            client.request("GET", "/")
            app.wait_requests(1)
            proxy.terminate()
            record = proxy.wait_access()[0]  # metrics are gone by then
            self.assertEqual((record["reason"], record["status"], record["tries"]), ("shutdown", 0, 1))
            self.assertEqual(client.closed_by_peer(), b"")


class OfTcp(ReasonTest):
    """The same words where there is no status: the client is reset, or its connection ends."""

    def test_they_are_the_same_words(self):
        for reason, handler, fields, tries in [
            ("connect_refused", None, {}, 1),
            ("idle_timeout", silent, {"timeouts": {"idle": SHORT}}, 1),
            ("upstream_reset", lambda c: c.peek(1) and c.reset(), {}, 1),
            ("max_requests", silent, {"circuit_breakers": {"max_requests": 1}}, 0),
            ("max_pending", silent, {"circuit_breakers": {"max_connections": 1, "max_pending": 1}}, 0),
            ("pending_timeout", silent, {"circuit_breakers": {"max_connections": 1, "pending_timeout": SHORT}}, 0),
        ]:
            with self.subTest(reason):
                app = self.backend(handler)
                endpoint = app if handler else self.enterContext(refused_address())
                proxy = self.serve(endpoint, listeners=[listener(protocol="tcp")], workers=1, **fields)
                for n in range({"max_pending": 2}.get(reason, 1) if tries == 0 else 0):
                    self.enterContext(proxy.client(first=b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
                    active = lambda: proxy.metrics().sum("telltale_requests_active")
                    wait_until(lambda n=n, a=active: a() == n + 1, "it to be taken")
                self.ended(proxy)
                self.assert_told(proxy, reason, status=0, protocol="TCP", service="app", tries=tries)
                app.release.set()

    def ended(self, proxy):
        """By a reset, or by an end: which of them is no matter here."""
        try:
            with socket.create_connection(proxy.address(), timeout=20) as sock:
                sock.sendall(b"x")
                self.assertEqual(sock.recv(1), b"")
        except ConnectionError:
            pass


class All(ReasonTest):
    def test_no_word_is_missing_here(self):
        text = README.read_text(encoding="utf-8").partition("\n## Reasons\n")[2].partition("\n## ")[0]
        words = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
        self.assertLess(NOT_SHOWN, words)
        here = pathlib.Path(__file__).read_text(encoding="utf-8")
        self.assertEqual([word for word in words - NOT_SHOWN if f'"{word}"' not in here], [])


if __name__ == "__main__":
    main()
