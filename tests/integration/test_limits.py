"""Every limit and every deadline of a listener, and that what is within it passes."""

import contextlib
import re
import resource
import socket
import time

from support import DEADLINE, ProxyTest, config, listener, main, respond, service, wait_stable, wait_until
from support.messages import chunks
from support.waiting import SANITIZER


class HeadLimits(ProxyTest):
    @classmethod
    def setUpClass(cls):
        cls.app = cls.class_backend()
        limits = {"max_head_bytes": "2KiB", "max_target_bytes": 512, "max_fields": 20, "max_body_bytes": 1000}
        listeners = [listener("default"), listener("small", limits=limits)]
        cls.proxy = cls.class_start(config(service(cls.app), listeners=listeners, workers=1))

    def status(self, name, *args, **options):
        with self.proxy.client(name) as client:
            with contextlib.suppress(ConnectionError):
                client.request(*args, **options)
            response = client.read_response()
            if response.status >= 400:
                self.assertTrue(response.closes())
                self.assertEqual(client.closed_by_peer(), b"")
            return response.status

    def test_head_size(self):
        for name, within, beyond in [("default", 31_000, 33_000), ("small", 1900, 2100)]:
            with self.subTest(listener=name):
                fields = [("X-Big", "a" * (within // 2)), ("Y-Big", "b" * (within // 2 - 100))]
                self.assertEqual(self.status(name, fields=fields), 200)
                self.assertEqual(self.status(name, fields=[("X-Big", "a" * beyond)]), 431)

    def test_endless_field_without_an_end_is_431(self):
        with self.proxy.client("default") as client:
            with contextlib.suppress(ConnectionError):
                client.send(b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 40_000)
            self.assertEqual(client.read_response().status, 431)

    def test_target_length(self):
        for name, limit in [("default", 8192), ("small", 512)]:
            with self.subTest(listener=name):
                self.assertEqual(self.status(name, target="/" + "a" * (limit - 10)), 200)
                self.assertEqual(self.status(name, target="/" + "a" * (limit + 10)), 414)

    def test_number_of_fields(self):
        for name, limit in [("default", 100), ("small", 20)]:
            with self.subTest(listener=name):
                fields = [(f"X-{n}", "") for n in range(limit - 1)]  # and Host
                self.assertEqual(self.status(name, fields=fields), 200)
                self.assertEqual(self.status(name, fields=[*fields, ("X-Last", "")]), 431)

    def test_body_size_by_length_is_refused_before_a_backend_hears_of_it(self):
        self.assertEqual(self.status("small", "POST", "/within", body=b"x" * 1000), 200)
        with self.proxy.client("small") as client:
            client.request("POST", "/beyond", [("Content-Length", "1001")])
            self.assertEqual(client.read_response().status, 413)
            self.assertEqual(client.closed_by_peer(), b"")
        self.proxy.get("/fence", listener="small")
        self.assertNotIn(b"/beyond", self.app.received())
        self.assertEqual(self.status("default", "POST", "/", body=b"x" * 100_000), 200)

    def test_body_size_with_expectation_is_refused_without_100(self):
        with self.proxy.client("small") as client:
            client.request("POST", "/beyond", [("Content-Length", "1001"), ("Expect", "100-continue")])
            response = client.read_response()
        self.assertEqual((response.status, response.interim), (413, []))

    def test_body_size_in_chunks(self):
        with self.proxy.client("small") as client:
            client.request("POST", "/chunks", [("Transfer-Encoding", "chunked")])
            client.send(chunks(b"x" * 1000, size=100))
            self.assertEqual(client.read_response().status, 200)
        for body in (chunks(b"x" * 1001, size=100), chunks(b"x" * 5000, size=5000)):
            with self.proxy.client("small") as client:
                client.request("POST", "/too-many-chunks", [("Transfer-Encoding", "chunked")])
                with contextlib.suppress(ConnectionError):
                    client.send(body)
                self.assertEqual(client.read_response().status, 413)
                self.assertEqual(client.closed_by_peer(), b"")
        self.proxy.get("/fence", listener="small")
        self.assertNotIn("/too-many-chunks", [r.target for r in self.app.requests], "no complete request")


class Underscores(ProxyTest):
    def test_names_with_underscores_pass_are_dropped_or_refused(self):
        app = self.backend()
        policies = ("pass", "drop", "reject")
        listeners = [listener(p, limits={"underscores": p}) for p in policies] + [listener("default")]
        proxy = self.start(config(service(app), listeners=listeners))
        for name, status, arrives in [("pass", 200, True), ("drop", 200, False), ("reject", 400, False), ("default", 200, True)]:
            with self.subTest(policy=name):
                self.assertEqual(proxy.get("/", [("my_own", "1")], listener=name).status, status)
                if status == 200:
                    self.assertEqual("my_own" in app.last().fields.names(), arrives)
                # One that collides with a known field never arrives.
                proxy.get("/", [("x_forwarded_for", "9.9.9.9"), ("x_real_ip", "9.9.9.9")], listener=name)
                self.assertNotIn(b"9.9.9.9", app.received())


# Short to wait for, and long for a peer that has work to do, on a machine that has other work.
SHORT_SECONDS = 2.0 if SANITIZER else 1.0
SHORT = {name: f"{SHORT_SECONDS * 1000:.0f}ms" for name in ("header", "body", "idle", "write")}


class Deadlines(ProxyTest):
    """Each is told from the others by making the others long."""

    def only(self, name, app=None, **fields):
        self.app = app or self.backend()
        timeouts = {"header": "5m", "body": "5m", "idle": "5m", "write": "5m", name: SHORT[name]}
        return self.start(config(service(self.app), listeners=[listener(timeouts=timeouts, **fields)], workers=1))

    @contextlib.contextmanager
    def takes_about(self, seconds):
        begun = time.monotonic()
        yield
        self.assertGreater(time.monotonic() - begun, seconds * 0.7)

    def test_header_deadline_is_408(self):
        proxy = self.only("header")
        with proxy.client() as client, self.takes_about(SHORT_SECONDS):
            client.send(b"GET /slow HTTP/1.1\r\nHost: h\r\n")
            self.assertEqual(client.read_response().status, 408)
            self.assertEqual(client.closed_by_peer(), b"")
        self.assertEqual(self.app.received(), b"")

    def test_header_deadline_is_not_moved_by_trickling_octets(self):
        proxy = self.only("header")
        with proxy.client() as client:
            client.send(b"GET /slow HTTP/1.1\r\nHost: h\r\nX: ")
            begun = time.monotonic()
            client.sock.settimeout(0.05)
            while time.monotonic() - begun < DEADLINE:
                with contextlib.suppress(ConnectionError):
                    client.send(b"a")
                with contextlib.suppress(TimeoutError):
                    self.assertEqual(client.read_response().status, 408)
                    break
            else:
                self.fail("the slow client was never refused")

    def test_header_deadline_holds_for_the_second_request_too(self):
        proxy = self.only("header")
        with proxy.client() as client:
            self.assertEqual(client.get("/first").status, 200)
            client.send(b"GET /second HTTP/1.1\r\n")
            self.assertEqual(client.read_response().status, 408)

    def test_idle_connection_is_closed_without_a_word(self):
        proxy = self.only("idle")
        with proxy.client() as client:
            self.assertEqual(client.get("/").status, 200)
            with self.takes_about(SHORT_SECONDS):
                self.assertEqual(client.closed_by_peer(), b"")

    def test_connection_that_never_says_anything_is_closed(self):
        timeouts = {"header": SHORT["header"], "idle": SHORT["idle"]}
        proxy = self.start(config(service(self.backend()), listeners=[listener(timeouts=timeouts)]))
        with proxy.client() as client:
            octets = client.closed_by_peer()
        self.assertTrue(octets == b"" or octets.startswith(b"HTTP/1.1 408 "), octets)

    def test_body_without_progress_is_408_or_a_close(self):
        proxy = self.only("body")
        with proxy.client() as client, self.takes_about(SHORT_SECONDS):
            client.request("POST", "/slow", [("Content-Length", "10")])
            client.send(b"12345")
            response = client.response_or_close()
            if response is not None:
                self.assertEqual(response.status, 408)
            self.assertEqual(client.closed_by_peer(), b"")
        self.assertEqual(self.app.requests, [], "no complete request")
        wait_until(lambda: self.app.open_connections() == 0, "the backend's connection to be cut")

    def test_body_with_progress_may_take_long(self):
        proxy = self.only("body")
        with proxy.client() as client, self.takes_about(SHORT_SECONDS * 1.5):
            client.request("POST", "/slow", [("Content-Length", "12")])
            end = time.monotonic() + SHORT_SECONDS * 1.5
            for n in range(12):
                client.send(b"x")
                wait_until(lambda at=end - SHORT_SECONDS * 1.5 * (11 - n) / 12: time.monotonic() >= at)
            self.assertEqual(client.read_response().status, 200)

    def wait(self, seconds):
        end = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() >= end)

    def test_the_response_deadline_does_not_run_while_the_client_uploads(self):
        for what, expect in [("a body", []), ("one that waited for 100", [("Expect", "100-continue")])]:
            with self.subTest(what=what):

                def serve(connection):
                    request = connection.read_request_head()
                    if request.header("expect"):
                        connection.send(respond(100, length=False))
                    connection.send(respond(200, connection.read_exact(10)))

                app = self.backend(serve)
                proxy = self.start(config(service(app, timeouts={"response": SHORT["body"]}), workers=1))
                with proxy.client() as client:
                    client.request("POST", "/slow", [("Content-Length", "10"), *expect])
                    client.send_apart(b"12345")
                    self.wait(SHORT_SECONDS * 2)
                    client.send(b"67890")
                    self.assertEqual(client.read_response().body, b"1234567890")

    def test_the_response_deadline_runs_while_the_client_waits_for_100(self):
        app = self.backend(lambda c: (c.read_request_head(), c.backend.release.wait()))
        proxy = self.start(config(service(app, timeouts={"response": SHORT["body"]}), workers=1))
        with proxy.client() as client:
            client.request("POST", "/slow", [("Content-Length", "10"), ("Expect", "100-continue")])
            self.assertEqual(client.read_response().status, 504)

    def test_a_write_that_came_to_its_end_leaves_the_upload_its_own_deadline(self):
        def serve(connection):
            connection.read_request_head()
            connection.send(respond(200, b"x" * 8_000_000))
            connection.read_exact(10)

        app = self.backend(serve)
        write = SHORT_SECONDS * 2  # in which the client below must begin to read
        timeouts = {"write": f"{write * 1000:.0f}ms", "body": "5m"}
        proxy = self.start(config(service(app), listeners=[listener(timeouts=timeouts)], workers=1))
        with proxy.client(receive_buffer=4096, record=False) as client:
            client.request("POST", "/slow", [("Content-Length", "10")])
            client.send_apart(b"12345")
            connection = app.wait_connection(0)
            wait_stable(lambda: connection.sent, quiet=0.1)
            # Now with a window that lets it through in a few reads: a third of the kernel's buffer is progress.
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            self.assertEqual(len(client.read_response().body), 8_000_000)
            self.wait(write * 1.5)
            client.send(b"67890")
            self.assertIsNone(proxy.wait_access()[0]["failure"])

    def test_response_that_nobody_reads_is_cut(self):
        size = 64 << 20

        def flood(connection):
            connection.next_request()
            connection.send(respond(200, b"", [("Content-Length", size)], length=False))
            connection.send(bytes(size))

        proxy = self.only("write", self.backend(flood))
        with proxy.client(receive_buffer=16 * 1024) as client:
            client.request("GET", "/")
            self.app.wait_closed(0)
            record = proxy.wait_access()[0]
            self.assertEqual(record["failure_side"], "downstream")
            self.assertLess(len(client.closed_by_peer()), size)

    def test_slow_backend_is_not_the_clients_fault(self):
        """A long answer while the client waits trips neither header, idle, body nor write deadline."""

        def slow(connection):
            connection.next_request()
            end = time.monotonic() + SHORT_SECONDS * 2
            wait_until(lambda: time.monotonic() >= end)
            connection.send(respond(200, "at last"))

        app = self.backend(slow)
        proxy = self.start(config(service(app), listeners=[listener(timeouts=SHORT)]))
        self.assertEqual(proxy.get("/").body, b"at last")


class Connections(ProxyTest):
    def refused(self, proxy, **options) -> bool:
        """Whether a new connection gets no service."""
        try:
            with proxy.client(**options) as client:
                client.request("GET", "/refused?")
                response = client.response_or_close()
                return response is None or response.status == 503
        except ConnectionError:
            return True

    def open(self, proxy, **options):
        client = self.enterContext(proxy.client(**options))
        self.assertEqual(client.get("/").status, 200)
        return client

    def test_connections_of_a_listener(self):
        limits = {"max_connections": 3}
        listeners = [listener(limits=limits), listener("other")]
        proxy = self.start(config(service(self.backend()), listeners=listeners, workers=2))
        clients = [self.open(proxy) for _ in range(3)]
        self.assertTrue(self.refused(proxy))
        self.assertFalse(self.refused(proxy, listener="other"))
        name = "telltale_listener_connections_refused_total"
        wait_until(lambda: proxy.metrics().sum(name, listener="web") >= 1, "the refusal to be counted")
        for client in clients:
            self.assertEqual(client.get("/still").status, 200)
        clients[0].close()
        wait_until(lambda: not self.refused(proxy), "room after a client left")

    def test_connections_of_one_client(self):
        limits = {"max_connections_per_client": 2}
        proxy = self.start(config(service(self.backend()), listeners=[listener(limits=limits)], workers=1))
        clients = [self.open(proxy, source="127.0.0.2") for _ in range(2)]
        self.assertTrue(self.refused(proxy, source="127.0.0.2"))
        self.assertFalse(self.refused(proxy, source="127.0.0.3"), "another client is another matter")
        clients[0].close()
        wait_until(lambda: not self.refused(proxy, source="127.0.0.2"), "room after a connection ended")

    def test_connections_of_one_client_behind_a_proxy_header(self):
        limits = {"max_connections_per_client": 1}
        client_ip = {"proxy_protocol": [{"from": ["127.0.0.0/8"], "policy": "require"}]}
        entry = listener(limits=limits, client_ip=client_ip)
        proxy = self.start(config(service(self.backend()), listeners=[entry], workers=1))
        first = b"PROXY TCP4 198.51.100.%d 203.0.113.1 1000 80\r\n"
        self.open(proxy, first=first % 1)
        self.assertTrue(self.refused(proxy, first=first % 1))
        self.open(proxy, first=first % 2)

    def test_at_the_limit_of_all_the_oldest_idle_connection_makes_room(self):
        proxy = self.start(config(service(self.backend()), max_connections=4, workers=1))
        clients = [self.open(proxy) for _ in range(4)]
        clients[0].get("/again")  # now the second is the one that idles longest
        newest = self.open(proxy)
        self.assertEqual(clients[1].closed_by_peer(), b"")
        for client in (clients[0], clients[2], clients[3], newest):
            self.assertEqual(client.get("/still").status, 200)

    def test_at_the_limit_of_all_a_busy_connection_is_not_cut(self):
        def wait(connection):
            while connection.next_request() is not None:
                connection.backend.release.wait()
                connection.send(respond(200, "done"))

        app = self.backend(wait)
        proxy = self.start(config(service(app), max_connections=2, workers=1))
        clients = [self.enterContext(proxy.client()) for _ in range(2)]
        for client in clients:
            client.request("GET", "/busy")
        app.wait_requests(2)
        self.assertTrue(self.refused(proxy))
        app.release.set()
        for client in clients:
            self.assertEqual(client.read_response().body, b"done")

    def test_out_of_descriptors_it_waits_and_says_so_once(self):
        proxy = self.start(config(service(self.backend()), workers=1))
        self.open(proxy)
        pid, few = proxy.process.pid, proxy.open_files() + 2
        _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        begun = time.monotonic()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, most))
        clients = [self.enterContext(proxy.client()) for _ in range(40)]
        proxy.log.wait_line(re.compile("cannot accept"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
        for client in clients:
            self.assertEqual(client.get("/").status, 200)
        lines = sum("cannot accept" in line for line in proxy.log.lines())
        self.assertLessEqual(lines, 1 + (time.monotonic() - begun) // 10, "one in 10 s")

    def test_a_thousand_idle_connections_cost_little(self):
        proxy = self.start(config(service(self.backend()), workers=1, access_log="off"))
        for _ in range(100):
            self.open(proxy)
        before = proxy.memory()
        for _ in range(1000):
            self.open(proxy)
        self.assertEqual(proxy.metrics().sum("telltale_listener_connections_active", listener="web"), 1100)
        self.assertLess(proxy.memory() - before, 16 << 20)


if __name__ == "__main__":
    main()
