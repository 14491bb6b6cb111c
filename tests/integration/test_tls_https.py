"""HTTPS as sites have it: everybody is sent there, and told to stay (RFC 6797)."""

import os

from support import config, curl, http_handler, listener, main, refused_address, respond, service
from support.tls_case import TlsTest, tls

YEAR = "max-age=31536000"


class Hsts(TlsTest):
    def serve(self, hsts, backend=None):
        of_backend = [("Strict-Transport-Security", "max-age=1"), ("strict-transport-security", "max-age=2")]
        backend = backend or self.backend(http_handler(lambda request: respond(200, b"well", fields=of_backend)))
        routes = [
            {"match": {"path": "/fixed"}, "respond": {"status": 200, "body": "fixed"}},
            {"match": {"path": "/elsewhere"}, "redirect": {"path": "/x"}},
            {"match": {"path": "/down"}, "service": "down"},
            {"match": {"path": "/app"}, "service": "app"},
        ]
        down = self.enterContext(refused_address())
        fields = {"hsts": hsts} if hsts is not None else {}
        listeners = [listener(routes=routes, tls=tls(self.a, **fields)), listener("http", routes=routes)]
        return self.start(config(service(backend), service(down, name="down"), listeners=listeners))

    def told(self, client, target, method="GET", fields=()) -> tuple:
        response = client.get(target, fields, method=method)
        return response.status, response.fields.all("Strict-Transport-Security")

    def test_every_response_has_it_once(self):
        proxy = self.serve({"include_subdomains": True})
        for target, status in (("/app", 200), ("/fixed", 200), ("/elsewhere", 308), ("/down", 502), ("/none", 404)):
            with self.subTest(target):
                found = self.told(self.client(proxy), target)
                self.assertEqual((found[0] // 100, found[1]), (status // 100, [YEAR + "; includeSubDomains"]))
        self.assertEqual(self.told(self.client(proxy), "/app", "HEAD")[1], [YEAR + "; includeSubDomains"])
        wrong = self.client(proxy)
        wrong.send(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n")
        response = wrong.read_response("GET")
        self.assertEqual(response.status, 400)
        self.assertEqual(response.header("Strict-Transport-Security"), YEAR + "; includeSubDomains")

    def test_nothing_is_said_without_tls(self):
        """RFC 6797 7.2. What a backend says is its own."""
        proxy = self.serve({})
        with proxy.client("http") as client:
            self.assertEqual(self.told(client, "/fixed"), (200, []))
            self.assertEqual(self.told(client, "/app"), (200, ["max-age=1", "max-age=2"]))
        with proxy.client() as client:  # plain HTTP at the TLS port
            self.assertEqual(self.told(client, "/app"), (400, []))

    def test_a_backends_own_stands_where_there_is_none(self):
        self.assertEqual(self.told(self.client(self.serve(None)), "/app")[1], ["max-age=1", "max-age=2"])

    def test_curl_is_sent_to_https_and_stays(self):
        backend = self.backend()
        http_routes = [{"redirect": {"scheme": "https"}}]
        listeners = [listener(tls=tls(self.a, hsts={})), listener("http", routes=http_routes)]
        proxy = self.start(config(service(backend), listeners=listeners))
        ports = {80: proxy.address("http")[1], 443: proxy.address()[1]}
        arguments = ["--cacert", self.authority, "--location", "--hsts", os.path.join(self.directory, "hsts")]
        for port, real in ports.items():
            arguments += ["--connect-to", f"a.test:{port}:127.0.0.1:{real}"]
        redirected = curl(*arguments[:2], *arguments[5:], "http://a.test/x?y")
        self.assertEqual(redirected.status, 308)
        self.assertEqual(redirected.response.header("Location"), "https://a.test/x?y")
        for number, at_http in ((1, 2), (2, 2)):
            answer = curl(*arguments, "--write-out", "%{stderr}%{url_effective}", "http://a.test/x?y")
            # curl -i shows every head: the last one is behind the others.
            body = answer.body[answer.body.rfind(b"HTTP/1.1 200") :] if number == 1 else answer.body
            self.assertIn(b'"target": "/x?y"', body)
            self.assertIn("https://a.test/x?y", answer.stderr)
            records = proxy.wait_access(lambda r: r["listener"] == "web", count=number)
            self.assertEqual(records[-1]["status"], 200)
            plain = [r for r in proxy.access_log() if r["listener"] == "http"]
            self.assertEqual(len(plain), at_http, "the second time it knows")


if __name__ == "__main__":
    main()
