"""Response smuggling and splitting: a backend's ambiguous answer becomes 502, its connection is closed, and the next
client gets the answer to its own request."""

import threading
import time

from support import (
    DEADLINE,
    ProxyTest,
    config,
    http_handler,
    listener,
    main,
    respond,
    service,
    wait_stable,
    wait_until,
)

OK = b"HTTP/1.1 200 OK\r\n"
END = b"\r\n"
CL5 = b"Content-Length: 5\r\n"
TE = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"

# (what it is, the backend's answer): all are 502 for the client.
BAD_HEADS = [
    ("CL and TE", OK + CL5 + TE + END + CHUNKS),
    ("TE and CL", OK + TE + CL5 + END + CHUNKS),
    ("two CLs that differ", OK + CL5 + b"Content-Length: 6\r\n" + END + b"hello"),
    ("a list of CLs", OK + b"Content-Length: 5, 6\r\n" + END + b"hello"),
    ("empty CL", OK + b"Content-Length:\r\n" + END),
    ("signed CL", OK + b"Content-Length: +5\r\n" + END + b"hello"),
    ("negative CL", OK + b"Content-Length: -5\r\n" + END + b"hello"),
    ("hexadecimal CL", OK + b"Content-Length: 0x5\r\n" + END + b"hello"),
    ("CL over 64 bits", OK + b"Content-Length: 18446744073709551621\r\n" + END + b"hello"),
    ("TE chunked, identity", OK + b"Transfer-Encoding: chunked, identity\r\n" + END + CHUNKS),
    ("TE xchunked", OK + b"Transfer-Encoding: xchunked\r\n" + END + CHUNKS),
    ("TE chunked twice", OK + TE + TE + END + CHUNKS),
    ("TE in an HTTP/1.0 response", b"HTTP/1.0 200 OK\r\n" + TE + END + CHUNKS),
    ("bare LF ends the status line", b"HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello"),
    ("bare LF ends a field", OK + b"X: y\nContent-Length: 5\r\n\r\nhello"),
    ("bare CR in a value", OK + b"X: a\rSet-Cookie: b\r\n" + CL5 + END + b"hello"),
    ("NUL in a value", OK + b"X: a\0b\r\n" + CL5 + END + b"hello"),
    ("folded field", OK + b"X: a\r\n b\r\n" + CL5 + END + b"hello"),
    ("space before the colon", OK + b"X : a\r\n" + CL5 + END + b"hello"),
    ("space before the colon of CL", OK + b"Content-Length : 5\r\n" + END + b"hello"),
    ("empty field name", OK + b": a\r\n" + CL5 + END + b"hello"),
    ("field without a colon", OK + b"nocolon\r\n" + CL5 + END + b"hello"),
    ("status of two digits", b"HTTP/1.1 20 OK\r\n" + CL5 + END + b"hello"),
    ("status of four digits", b"HTTP/1.1 2000 OK\r\n" + CL5 + END + b"hello"),
    ("status under 100", b"HTTP/1.1 099 OK\r\n" + CL5 + END + b"hello"),
    ("no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n"),
    ("HTTP/0.9", b"hello"),
    ("HTTP/2.0", b"HTTP/2.0 200 OK\r\n" + CL5 + END + b"hello"),
    ("lower-case version", b"http/1.1 200 OK\r\n" + CL5 + END + b"hello"),
    ("head too large", OK + b"X: " + b"a" * 100_000 + b"\r\n" + CL5 + END + b"hello"),
    ("too many fields", OK + b"X: a\r\n" * 5000 + CL5 + END + b"hello"),
    ("a flood of interim responses", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 5000 + OK + CL5 + END + b"hello"),
    ("an endless interim head", b"HTTP/1.1 103 Early Hints\r\nX: " + b"a" * 100_000 + b"\r\n\r\n" + OK + CL5 + END),
    ("101 that nobody asked for", b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" + POISON),
    ("closed without an answer", b""),
    ("closed within the head", OK + b"X: cu"),
]

# The head is right, so it may have left; then the client's connection must end before a complete message.
BAD_BODIES = [
    ("shorter than its length", OK + b"Content-Length: 50\r\n" + END + b"hello"),
    ("closed within a chunk", OK + TE + END + b"50\r\nhello"),
    ("closed between chunks", OK + TE + END + b"5\r\nhello\r\n"),
    ("closed before the last empty line", OK + TE + END + b"5\r\nhello\r\n0\r\n"),
    ("chunk size 0x5", OK + TE + END + b"0x5\r\nhello\r\n0\r\n\r\n"),
    ("chunk size with a plus", OK + TE + END + b"+5\r\nhello\r\n0\r\n\r\n"),
    ("bare LF after the size", OK + TE + END + b"5\nhello\r\n0\r\n\r\n"),
    ("newline in an extension", OK + TE + END + b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    ("size over 64 bits", OK + TE + END + b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("chunk longer than said", OK + TE + END + b"5\r\nhelloworld\r\n0\r\n\r\n"),
    ("folded trailer", OK + TE + END + b"5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n"),
]

# A complete response and more octets: the response is served, the connection never used again.
SURPLUS = [
    ("behind a length", OK + CL5 + END + b"hello", "GET", b"hello"),
    ("behind chunks", OK + TE + END + CHUNKS, "GET", b"hello"),
    ("behind a 204", b"HTTP/1.1 204 No Content\r\n\r\n", "GET", b""),
    ("body on a 204", b"HTTP/1.1 204 No Content\r\nContent-Length: 102\r\n\r\n", "GET", b""),
    ("behind a 304", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 102\r\n\r\n", "GET", b""),
    ("body on HEAD", OK + b"Content-Length: 102\r\n" + END, "HEAD", b""),
    ("chunked body on HEAD", OK + TE + END, "HEAD", b""),
    ("empty body", OK + b"Content-Length: 0\r\n" + END, "GET", b""),
]


class ResponseSmuggling(ProxyTest):
    @classmethod
    def setUpClass(cls):
        cls.answer = b""
        cls.app = cls.class_backend(lambda connection: cls.serve(connection))
        cls.proxy = cls.class_start(config(service(cls.app), workers=1))

    @classmethod
    def serve(cls, connection):
        while (request := connection.next_request()) is not None:
            if request.target == "/attack":
                connection.send(cls.answer)
                return
            if request.target == "/surplus":
                connection.send(cls.answer + POISON)
            else:
                connection.send(respond(200, f"own answer to {request.target}"))

    def next_client_is_unaffected(self, what):
        target = "/after/" + what.replace(" ", "-").replace(",", "")
        response = self.proxy.get(target)
        self.assertEqual((response.status, response.body.decode()), (200, f"own answer to {target}"))

    def test_ambiguous_heads_are_502(self):
        for what, answer in BAD_HEADS:
            with self.subTest(what=what), self.proxy.client() as client:
                type(self).answer = answer
                response = client.get("/attack")
                self.assertEqual(response.status, 502)
                self.assertNotIn(b"poison", response.body)
                self.app.wait_closed(self.app.last().connection.index)
                self.next_client_is_unaffected(what)

    def test_broken_bodies_cut_the_client(self):
        for what, answer in BAD_BODIES:
            with self.subTest(what=what), self.proxy.client() as client:
                type(self).answer = answer
                client.request("GET", "/attack")
                try:
                    self.assertEqual(client.read_response().status, 502)
                except ConnectionError:
                    pass  # EndOfStream, or a reset: cut, and seen to be cut
                self.assertNotIn(b"poison", client.received)
                self.next_client_is_unaffected(what)

    def test_surplus_octets_close_the_connection_and_reach_nobody(self):
        for what, answer, method, body in SURPLUS:
            with self.subTest(what=what), self.proxy.client() as client:
                type(self).answer = answer
                response = client.get("/surplus", method=method)
                self.assertEqual(response.body, body)
                self.assertEqual(response.status, int(answer[9:12]))
                index = self.app.last().connection.index
                # The same client's next request, and another's.
                self.assertEqual(client.get("/same").body, b"own answer to /same")
                self.next_client_is_unaffected(what)
                self.app.wait_closed(index)

    def test_pipelined_request_behind_surplus_octets_gets_its_own_answer(self):
        type(self).answer = OK + CL5 + END + b"hello"
        with self.proxy.client() as client:
            for target in ("/surplus", "/second", "/third"):
                client.request("GET", target)
            bodies = [client.read_response().body for _ in range(3)]
        self.assertEqual(bodies, [b"hello", b"own answer to /second", b"own answer to /third"])

    def test_a_refused_upgrade_leaves_no_tunnel_for_its_octets(self):
        """CVE-2024-23326: the octets behind an early 200 must not be taken for a tunnel's."""
        type(self).answer = OK + CL5 + END + b"hello"
        with self.proxy.client() as client:
            response = client.get("/surplus", [("Connection", "Upgrade"), ("Upgrade", "websocket")])
            self.assertEqual(response.body, b"hello")
            self.assertEqual(client.get("/same").body, b"own answer to /same")
            self.assertNotIn(b"poison", client.received)


class InterimResponses(ProxyTest):
    """A client whose kernel buffers are full while interim heads are relayed to it."""

    HEADS = [respond(103, fields=[("X-N", n), ("X-Fill", "a" * 300_000)], length=False) for n in range(31)]

    def slow_client(self, serve, **fields):
        self.app = self.backend(serve)
        listeners = [listener(limits={"max_head_bytes": "1MiB"})]
        proxy = self.start(config(service(self.app, **fields), listeners=listeners, workers=1))
        client = self.enterContext(proxy.client(receive_buffer=4096))
        client.request("GET", "/slow")
        connection = self.app.wait_requests(1)[0].connection
        wait_stable(lambda: connection.sent)
        return proxy, client

    def test_octets_behind_an_interim_head_are_kept_while_the_client_is_slow(self):
        """They are only lent: what other connections receive meanwhile must not take their place."""

        def serve(connection):
            while (request := connection.next_request()) is not None:
                if request.target == "/slow":
                    connection.send(b"".join(self.HEADS) + respond(200, "mine"))
                else:
                    connection.send(respond(200, POISON * 1000))

        proxy, client = self.slow_client(serve)
        for _ in range(20):
            self.assertEqual(proxy.get("/other").status, 200)
        response = client.read_response()
        self.assertEqual(response.body, b"mine")
        self.assertEqual([r.header("x-n") for r in response.interim], [str(n) for n in range(31)])

    def test_the_response_deadline_holds_behind_interim_heads_too(self):
        def serve(connection):
            connection.next_request()
            connection.send(b"".join(self.HEADS))
            connection.backend.release.wait()

        _, client = self.slow_client(serve, timeouts={"response": "300ms"})
        end = time.monotonic() + 0.6  # it passes while only the client is waited for
        wait_until(lambda: time.monotonic() >= end)
        self.assertEqual(client.read_response().status, 504)

    def test_an_interim_head_has_no_length(self):
        """RFC 9110 8.6. A reader that believed it would take the final response for a body."""
        head = respond(103, fields=[("Content-Length", 5), ("X", "y")], length=False)
        app = self.backend(http_handler(lambda request: head + respond(200, "mine")))
        response = self.start(config(service(app))).get("/")
        self.assertEqual((response.status, response.body), (200, b"mine"))
        self.assertEqual(list(response.interim[0].fields), [("X", "y")])


class PooledConnections(ProxyTest):
    """What comes on an idle pooled connection."""

    def idle_connection(self):
        app = self.backend()
        proxy = self.start(config(service(app), workers=1))
        self.assertEqual(proxy.get("/first").status, 200)
        return app, proxy, app.wait_connection(0)

    def test_leftover_octets_are_nobodys_answer(self):
        app, proxy, connection = self.idle_connection()
        connection.send(POISON)
        response = proxy.get("/second")
        self.assertEqual(response.json()["target"], "/second")
        app.wait_closed(0)
        self.assertEqual(app.last().connection.index, 1)

    def test_a_single_leftover_octet_is_enough(self):
        app, proxy, connection = self.idle_connection()
        connection.send(b"\n")
        self.assertEqual(proxy.get("/second").json()["connection"], 1)

    def test_leftover_octets_that_come_with_the_close(self):
        _, proxy, connection = self.idle_connection()
        connection.send(POISON)
        connection.close()
        self.assertEqual(proxy.get("/second").json()["target"], "/second")

    def test_a_stale_connection_is_seen_before_it_is_used(self):
        app, proxy, connection = self.idle_connection()
        connection.close()
        for method in ("GET", "POST"):
            with proxy.client() as client:
                self.assertEqual(client.get("/second", method=method).status, 200)
        self.assertEqual(app.last().connection.index, 1)

    def test_a_reset_connection_is_seen_before_it_is_used(self):
        gate = threading.Event()

        def resets_first(connection):
            while connection.next_request() is not None:
                connection.send(respond(200, str(connection.index)))
                if connection.index == 0:
                    gate.wait(DEADLINE)
                    return connection.reset()  # by the thread that owns the socket: only so it leaves at once

        proxy = self.start(config(service(self.backend(resets_first)), workers=1))
        self.assertEqual(proxy.get("/first").body, b"0")
        gate.set()
        wait_until(lambda: proxy.metrics().sum("telltale_upstream_connections_idle") == 0, "the pool to drop it")
        self.assertEqual(proxy.get("/second", method="POST", body=b"x").body, b"1")

    def test_a_connection_with_half_a_request_is_not_used_again(self):
        """What is sent next would be taken for the rest of that body."""

        def serve(connection):
            while connection.peek(1):
                request = connection.read_request_head()
                connection.note(request)
                connection.send(respond(413 if request.method == "POST" else 200, request.target))
                if request.method == "POST":
                    connection.read_exact(1000)

        app = self.backend(serve)
        proxy = self.start(config(service(app), workers=1))
        with proxy.client() as client:
            client.request("POST", "/early", [("Content-Length", "1000")])
            client.send(b"x" * 10)
            self.assertEqual(client.read_response().status, 413)
        self.assertEqual(proxy.get("/next").body, b"/next")

    def test_backend_that_says_close_is_not_pooled(self):
        app = self.backend(lambda c: c.next_request() and c.send(respond(200, "x", [("Connection", "close")])))
        proxy = self.start(config(service(app), workers=1))
        for n in range(3):
            self.assertEqual(proxy.get(f"/{n}").status, 200)
        self.assertEqual(len(app.connections), 3)

    def test_idle_connections_are_closed_after_their_time(self):
        app = self.backend()
        proxy = self.start(config(service(app, pool={"idle_timeout": "300ms"}), workers=1))
        proxy.get("/")
        app.wait_closed(0)

    def test_no_more_idle_connections_than_the_limit(self):
        app = self.backend(gate)
        proxy = self.start(config(service(app, pool={"max_idle": 2}), workers=1))
        clients = [self.enterContext(proxy.client()) for _ in range(6)]
        for client in clients:
            client.request("GET", "/")
        app.wait_requests(6)
        app.release.set()
        for client in clients:
            self.assertEqual(client.read_response().status, 200)
        wait_until(lambda: app.open_connections() == 2, "four of six connections to be closed")

    def test_the_connection_used_last_is_used_first(self):
        app = self.backend(gate)
        proxy = self.start(config(service(app), workers=1))
        first, second = self.enterContext(proxy.client()), self.enterContext(proxy.client())
        first.request("GET", "/a")
        app.wait_requests(1)
        second.request("GET", "/b")
        app.wait_requests(2)
        app.release.set()
        first.read_response()
        second.read_response()
        last = first.get("/c").body.split()[0]
        for _ in range(3):
            self.assertEqual(second.get("/d").body.split()[0], last)

    def test_a_client_that_left_early_leaves_no_answer_behind(self):
        app = self.backend(gate)
        proxy = self.start(config(service(app), workers=1))
        with proxy.client() as client:
            client.request("GET", "/left")
            app.wait_requests(1)
            client.reset()
        app.release.set()
        for _ in range(3):
            self.assertEqual(proxy.get("/mine").body.split()[1], b"/mine")


def gate(connection):
    """Answers once the test says go; then at once."""
    while (request := connection.next_request()) is not None:
        connection.backend.release.wait()
        connection.send(respond(200, f"{connection.index} {request.target}"))


if __name__ == "__main__":
    main()
