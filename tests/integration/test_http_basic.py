"""HTTP/1.1 and 1.0 through the proxy: what a client sends and gets when nobody misbehaves."""

import os
import tempfile

from support import ProxyTest, config, curl, listener, main, respond, service
from support.backend import describe
from support.messages import chunks


def answer(request):
    path = request.target.partition("?")[0]
    return _ANSWERS[path](request) if path in _ANSWERS else describe(request)


def _interim(request):
    request.connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
    return respond(200, "after the hints")


def _until_close(request):
    request.connection.send(respond(200, b"until the end", length=False))


_ANSWERS = {
    "/interim": _interim,
    "/until-close": _until_close,
    "/chunked": lambda r: respond(200, b"in chunks" * 1000, chunked=True),
    "/trailers": lambda r: respond(200, b"body", [("Trailer", "X-Sum")], chunked=True, trailers=[("X-Sum", "42")]),
    "/204": lambda r: respond(204),
    "/304": lambda r: b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 4321\r\n\r\n',
    "/http10": lambda r: b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold",
    "/length": lambda r: b"HTTP/1.1 200 OK\r\nContent-Length: 4321\r\n\r\n" + bytes(4321),
    "/hop": lambda r: respond(
        200, b"x", [("Connection", "X-Private"), ("X-Private", "1"), ("Keep-Alive", "timeout=5"), ("X-Public", "2")]
    ),
}


def handle(connection):
    while (request := connection.next_request()) is not None:
        octets = answer(request)
        if octets is None:
            return
        connection.send(octets if request.method != "HEAD" else octets[: octets.index(b"\r\n\r\n") + 4])
        if octets.startswith(b"HTTP/1.0"):
            return


class Basic(ProxyTest):
    @classmethod
    def setUpClass(cls):
        cls.app = cls.class_backend(handle)
        cls.proxy = cls.class_start(config(service(cls.app)))

    def told(self, *arguments):
        return curl(*arguments, self.proxy.url("/x?q=1")).json()

    # Methods and bodies, by curl.

    def test_get_reaches_the_backend_with_its_path_and_query(self):
        told = self.told("-H", "X-Own: kept")
        self.assertEqual((told["method"], told["target"]), ("GET", "/x?q=1"))
        self.assertIn(["X-Own", "kept"], told["fields"])

    def test_methods_go_through(self):
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "M-SEARCH"):
            with self.subTest(method=method):
                self.assertEqual(self.told("-X", method)["method"], method)

    def test_options_asterisk(self):
        with self.proxy.client() as client:
            self.assertEqual(client.get("*", method="OPTIONS").json()["target"], "*")

    def test_head_has_the_length_and_no_body(self):
        result = curl("-I", self.proxy.url("/length"))
        self.assertEqual((result.response.header("content-length"), result.body), ("4321", b""))

    def test_post_bodies_of_every_size_arrive_whole(self):
        for size in (0, 1, 4095, 65536, 300_001, 3_000_000):
            body = os.urandom(size)
            with self.subTest(size=size):
                result = curl("--data-binary", "@-", "-H", "Expect:", self.proxy.url("/post"), stdin=body)
                self.assertEqual(result.json()["body"].encode("latin-1"), body)

    def test_chunked_requests_arrive_whole(self):
        body = os.urandom(200_000)
        result = curl("-T", "-", "-H", "Expect:", self.proxy.url("/put"), stdin=body)
        self.assertEqual(result.json()["body"].encode("latin-1"), body)
        self.assertEqual(self.app.last().header("transfer-encoding"), "chunked")

    def test_chunked_responses_arrive_whole(self):
        result = curl(self.proxy.url("/chunked"))
        self.assertEqual(result.body, b"in chunks" * 1000)
        self.assertEqual(result.response.header("transfer-encoding"), "chunked")

    def test_trailers_go_both_ways(self):
        with self.proxy.client() as client:
            client.request("POST", "/trailers", [("Transfer-Encoding", "chunked"), ("Trailer", "X-Check"), ("TE", "trailers")])
            client.send(chunks(b"payload", [("X-Check", "7")]))
            response = client.read_response()
        self.assertEqual(response.trailers.all("x-sum"), ["42"])
        self.assertEqual(self.app.last().trailers.all("x-check"), ["7"])

    def test_trailers_that_frame_route_or_identify_are_dropped(self):
        bad = [("Content-Length", "5"), ("Host", "evil"), ("X-Forwarded-For", "9.9.9.9"), ("Authorization", "x")]
        with self.proxy.client() as client:
            client.request("POST", "/x", [("Transfer-Encoding", "chunked")])
            client.send(chunks(b"payload", [*bad, ("X-Fine", "1")]))
            self.assertEqual(client.read_response().status, 200)
        self.assertEqual(self.app.last().trailers.names(), ["x-fine"])

    # Expect and interim responses.

    def test_expect_100_continue_by_curl(self):
        result = curl("-H", "Expect: 100-continue", "--data-binary", "@-", self.proxy.url("/x"), stdin=b"y" * 2000)
        self.assertEqual(result.json()["body"], "y" * 2000)

    def test_100_continue_comes_before_the_body_is_sent(self):
        def continues(connection):
            for _ in range(2):
                connection.read_request_head()
                connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                connection.send(respond(200, connection.read_exact(5)))

        proxy = self.start(config(service(self.backend(continues)), workers=1))
        with proxy.client() as client:
            for body in (b"hello", b"again"):
                client.request("POST", "/x", [("Expect", "100-continue"), ("Content-Length", "5")])
                self.assertEqual(client.read_response_head().status, 100)
                client.send(body)
                self.assertEqual(client.read_response().body, body)

    def test_another_expectation_is_417(self):
        self.assertEqual(self.proxy.get("/x", [("Expect", "miracles")]).status, 417)

    def test_103_is_relayed(self):
        response = self.proxy.get("/interim")
        self.assertEqual([i.status for i in response.interim], [103])
        self.assertEqual(response.interim[0].header("link"), "</a.css>; rel=preload")
        self.assertEqual(response.body, b"after the hints")

    def test_103_is_kept_from_a_1_0_client(self):
        with self.proxy.client() as client:
            client.request("GET", "/interim", version="HTTP/1.0")
            response = client.read_response()
        self.assertEqual((response.interim, response.body), ([], b"after the hints"))

    # Responses without a body, and without a length.

    def test_204_and_304_end_with_their_head(self):
        with self.proxy.client() as client:
            self.assertEqual(client.get("/204").status, 204)
            response = client.get("/304")
            self.assertEqual((response.status, response.header("etag")), (304, '"a"'))
            self.assertEqual(client.get("/chunked").body, b"in chunks" * 1000)

    def test_until_close_response_arrives_whole(self):
        self.assertEqual(curl(self.proxy.url("/until-close")).body, b"until the end")

    def test_until_close_response_does_not_end_a_1_1_client_early(self):
        with self.proxy.client() as client:
            response = client.get("/until-close")
            self.assertEqual(response.body, b"until the end")
            # Either chunked and kept, or closed: never a response whose end the client cannot tell from a cut.
            if response.header("transfer-encoding") == "chunked":
                self.assertEqual(client.get("/204").status, 204)
            else:
                self.assertTrue(response.closes())

    def test_http_1_0_backend_is_not_kept(self):
        app = self.backend(handle)
        proxy = self.start(config(service(app), workers=1))
        for _ in range(2):
            self.assertEqual(proxy.get("/http10").body, b"old")
        self.assertEqual(len(app.connections), 2)

    # HTTP/1.0 clients.

    def test_http_1_0_by_curl(self):
        result = curl("-0", self.proxy.url("/chunked"))
        self.assertEqual(result.body, b"in chunks" * 1000)
        self.assertIsNone(result.response.header("transfer-encoding"))

    def test_http_1_0_client_gets_no_chunks_and_a_close(self):
        with self.proxy.client() as client:
            client.request("GET", "/chunked", version="HTTP/1.0")
            response = client.read_response()
            self.assertIsNone(response.header("transfer-encoding"))
            self.assertEqual(response.body, b"in chunks" * 1000)
            self.assertEqual(client.closed_by_peer(), b"")

    def test_http_1_0_without_host_is_served(self):
        with self.proxy.client() as client:
            client.request("GET", "/x", host=None, version="HTTP/1.0")
            self.assertEqual(client.read_response().status, 200)
        host, port = self.proxy.address()
        self.assertEqual(self.app.last().header("host"), f"{host}:{port}", "what it aimed at: an empty Host is refused by many")

    def test_http_1_0_keep_alive_when_asked(self):
        with self.proxy.client() as client:
            for _ in range(2):
                client.request("GET", "/x", [("Connection", "keep-alive")], version="HTTP/1.0")
                response = client.read_response()
                self.assertEqual(response.status, 200)
                self.assertTrue(response.fields.lists("connection", "keep-alive"))

    # Connections.

    def test_keep_alive_carries_many_requests_on_one_connection_each_side(self):
        app = self.backend()
        proxy = self.start(config(service(app), workers=1))
        with proxy.client() as client:
            for n in range(50):
                self.assertEqual(client.get(f"/{n}").json()["target"], f"/{n}")
        self.assertEqual(len(app.connections), 1)
        for n in range(5):
            proxy.get(f"/again/{n}")
        self.assertEqual(len(app.connections), 1, "the pool hands out the idle connection")

    def test_connection_close_is_honoured(self):
        with self.proxy.client() as client:
            response = client.get("/x", [("Connection", "close")])
            self.assertTrue(response.closes())
            self.assertEqual(client.closed_by_peer(), b"")

    def test_a_close_does_not_take_the_answer_from_a_client_that_sends_on(self):
        """RFC 9112 9.6: closing with octets unread would be a reset."""
        with self.proxy.client() as client:
            client.send(b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + b"x" * 1_000_000)
            self.assertEqual(client.read_response().status, 200)
            self.assertEqual(client.read_to_end(), b"")

    def test_pipelined_requests_are_answered_in_order(self):
        with self.proxy.client() as client:
            for n in range(40):
                if n % 3:
                    client.request("GET", f"/{n}")
                else:
                    client.request("POST", f"/{n}", body=b"b" * n * 100)
            for n in range(40):
                told = client.read_response().json()
                self.assertEqual((told["target"], len(told["body"])), (f"/{n}", 0 if n % 3 else n * 100))

    def test_pipelined_in_every_cut(self):
        text = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\nPOST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz"
        text += b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"abc")
        with self.proxy.client() as client:
            for cut in range(1, len(text), 3):
                client.send_apart(text[:cut])
                client.send(text[cut:])
                told = [client.read_response().json() for _ in range(3)]
                self.assertEqual([(t["target"], t["body"]) for t in told], [("/a", ""), ("/b", "xyz"), ("/c", "abc")])

    def test_half_closed_client_still_gets_its_answers(self):
        with self.proxy.client() as client:
            client.request("GET", "/1")
            client.request("POST", "/2", body=b"last words")
            client.finish()
            self.assertEqual(client.read_response().json()["target"], "/1")
            self.assertEqual(client.read_response().json()["body"], "last words")
            self.assertEqual(client.closed_by_peer(), b"")

    def test_two_leading_empty_lines_are_skipped(self):
        with self.proxy.client() as client:
            client.send(b"\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n")
            self.assertEqual(client.read_response().status, 200)

    # Targets and fields.

    def test_absolute_form_is_normalised(self):
        with self.proxy.client() as client:
            told = client.get("http://shop.example:8080/a?b", host="shop.example:8080").json()
        self.assertEqual(told["target"], "/a?b")
        self.assertEqual([v for n, v in told["fields"] if n.lower() == "host"], ["shop.example:8080"])

    def test_absolute_form_by_curl(self):
        host, port = self.proxy.address()
        told = curl("-x", f"http://{host}:{port}", "--noproxy", "", "http://shop.example/a").json()
        self.assertEqual(told["target"], "/a")

    def test_connect_is_refused(self):
        with self.proxy.client() as client:
            client.request("CONNECT", "shop.example:443", host="shop.example:443")
            self.assertEqual(client.read_response().status, 405)
        self.assertNotIn("CONNECT", [r.method for r in self.app.requests])

    def test_hop_by_hop_fields_stay_on_their_hop(self):
        fields = [("Connection", "X-Mine, keep-alive"), ("X-Mine", "1"), ("Keep-Alive", "9"), ("Proxy-Connection", "x"),
                  ("TE", "gzip"), ("Proxy-Authorization", "Basic x"), ("X-Yours", "2")]  # fmt: skip
        with self.proxy.client() as client:
            response = client.get("/hop", fields)
        names = self.app.last().fields.names()
        for gone in ("x-mine", "keep-alive", "proxy-connection", "te"):
            self.assertNotIn(gone, names)
        self.assertIn("x-yours", names)
        self.assertNotIn("x-private", response.fields.names())
        self.assertNotIn("keep-alive", response.fields.names())
        self.assertEqual(response.header("x-public"), "2")

    def test_repeated_fields_keep_their_number_order_and_case(self):
        with self.proxy.client() as client:
            client.get("/x", [("Cookie", "a=1"), ("X-MiXed", "1"), ("Cookie", "b=2")])
        own = [f for f in self.app.last().fields if f[0] in ("Cookie", "X-MiXed")]
        self.assertEqual(own, [("Cookie", "a=1"), ("X-MiXed", "1"), ("Cookie", "b=2")])


class Listening(ProxyTest):
    def test_every_kind_of_listener_serves(self):
        app = self.backend()
        path = os.path.join(self.enterContext(tempfile.TemporaryDirectory(prefix="telltale-test-")), "front.sock")
        kinds = {"v4": "127.0.0.1:0", "v6": "[::1]:0", "dual": "[::]:0", "unix": "unix:" + path}
        proxy = self.start(config(service(app), listeners=[listener(n, a) for n, a in kinds.items()]))
        self.assertEqual(set(proxy.listeners), set(kinds))
        for name in ("v4", "v6", "dual"):
            with self.subTest(listener=name):
                self.assertEqual(proxy.get("/" + name, listener=name).status, 200)
        host, port = "::1", proxy.listeners["dual"][1]
        self.assertEqual(curl(f"http://[{host}]:{port}/dual6").status, 200)
        self.assertEqual(curl("--unix-socket", path, "http://h/unix").status, 200)

    def test_a_dual_stack_listener_unmaps_ipv4_clients(self):
        """CVE-2024-24790: an IPv4-mapped address is the IPv4 address."""
        app = self.backend()
        proxy = self.start(config(service(app), listeners=[listener(listen="[::]:0")]))
        proxy.get("/", source="127.0.0.8")
        self.assertEqual(app.last().header("x-forwarded-for"), "127.0.0.8")

    def test_backend_on_a_unix_socket_and_on_ipv6(self):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="telltale-test-"))
        one = self.backend(address=os.path.join(directory, "app.sock"))
        two = self.backend(address=("::1", 0))
        for app in (one, two):
            with self.subTest(address=app.address):
                self.assertEqual(self.start(config(service(app))).get("/").status, 200)


if __name__ == "__main__":
    main()
