"""Backends that die, refuse, swallow or dawdle: what the client is told, what is tried again, and what never is."""

import os
import time

from support import (
    EndOfStream,
    ProxyTest,
    black_hole,
    config,
    http_handler,
    listener,
    main,
    refused_address,
    respond,
    service,
    wait_until,
)


def named(name):
    return http_handler(lambda request: respond(200, name))


class Failures(ProxyTest):
    def record(self, proxy, target):
        return proxy.wait_access(lambda r: r["target"] == target)[0]

    def failed(self, proxy, target, side, phase):
        record = self.record(proxy, target)
        self.assertEqual((record["failure_side"], record["failure_phase"]), (side, phase), record)
        self.assertTrue(record["failure"])
        return record

    # Connecting.

    def test_refused_endpoint_is_502(self):
        with refused_address() as address:
            proxy = self.start(config(service(address)))
            response = proxy.get("/refused")
            self.assertEqual(response.status, 502)
            self.assertFalse(response.closes(), "the client's connection is not to blame")
            self.failed(proxy, "/refused", "upstream", "connect")
        name = "telltale_upstream_connect_failures_total"
        wait_until(lambda: proxy.metrics().sum(name, service="app") >= 1, "the failure to be counted")

    def test_refused_endpoint_is_tried_elsewhere_once(self):
        app = self.backend(named("app"))
        with refused_address() as address:
            proxy = self.start(config(service(address, app), workers=1))
            for n in range(10):
                for method, body in (("GET", b""), ("POST", os.urandom(100_000))):
                    response = proxy.get(f"/{n}", method=method, body=body)
                    self.assertEqual((response.status, response.body), (200, b"app"))
                    if body:
                        self.assertEqual(app.last().body, body)
        tries = [r["tries"] for r in proxy.wait_access(count=20)]
        self.assertLessEqual(set(tries), {1, 2})
        self.assertIn(2, tries)
        self.assertEqual(proxy.metrics().sum("telltale_retries_total", service="app"), tries.count(2))
        self.assertTrue(all(r["endpoint"] == app.address for r in proxy.access_log()), "the one that served is named")

    def test_no_second_try_when_retries_are_off(self):
        app = self.backend(named("app"))
        with refused_address() as address:
            proxy = self.start(config(service(address, app, retries=0), workers=1))
            self.assertEqual(sorted(proxy.get("/").status for _ in range(10)), [200] * 5 + [502] * 5)

    def test_two_refused_endpoints_are_502_after_two_tries(self):
        with refused_address() as one, refused_address() as two, refused_address() as three:
            proxy = self.start(config(service(one, two, three)))
            self.assertEqual(proxy.get("/all-refused").status, 502)
            self.assertEqual(self.record(proxy, "/all-refused")["tries"], 2)

    def test_black_hole_is_504_after_the_connect_deadline(self):
        with black_hole() as address:
            proxy = self.start(config(service(address, timeouts={"connect": "300ms"})))
            begun = time.monotonic()
            self.assertEqual(proxy.get("/swallowed").status, 504)
            self.assertGreater(time.monotonic() - begun, 0.2)
            self.failed(proxy, "/swallowed", "upstream", "connect")

    def test_black_hole_is_tried_elsewhere(self):
        app = self.backend(named("app"))
        with black_hole() as address:
            proxy = self.start(config(service(address, app, timeouts={"connect": "1s"}), workers=1))
            self.assertEqual([proxy.get("/").status for _ in range(4)], [200] * 4)

    def test_other_requests_are_served_while_one_waits_in_a_black_hole(self):
        app = self.backend(named("app"))
        with black_hole() as address:
            services = [service(address, name="hole"), service(app)]
            listeners = [listener(), listener("hole", service="hole")]
            proxy = self.start(config(*services, listeners=listeners, workers=1))
            with proxy.client("hole") as waiting:
                waiting.request("GET", "/")
                for _ in range(20):
                    self.assertEqual(proxy.get("/").status, 200)

    def test_missing_unix_socket_is_502(self):
        proxy = self.start(config(service("unix:/nonexistent/telltale.sock")))
        self.assertEqual(proxy.get("/").status, 502)

    # Before the response.

    def test_slow_backend_is_504_after_the_response_deadline(self):
        app = self.backend(lambda c: (c.next_request(), c.backend.release.wait()))
        proxy = self.start(config(service(app, timeouts={"response": "300ms"})))
        response = proxy.get("/slow")
        self.assertEqual(response.status, 504)
        self.failed(proxy, "/slow", "upstream", "response_head")
        self.assertEqual(len(app.requests), 1, "it was sent: never tried again")

    def test_backend_within_its_deadline_is_waited_for(self):
        def slow(connection):
            connection.next_request()
            end = time.monotonic() + 0.5
            wait_until(lambda: time.monotonic() >= end)
            connection.send(respond(200, "in time"))

        proxy = self.start(config(service(self.backend(slow), timeouts={"response": "30s"})))
        self.assertEqual(proxy.get("/").body, b"in time")

    def test_backend_that_dies_before_it_answers_is_502_and_not_tried_again(self):
        for what, end in [("close", lambda c: c.close()), ("reset", lambda c: c.reset())]:
            for method in ("GET", "POST"):
                with self.subTest(what=what, method=method):
                    apps = [self.backend(lambda c, e=end: (c.next_request(), e(c))) for _ in range(2)]
                    proxy = self.start(config(service(*apps)))
                    self.assertEqual(proxy.get("/died", method=method).status, 502)
                    self.assertEqual(sum(len(a.requests) for a in apps), 1, "something was sent: never twice")
                    self.failed(proxy, "/died", "upstream", "response_head")

    def test_backend_that_accepts_and_closes_is_502(self):
        app = self.backend(lambda c: c.close())
        proxy = self.start(config(service(app)))
        for _ in range(5):
            self.assertEqual(proxy.get("/").status, 502)

    def test_a_stale_connection_whose_backend_is_gone_is_given_up(self):
        def serve(connection):
            connection.next_request()
            connection.send(respond(200, "first"))
            connection.next_request()
            connection.backend.refuse()

        proxy = self.start(config(service(self.backend(serve)), workers=1))
        self.assertEqual(proxy.get("/first").status, 200)
        self.assertEqual(proxy.get("/second").status, 502)
        self.assertLessEqual(self.record(proxy, "/second")["tries"], 3)

    def test_a_request_body_cut_by_its_backend_is_not_sent_to_another(self):
        def die(connection):
            connection.read_request_head()
            connection.read_exact(1000)
            connection.reset()

        apps = [self.backend(die) for _ in range(2)]
        proxy = self.start(config(service(*apps)))
        with proxy.client() as client:
            client.request("POST", "/body", [("Content-Length", 1_000_000)])
            try:
                client.send(bytes(1_000_000))
            except ConnectionError:
                pass
            response = client.response_or_close()
            self.assertIn(response and response.status, (None, 502))
        self.assertEqual(sum(len(a.connections) for a in apps), 1)

    # Within the response.

    def cut(self, handler, idle_deadline="30s"):
        """A client must see that its response was cut; then the proxy serves the next one."""

        def serve(connection):
            request = connection.next_request()
            if request is not None and request.target == "/next":
                connection.send(respond(200, "next"))
            elif request is not None:
                handler(connection)

        app = self.backend(serve)
        proxy = self.start(config(service(app, timeouts={"idle": idle_deadline}), workers=1))
        with proxy.client() as client:
            client.request("GET", "/cut")
            with self.assertRaises(ConnectionError) as raised:
                client.read_response()
            self.assertIsInstance(raised.exception, (EndOfStream, ConnectionResetError))
        self.assertEqual(proxy.get("/next").body, b"next")
        record = self.failed(proxy, "/cut", "upstream", "response_body")
        self.assertEqual(record["status"], 200)

    def test_killed_in_a_body_with_length(self):
        def kill(connection):
            connection.send(respond(200, b"x" * 1000)[:-500])
            connection.reset()

        self.cut(kill)

    def test_closed_in_a_body_with_length(self):
        self.cut(lambda c: c.send(respond(200, b"x" * 1000)[:-500]))

    def test_killed_in_a_chunked_body(self):
        def kill(connection):
            connection.send(respond(200, b"x" * 1000, chunked=True)[:-20])
            connection.reset()

        self.cut(kill)

    def test_closed_between_chunks(self):
        self.cut(lambda c: c.send(respond(200, b"x" * 1000, chunked=True)[: -len(b"0\r\n\r\n")]))

    def test_body_without_progress_is_cut_after_the_idle_deadline(self):
        def stall(connection):
            connection.send(respond(200, b"x" * 1000)[:-500])
            connection.backend.release.wait()

        self.cut(stall, idle_deadline="2s")

    def test_killed_in_an_until_close_body(self):
        """Here only the reset tells a cut from an end: it must not look like an end to the client."""

        def kill(connection):
            connection.send(respond(200, b"x" * 1000, length=False))
            wait_until(lambda: connection.backend.release.is_set())
            connection.reset()

        app = self.backend(kill)
        proxy = self.start(config(service(app)))
        with proxy.client() as client:
            client.request("GET", "/")
            client.read_response_head()
            client.peek(500)
            app.release.set()
            with self.assertRaises(ConnectionError):
                while client.read_some():
                    pass
                self.assertIn(b"Transfer-Encoding: chunked", bytes(client.received))
                if not bytes(client.received).endswith(b"0\r\n\r\n"):
                    raise EndOfStream("no last chunk: the cut is seen")

    # Clients.

    def test_client_that_leaves_while_it_waits_is_logged_and_harms_nobody(self):
        app = self.backend(lambda c: (c.next_request(), c.backend.release.wait(), c.send(respond(200, "late"))))
        proxy = self.start(config(service(app)))
        client = proxy.client()
        client.request("GET", "/left")
        app.wait_requests(1)
        client.reset()
        app.release.set()
        record = self.record(proxy, "/left")
        self.assertEqual(record["failure_side"], "downstream")

    def test_aborted_clients_leak_nothing(self):
        app = self.backend()
        proxy = self.start(config(service(app), workers=1))
        proxy.get("/")
        before = proxy.open_files()
        for n in range(300):
            client = proxy.client()
            octets = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789"
            client.send(octets[: n % len(octets)] if n % 2 else octets * 3)
            client.reset() if n % 3 else client.close()
        wait_until(lambda: proxy.metrics().sum("telltale_listener_connections_active", listener="web") == 0, "all to be closed")
        self.assertEqual(proxy.get("/").status, 200)
        # The idle upstream connections of the pool may be open still.
        self.assertLess(proxy.open_files(), before + 70)

    def test_own_answers_to_failures_say_nothing_of_the_inside(self):
        with refused_address() as address:
            response = self.start(config(service(address))).get("/")
        self.assertNotIn(address.encode(), response.raw_head + response.body)

    def test_an_error_for_head_has_no_body(self):
        with refused_address() as address:
            proxy = self.start(config(service(address)))
            with proxy.client() as client:
                for _ in range(3):
                    self.assertEqual(client.get("/", method="HEAD").status, 502)


if __name__ == "__main__":
    main()
