"""What ejection counts: an endpoint's faults, each of them, and nobody else's. One failure is enough here, and then the
spare is asked: so a test sees at once whether something was counted."""

import contextlib
import socket
import threading

from support import (
    ProxyTest,
    black_hole,
    config,
    http_handler,
    listener,
    main,
    refused_address,
    respond,
    service,
    wait_stable,
    wait_until,
)

LARGE = 64 << 20  # more than all buffers on the way take
CUT = ("upstream_closed", "upstream_reset")  # whether a FIN or a RST came is the kernel's to say
CONTINUE = respond(100, length=False)
UPGRADED = respond(101, fields=[("Upgrade", "x"), ("Connection", "Upgrade")], length=False)


def take_head(connection):
    """Of a request whose body the handler does not wait for."""
    request = connection.read_request_head()
    connection.note(request)
    return request


def flood(connection):
    """A response that nobody takes whole at once."""
    connection.next_request()
    connection.send(respond(200, b"", [("Content-Length", LARGE)], length=False))
    connection.send(bytes(LARGE))


def silent(connection):
    take_head(connection)
    connection.backend.release.wait()


class Case(ProxyTest):
    def serve(self, subject, *, failures=1, statuses=(), listening=None, spare=None, **fields):
        """`subject` gets everything, until it is ejected; then the spare does."""
        spare = spare or self.backend(http_handler(lambda request: respond(200, "spare")), name="spare")
        address = subject if isinstance(subject, str) else subject.address
        endpoints = [
            {"name": "subject", "address": address},
            {"name": "spare", "address": spare.address, "priority": 1},
        ]
        ejection = {"failures": failures, "statuses": list(statuses), "time": "1h", "max_time": "1h"}
        fields.setdefault("retries", 0)
        app = service(*endpoints, ejection=ejection, **fields)
        return self.start(config(app, listeners=[listener(**(listening or {}))], workers=1))

    def ejected(self, proxy):
        return next(e for e in proxy.services()["app"]["endpoints"] if e["name"] == "subject")["ejected"]

    def assert_blamed(self, proxy, *reasons):
        why = wait_until(lambda: self.ejected(proxy), "it to be ejected")["reason"]
        self.assertIn(why.rpartition(", the last: ")[2], reasons)

    def assert_spared(self, proxy, *reasons):
        """Once its record is there, what ejection was told is on its way to the thread that answers here."""
        [record] = proxy.wait_access(lambda r: r["reason"] in reasons)
        self.assertIsNone(self.ejected(proxy), record)
        self.assertEqual(proxy.metrics().sum("telltale_ejections_total"), 0)
        self.assertEqual(record["endpoint"], self.address)

    def against(self, handler, **fields):
        """A proxy before a backend with this handler."""
        subject = self.backend(handler, name="subject")
        self.address = subject.address
        return subject, self.serve(subject, **fields)


class Clients(Case):
    """Nothing that a client does, or leaves undone, is counted."""

    def test_an_upload_that_its_client_gives_up(self):
        for end in ("reset", "close", "finish"):
            with self.subTest(end):
                subject, proxy = self.against(lambda c: (take_head(c), c.read_to_end()))
                with proxy.client() as client:
                    client.request("POST", "/", [("Content-Length", "1000")])
                    client.send(b"some of it")
                    subject.wait_requests(1)
                    getattr(client, end)()
                    self.assert_spared(proxy, "client_closed")

    def test_an_upload_that_stops(self):
        subject, proxy = self.against(silent, listening={"timeouts": {"body": "300ms"}})
        with proxy.client() as client:
            client.request("POST", "/", [("Content-Length", "1000")])
            client.send(b"some of it")
            self.assertEqual(client.read_response().status, 408)
        self.assert_spared(proxy, "body_timeout")
        subject.wait_requests(1)

    def test_an_upload_that_its_backend_no_longer_waits_for(self):
        """As nginx does after client_body_timeout: it closes without an answer."""
        for continued in (False, True):
            for end in ("close", "reset"):
                with self.subTest(end, continued=continued):

                    def serve(connection, continued=continued, end=end):
                        take_head(connection)
                        connection.send(CONTINUE if continued else b"")
                        connection.read_exact(5)
                        connection.backend.release.wait()
                        getattr(connection, end)()

                    subject, proxy = self.against(serve)
                    with proxy.client() as client:
                        fields = [("Expect", "100-continue")] if continued else []
                        client.request("POST", "/", [("Content-Length", "1000"), *fields])
                        client.send_apart(b"12345")
                        subject.wait_requests(1)
                        subject.release.set()
                        self.assertEqual(client.read_response().status, 502)
                    self.assert_spared(proxy, *CUT)

    def test_a_body_that_is_not_http(self):
        subject, proxy = self.against(lambda c: (take_head(c), c.read_to_end()))
        with proxy.client() as client:
            client.request("POST", "/", [("Transfer-Encoding", "chunked")])
            client.send(b"5\r\n12345\r\n")
            subject.wait_requests(1)
            client.send(b"no chunk\r\n")
            self.assertEqual(client.read_response().status, 400)
        self.assert_spared(proxy, "bad_request")

    def test_a_body_that_is_too_large(self):
        handler = lambda c: (take_head(c), c.read_to_end())
        subject, proxy = self.against(handler, listening={"limits": {"max_body_bytes": 10}})
        with proxy.client() as client:
            client.request("POST", "/", [("Transfer-Encoding", "chunked")])
            client.send(b"5\r\n12345\r\n")
            subject.wait_requests(1)
            client.send(b"6\r\n678901\r\n")
            self.assertEqual(client.read_response().status, 413)
        self.assert_spared(proxy, "body_too_large")

    def test_a_client_that_leaves_while_it_waits(self):
        subject, proxy = self.against(silent)
        with proxy.client() as client:
            client.request("GET", "/")
            subject.wait_requests(1)
            client.reset()
        self.assert_spared(proxy, "client_closed")

    def test_a_client_that_leaves_while_we_connect(self):
        with black_hole() as self.address:
            proxy = self.serve(self.address, timeouts={"connect": "1m"})
            with proxy.client() as client:
                client.request("GET", "/")
                wait_until(lambda: proxy.metrics().sum("telltale_upstream_connections_opened_total") == 1)
                client.reset()
            self.assert_spared(proxy, "client_closed")

    def test_a_download_that_its_client_gives_up(self):
        _, proxy = self.against(flood)
        with proxy.client(record=False) as client:
            client.request("GET", "/")
            client.discard(100_000)
            client.reset()
        self.assert_spared(proxy, "client_closed")

    def test_a_download_that_its_client_does_not_take(self):
        _, proxy = self.against(flood, listening={"timeouts": {"write": "300ms"}})
        with proxy.client(receive_buffer=16 * 1024) as client:
            client.request("GET", "/")
            self.assert_spared(proxy, "client_timeout")

    def test_a_download_that_its_backend_cuts_because_nobody_takes_it(self):
        """As nginx does after send_timeout."""

        def stopped(connection):
            threading.Thread(target=lambda: (connection.backend.release.wait(), connection.close())).start()
            flood(connection)

        subject, proxy = self.against(stopped)
        with proxy.client(receive_buffer=16 * 1024, record=False) as client:
            client.request("GET", "/")
            subject.wait_requests(1)
            wait_stable(lambda: subject.connections[0].sent)
            subject.release.set()
            subject.wait_closed()
            self.assertRaises(ConnectionError, lambda: (client.read_response_head(), client.read_exact(LARGE)))
        self.assert_spared(proxy, *CUT)

    def test_an_expectation_that_its_client_gives_up(self):
        for what, answer in (("while it waits", b""), ("once it was told to go on", CONTINUE)):
            with self.subTest(what):
                subject, proxy = self.against(lambda c, a=answer: (take_head(c), c.send(a), c.read_to_end()))
                with proxy.client() as client:
                    client.request("POST", "/", [("Expect", "100-continue"), ("Content-Length", "5")])
                    subject.wait_requests(1)
                    if answer:
                        self.assertEqual(client.read_response_head().status, 100)
                    client.reset()
                self.assert_spared(proxy, "client_closed")

    def test_an_expectation_that_is_met_and_then_nothing(self):
        handler = lambda c: (take_head(c), c.send(CONTINUE), c.read_to_end())
        _, proxy = self.against(handler, listening={"timeouts": {"body": "300ms"}})
        with proxy.client() as client:
            client.request("POST", "/", [("Expect", "100-continue"), ("Content-Length", "5")])
            response = client.read_response()
            self.assertEqual((response.status, len(response.interim)), (408, 1))
        self.assert_spared(proxy, "body_timeout")


class Nobody(Case):
    """Of these nobody can say whose fault they are; or it is ours."""

    def test_the_whole_time_is_over(self):
        half = respond(200, bytes(1000))[:-500]
        for what, answer in (("before a response", b""), ("within it", half)):
            with self.subTest(what):
                handler = lambda c, a=answer: (take_head(c), c.send(a), c.backend.release.wait())
                _, proxy = self.against(handler, timeouts={"total": "1500ms"})
                with proxy.client() as client:
                    client.request("GET", "/")
                    self.assertEqual(client.read_response_head().status, 200 if answer else 504)
                self.assert_spared(proxy, "total_timeout")

    def test_a_response_that_does_not_move_on(self):
        half = respond(200, bytes(1000))[:-500]
        handler = lambda c: (take_head(c), c.send(half), c.backend.release.wait())
        _, proxy = self.against(handler, timeouts={"idle": "300ms"})
        with proxy.client() as client:
            client.request("GET", "/")
            client.closed_by_peer()
        self.assert_spared(proxy, "idle_timeout")

    def test_a_pooled_connection_that_has_ended(self):
        for end in ("close", "reset"):
            with self.subTest(end):

                def serve(connection, end=end):
                    connection.next_request()
                    connection.send(respond(200, "subject"))
                    connection.next_request()
                    getattr(connection, end)()

                subject, proxy = self.against(serve)
                self.assertEqual(proxy.get("/").body, b"subject")
                self.assertEqual(proxy.get("/", method="POST").status, 502, "it may have been done")
                self.assert_spared(proxy, *CUT)
                self.assertEqual(proxy.get("/").body, b"subject")
                self.assertEqual(proxy.get("/").body, b"subject", "asked again on a new connection")
                self.assertEqual(len(subject.connections), 3)
                self.assertIsNone(self.ejected(proxy))

    def test_an_idle_connection_that_its_backend_closes(self):
        subject, proxy = self.against(lambda c: (c.next_request(), c.send(respond(200, "subject"))))
        for count in range(1, 6):
            self.assertEqual(proxy.get("/").body, b"subject")
            wait_until(lambda: proxy.metrics().sum("telltale_upstream_connections_idle") == 0)
            self.assertEqual(len(subject.connections), count)
        self.assertIsNone(self.ejected(proxy))
        self.assertEqual(proxy.metrics().sum("telltale_ejections_total"), 0)

    def test_no_way_out_of_this_host(self):
        """connect() itself says so: here of an address that is nobody's (multicast)."""
        self.address = "224.0.0.1:80"
        proxy = self.serve(self.address)
        self.assertEqual(proxy.get("/").status, 502)
        self.assert_spared(proxy, "connect_failed")
        self.assertFalse(proxy.access_log()[0]["reused"])

    def test_tunnels(self):
        def end(how):
            return lambda c: (take_head(c), c.send(UPGRADED), c.read_exact(1), how(c))

        cases = {
            "idle": (end(lambda c: c.backend.release.wait()), ["idle_timeout"]),
            "reset by the backend": (end(lambda c: c.reset()), CUT),
        }
        for what, (handler, reasons) in cases.items():
            with self.subTest(what):
                _, proxy = self.against(handler, timeouts={"idle": "300ms" if what == "idle" else "1m"})
                with proxy.client() as client:
                    client.request("GET", "/", [("Upgrade", "x"), ("Connection", "Upgrade")])
                    self.assertEqual(client.read_response().status, 101)
                    client.send(b"x")
                    client.closed_by_peer()
                self.assert_spared(proxy, *reasons)

    def test_what_is_nobodys_is_no_success_either(self):
        """Two failures in a row, with a client between them that left."""

        def serve(connection):
            request = take_head(connection)
            if request.target == "/left":
                connection.backend.release.wait()
            connection.close()

        subject, proxy = self.against(serve, failures=2)
        self.assertEqual(proxy.get("/first").status, 502)
        with proxy.client() as client:
            client.request("GET", "/left")
            subject.wait_requests(2)
            client.reset()
        self.assert_spared(proxy, "client_closed")
        self.assertEqual(proxy.get("/second").status, 502)
        self.assert_blamed(proxy, *CUT)


class Endpoints(Case):
    """Each fault of an endpoint is counted."""

    def test_connections_that_cannot_be_made(self):
        with refused_address() as refused, black_hole() as hole:
            cases = [
                ("refused", refused, 502, "connect_refused"),
                ("no answer", hole, 504, "connect_timeout"),
                ("no such Unix socket", "unix:/nonexistent/telltale.sock", 502, "connect_failed"),
            ]
            for what, address, status, reason in cases:
                with self.subTest(what):
                    proxy = self.serve(address, timeouts={"connect": "300ms"})
                    self.assertEqual(proxy.get("/").status, status)
                    self.assert_blamed(proxy, reason)
                    wait_until(lambda p=proxy: p.get("/").body == b"spare", "the worker to know")

    def test_no_answer_to_a_request(self):
        garbage = b"220 mail.example ESMTP\r\n"
        half_a_head = b"HTTP/1.1 200 O"
        late = ["response_timeout"]
        cases = [
            ("closed", lambda c: c.close(), 502, CUT),
            ("reset", lambda c: c.reset(), 502, CUT),
            ("closed within a head", lambda c: c.send(half_a_head), 502, CUT),
            ("not HTTP", lambda c: c.send(garbage), 502, ["bad_response"]),
            ("silence", lambda c: c.backend.release.wait(), 504, late),
            ("half a head, then silence", lambda c: (c.send(half_a_head), c.backend.release.wait()), 504, late),
        ]
        for what, answer, status, reasons in cases:
            with self.subTest(what):
                short = {"response": "300ms" if status == 504 else "1m"}
                _, proxy = self.against(lambda c, a=answer: (c.next_request(), a(c)), timeouts=short)
                self.assertEqual(proxy.get("/", method="POST", body=b"all of it").status, status)
                self.assert_blamed(proxy, *reasons)

    def test_a_try_that_takes_too_long(self):
        _, proxy = self.against(silent, retries={"attempts": 0, "per_try_timeout": "300ms"})
        self.assertEqual(proxy.get("/").status, 504)
        self.assert_blamed(proxy, "per_try_timeout")

    def test_a_client_that_is_not_told_to_go_on(self):
        _, proxy = self.against(silent, timeouts={"response": "500ms"}, listening={"timeouts": {"body": "100ms"}})
        with proxy.client() as client:
            client.request("POST", "/", [("Expect", "100-continue"), ("Content-Length", "5")])
            self.assertEqual(client.read_response().status, 504)
        self.assert_blamed(proxy, "response_timeout")

    def test_an_upload_that_is_not_taken(self):
        _, proxy = self.against(silent, timeouts={"response": "500ms"})
        with proxy.client() as client:
            client.request("POST", "/", [("Content-Length", LARGE)])
            with contextlib.suppress(ConnectionError):  # that ends when the proxy gives up
                client.send(bytes(LARGE))
        self.assert_blamed(proxy, "response_timeout")

    def test_a_response_that_is_cut(self):
        half = respond(200, bytes(1000))[:-500]

        def serve(connection):
            if connection.next_request().target == "/first":
                connection.send(respond(200, "subject"))
                connection.next_request()
            connection.send(half)

        for first in (False, True):
            with self.subTest(reused=first):
                subject, proxy = self.against(serve)
                if first:
                    self.assertEqual(proxy.get("/first").body, b"subject")
                self.assertRaises(ConnectionError, lambda p=proxy: p.get("/"))
                self.assert_blamed(proxy, *CUT)
                self.assertEqual(len(subject.connections), 1)

    def test_a_listed_status(self):
        as_asked = http_handler(lambda request: respond(int(request.target[1:]), "subject"))
        _, proxy = self.against(as_asked, statuses=["502-503"])
        for status in (404, 500, 501):
            self.assertEqual(proxy.get(f"/{status}").status, status)
        self.assertIsNone(self.ejected(proxy))
        self.assertEqual(proxy.get("/503").status, 503)
        self.assert_blamed(proxy, "status 503")

    def test_a_listed_status_counts_though_its_client_leaves(self):
        def serve(connection):
            connection.next_request()
            connection.send(respond(503, b"", [("Content-Length", LARGE)], length=False))
            connection.send(bytes(LARGE))

        _, proxy = self.against(serve, statuses=[503])
        with proxy.client(record=False) as client:
            client.request("GET", "/")
            self.assertEqual(client.read_response_head().status, 503)
            client.reset()
        self.assert_blamed(proxy, "status 503")

    def test_a_status_of_before_says_nothing_of_a_failed_connect(self):
        """The next request of a client whose last one got a listed status."""
        unwell = http_handler(lambda request: respond(503, "no", [("Connection", "close")]))
        subject, proxy = self.against(unwell, failures=2, statuses=[503])
        with proxy.client() as client:
            self.assertEqual(client.get("/").status, 503)
            subject.refuse()
            self.assertEqual(client.get("/").status, 502)
        self.assert_blamed(proxy, "connect_refused")

    def test_as_many_as_it_takes(self):
        answers = iter([503, 503, 200, 503, 503, 503])
        app = http_handler(lambda request: respond(next(answers), "subject"))
        _, proxy = self.against(app, failures=3, statuses=[503])
        for _ in range(5):
            self.assertEqual(proxy.get("/").body, b"subject")
            self.assertIsNone(self.ejected(proxy))
        self.assertEqual(proxy.get("/").body, b"subject")
        self.assert_blamed(proxy, "status 503")


class Tcp(Case):
    """With `protocol: tcp` only connecting is judged: what is said then is for both ends to judge."""

    def serve_tcp(self, subject, **fields):
        self.spare = self.backend(lambda c: (c.send(b"spare"), c.read_to_end()), name="spare")
        return self.serve(subject, spare=self.spare, listening={"protocol": "tcp"}, **fields)

    def connect(self, proxy):
        return self.enterContext(socket.create_connection(proxy.address(), timeout=20))

    def test_connections_that_cannot_be_made(self):
        with refused_address() as refused, black_hole() as hole:
            cases = [
                (refused, "connect_refused"),
                (hole, "connect_timeout"),
                ("unix:/nonexistent/telltale.sock", "connect_failed"),
            ]
            for address, reason in cases:
                with self.subTest(reason):
                    proxy = self.serve_tcp(address, timeouts={"connect": "300ms"})
                    # Before connect() has returned, or after.
                    self.assertRaises(ConnectionError, lambda p=proxy: self.connect(p).recv(1))
                    self.assert_blamed(proxy, reason)

                    def spare(proxy=proxy):
                        with contextlib.suppress(ConnectionError):
                            return self.connect(proxy).recv(5) == b"spare"

                    wait_until(spare, "the worker to know")

    def test_no_way_out_of_this_host(self):
        self.address = "224.0.0.1:80"
        proxy = self.serve_tcp(self.address)
        self.assertRaises(ConnectionError, lambda: self.connect(proxy).recv(1))
        self.assert_spared(proxy, "connect_failed")

    def test_a_client_that_leaves_while_we_connect(self):
        with black_hole() as self.address:
            proxy = self.serve_tcp(self.address, timeouts={"connect": "1m"})
            client = proxy.client()
            wait_until(lambda: proxy.metrics().sum("telltale_upstream_connections_opened_total") == 1)
            client.reset()
            self.assert_spared(proxy, "client_closed")

    def test_a_session_that_breaks_on_either_side(self):
        for who, reasons in {"client": ["client_closed"], "subject": CUT, "nobody": ["idle_timeout"]}.items():
            with self.subTest(who):
                handler = (lambda c: (c.read_exact(1), c.reset())) if who == "subject" else (lambda c: c.read_to_end())
                subject = self.backend(handler, name="subject")
                self.address = subject.address
                proxy = self.serve_tcp(subject, timeouts={"idle": "300ms" if who == "nobody" else "1m"})
                with proxy.client() as client:
                    client.send_apart(b"x")
                    subject.wait_connection()
                    if who == "client":
                        client.reset()
                    else:
                        client.closed_by_peer()
                self.assert_spared(proxy, *reasons)


if __name__ == "__main__":
    main()
