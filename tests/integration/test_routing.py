"""Routes: by host and path, to a service, a redirect or a fixed answer."""

from support import ProxyTest, config, curl, http_handler, listener, main, respond, service

ROUTES = [
    {"name": "exact-path", "match": {"host": "shop.example", "path": "/cart", "path_type": "exact"}, "service": "cart"},
    {"name": "api", "match": {"host": "shop.example", "path": "/api"}, "service": "api"},
    {"name": "api-v2", "match": {"host": "shop.example", "path": "/api/v2/"}, "service": "api2"},
    {"name": "shop", "match": {"host": "shop.example"}, "service": "shop"},
    {"name": "deep", "match": {"host": "*.deep.example"}, "service": "deep"},
    {"name": "wild", "match": {"host": "*.example"}, "service": "wild"},
    {"name": "old", "match": {"host": "old.example"}, "redirect": {"scheme": "https", "host": "new.example"}},
    {"name": "moved", "match": {"path": "/moved"}, "redirect": {"path": "/here", "status": 301}},
    {"name": "see", "match": {"path": "/see"}, "redirect": {"host": "see.example", "status": 303}},
    {"name": "robots", "match": {"path": "/robots.txt", "path_type": "exact"}, "respond": {"body": "User-agent: *\n"}},
    {"name": "teapot", "match": {"path": "/teapot"}, "respond": {"status": 418, "content_type": "application/json", "body": "{}"}},
    {"name": "rest", "service": "rest"},
]
SERVICES = ["cart", "api", "api2", "shop", "deep", "wild", "rest"]


class Routing(ProxyTest):
    @classmethod
    def setUpClass(cls):
        cls.backends = {
            name: cls.class_backend(http_handler(lambda r, n=name: respond(200, n)), name=name) for name in SERVICES
        }
        listeners = [listener(routes=ROUTES), listener("few", routes=ROUTES[:1])]
        cls.proxy = cls.class_start(config(*[service(b, name=n) for n, b in cls.backends.items()], listeners=listeners))

    def test_the_most_specific_route_serves(self):
        for host, target, wanted in [
            ("shop.example", "/cart", "cart"),
            ("shop.example", "/cart?x=1", "cart"),
            ("shop.example", "/cart/", "shop"),
            ("shop.example", "/cart/1", "shop"),
            ("shop.example", "/api", "api"),
            ("shop.example", "/api/", "api"),
            ("shop.example", "/api/users", "api"),
            ("shop.example", "/apix", "shop"),
            ("shop.example", "/api?x", "api"),
            ("shop.example", "/api/v2/x", "api2"),
            ("shop.example", "/api/v2", "api2"),
            ("shop.example", "/api/v22", "api"),
            ("shop.example", "/", "shop"),
            ("SHOP.Example", "/", "shop"),
            ("shop.example:8080", "/", "shop"),
            ("a.example", "/", "wild"),
            ("a.b.example", "/", "wild"),
            ("x.deep.example", "/", "deep"),
            ("deep.example", "/", "wild"),
            ("example", "/", "rest"),
            ("notshop.example.org", "/", "rest"),
            ("xshop.example", "/", "wild"),
            ("127.0.0.1", "/", "rest"),
            ("[::1]:80", "/", "rest"),
            ("other.org", "/api", "rest"),
        ]:
            with self.subTest(host=host, target=target):
                self.assertEqual(self.proxy.get(target, host=host).body.decode(), wanted)

    def test_the_host_of_an_absolute_form_target_counts(self):
        with self.proxy.client() as client:
            self.assertEqual(client.get("http://shop.example/cart", host="shop.example").body, b"cart")

    def test_requests_of_one_connection_are_routed_one_by_one(self):
        with self.proxy.client() as client:
            for target, wanted in [("/cart", b"cart"), ("/api", b"api"), ("/", b"shop")] * 5:
                client.request("GET", target, host="shop.example")
            for target, wanted in [("/cart", b"cart"), ("/api", b"api"), ("/", b"shop")] * 5:
                self.assertEqual(client.read_response().body, wanted)

    def test_no_route_is_404(self):
        response = self.proxy.get("/", listener="few")
        self.assertEqual(response.status, 404)
        self.assertFalse(response.closes(), "an answer of our own does not end the connection")

    def test_redirects(self):
        port = self.proxy.address()[1]
        for host, target, status, location in [
            ("old.example", "/a?b=1", 308, "https://new.example/a?b=1"),
            ("other.org", "/moved/x?y", 301, "http://other.org/here"),
            (f"other.org:{port}", "/moved", 301, f"http://other.org:{port}/here"),
            ("other.org", "/see/x?y", 303, "http://see.example/see/x?y"),
        ]:
            with self.subTest(host=host, target=target):
                response = self.proxy.get(target, host=host)
                self.assertEqual((response.status, response.header("location")), (status, location))

    def test_redirect_of_a_request_without_host(self):
        host, port = self.proxy.address()
        with self.proxy.client() as client:
            client.request("GET", "/moved", host=None, version="HTTP/1.0")
            self.assertEqual(client.read_response().header("location"), f"http://{host}:{port}/here")

    def test_redirect_cannot_be_split(self):
        """Whatever a client puts into target or host, Location stays one field."""
        response = self.proxy.get("/a?%0d%0aSet-Cookie:%20x=1", host="old.example")
        self.assertEqual(response.header("location"), "https://new.example/a?%0d%0aSet-Cookie:%20x=1")
        self.assertIsNone(response.header("set-cookie"))

    def test_fixed_answers(self):
        response = self.proxy.get("/robots.txt", host="x.org")
        self.assertEqual((response.status, response.body), (200, b"User-agent: *\n"))
        self.assertTrue(response.header("content-type").startswith("text/plain"))
        response = self.proxy.get("/teapot", host="x.org")
        self.assertEqual((response.status, response.header("content-type"), response.body), (418, "application/json", b"{}"))

    def test_answers_of_our_own_keep_the_connection_and_swallow_the_body(self):
        with self.proxy.client() as client:
            for _ in range(3):
                response = client.get("/teapot", method="POST", body=b"x" * 10_000, host="x.org")
                self.assertEqual(response.status, 418)
                self.assertEqual(client.get("/robots.txt", method="HEAD", host="x.org").body, b"")
                self.assertEqual(client.get("/", host="x.org").body, b"rest")

    def test_pipelined_answers_of_our_own_stay_in_order(self):
        with self.proxy.client() as client:
            for _ in range(10):
                client.request("GET", "/", host="x.org")
                client.request("GET", "/teapot", host="x.org")
                client.request("GET", "/moved", host="x.org")
            for _ in range(10):
                self.assertEqual([client.read_response().status for _ in range(3)], [200, 418, 301])

    def test_curl_follows_a_redirect(self):
        host, port = self.proxy.address()
        result = curl("-L", "--connect-to", f"new.example:80:{host}:{port}", self.proxy.url("/moved"))
        self.assertEqual(result.response.status, 301)
        self.assertTrue(result.body.endswith(b"\r\n\r\nrest"), "the answer to the second request follows")

    def test_the_route_is_in_the_access_log(self):
        self.proxy.get("/api/logged-route", host="shop.example")
        record = self.proxy.wait_access(lambda r: r["target"] == "/api/logged-route")[0]
        self.assertEqual((record["route"], record["service"], record["status"]), ("api", "api", 200))

    def test_thousands_of_hosts(self):
        routes = [{"match": {"host": f"h{n}.example"}, "respond": {"body": f"host {n}"}} for n in range(3000)]
        proxy = self.start(config(service("127.0.0.1:1"), listeners=[listener(routes=routes)]))
        for n in (0, 1, 1499, 2999):
            self.assertEqual(proxy.get("/", host=f"h{n}.example").body.decode(), f"host {n}")


if __name__ == "__main__":
    main()
