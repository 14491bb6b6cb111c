"""Every kind of health probe, against servers that others wrote: nginx, OpenSSL's s_server, gRPC."""

import os
import re
import subprocess
import tempfile

from support import (
    GrpcHealth,
    Nginx,
    ProxyTest,
    config,
    http_handler,
    issued,
    main,
    refused_address,
    respond,
    self_signed,
    service,
    wait_until,
)
from support.process import Process, find_program
from support.waiting import binary_path

FAST = {"interval": "50ms", "timeout": "5s"}


class KindsTest(ProxyTest):
    def probing(self, address, health, **fields):
        return self.start(config(service(address, health={**FAST, **health}, **fields)))

    def wait_verdict(self, proxy, state, reason):
        """That endpoint's state and a reason like this; the reasons it had are shown when it does not come."""
        (name,) = proxy.endpoint_states()
        proxy.wait_states(**{name: state})
        self.assertRegex(self.reason(proxy), reason)

    def reason(self, proxy):
        (endpoint,) = proxy.services()["app"]["endpoints"]
        return endpoint["health"]["reason"]


class Https(KindsTest):
    """nginx and s_server with certificates of an authority of our own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="telltale-certificates-"))
        cls.authority = self_signed(cls.directory, "authority", "/CN=authority")
        cls.other = self_signed(cls.directory, "other", "/CN=other")
        cls.certificate = issued(cls.directory, "app", cls.authority, "DNS:app.internal,IP:127.0.0.1")

    def nginx(self, rest="return 200 ready;", listen="ssl"):
        certificate = f"ssl_certificate {self.certificate}; ssl_certificate_key {self.certificate};"
        return self.enterContext(Nginx(f"listen {{listen}} {listen}; {certificate} location / {{ {rest} }}"))

    def test_verifies_chain_and_name(self):
        nginx = self.nginx()
        cases = [
            ("the address", {"tls": {"ca": self.authority}}, "healthy", "answered 200"),
            ("a name", {"host": "app.internal", "tls": {"ca": self.authority}}, "healthy", "answered 200"),
            ("the name of the handshake", {"tls": {"ca": self.authority, "sni": "app.internal"}}, "healthy", "200"),
            ("another name", {"host": "web.internal", "tls": {"ca": self.authority}}, "unhealthy", "TLS: hostname mismatch"),
            ("another name, the chain alone", {"host": "web.internal", "tls": {"ca": self.authority, "verify": "ca"}}, "healthy", "200"),
            ("another authority", {"tls": {"ca": self.other}}, "unhealthy", "TLS: unable to get local issuer"),
            ("the system's authorities", {}, "unhealthy", "TLS: unable to get local issuer"),
            ("no verification", {"tls": {"verify": "none"}}, "healthy", "answered 200"),
        ]
        services = [service({"address": nginx.address, "name": f"pod-{n}"}, name=f"app-{n}", health={**FAST, "https": "/", **health})
                    for n, (_, health, _, _) in enumerate(cases)]  # fmt: skip
        proxy = self.start(config(*services, listeners=[{"listen": "127.0.0.1:0", "service": "app-0"}]))
        for n, (description, _, state, reason) in enumerate(cases):
            with self.subTest(description):
                proxy.wait_states(f"app-{n}", **{f"pod-{n}": state})
                self.assertRegex(proxy.services()[f"app-{n}"]["endpoints"][0]["health"]["reason"], reason)

    def test_one_connection_is_kept(self):
        nginx = self.nginx("return 200 $connection;")
        # The body is the connection's number: the first one that answered stays the only one.
        proxy = self.probing(nginx.address, {"https": "/", "tls": {"verify": "none"}, "expect": {"body": "^1$"}, "fall": 1})
        self.wait_verdict(proxy, "healthy", "answered 200")

    def test_proxy_header_goes_before_the_handshake(self):
        nginx = self.nginx("return 200 $ssl_protocol;", listen="ssl proxy_protocol")
        health = {"https": "/", "tls": {"ca": self.authority}, "send_proxy": "v2", "expect": {"body": "^TLSv1"}}
        proxy = self.probing(nginx.address, health, propagate={"proxy_protocol": "v2"})
        self.wait_verdict(proxy, "healthy", "answered 200")

    def test_plain_http_where_tls_is_spoken_and_the_reverse(self):
        tls = self.nginx()
        plain = self.enterContext(Nginx("listen {listen}; return 200;"))
        self.wait_verdict(self.probing(tls.address, {"http": "/"}), "unhealthy", "answered 400")
        proxy = self.probing(plain.address, {"https": "/"})
        self.wait_verdict(proxy, "unhealthy", "TLS: wrong version number: what came does not look like TLS")

    def test_authorities_that_cannot_be_read(self):
        missing = os.path.join(self.directory, "missing.pem")
        for ca, why in [(missing, "No such file or directory"), (self.directory, "")]:
            with self.subTest(ca):
                # It refuses, which must not be what decides.
                address = self.enterContext(refused_address())
                proxy = self.probing(address, {"https": "/", "fall": 1, "tls": {"ca": ca}})
                argv = [binary_path(), "check", "-c", proxy.file]
                checked = subprocess.run(argv, capture_output=True, text=True, check=False)
                self.assertEqual(checked.returncode, 2)
                self.assertIn(f"services[0].health.tls.ca: {ca}: {why}", checked.stderr)
                # The one that runs knows as little of the endpoint as before, and says why.
                wait_until(lambda p=proxy: self.reason(p) != "not probed yet", "the first probe")
                self.wait_verdict(proxy, "unknown", f"^TLS: {re.escape(ca)}: {why}")
                self.assertNotIn(" is unhealthy", proxy.log.text())

    def test_s_server_serves_a_file_and_closes(self):
        with open(os.path.join(self.directory, "healthz"), "w", encoding="ascii") as out:
            out.write("1 Service Endpoints found")
        argv = [find_program("openssl"), "s_server", "-WWW", "-accept", "127.0.0.1:0", "-cert", self.certificate]
        server = Process(argv, cwd=self.directory)
        self.addCleanup(server.kill)
        address = server.stdout.wait_line(r"^ACCEPT (127\.0\.0\.1:\d+)")[1]
        proxy = self.probing(address, {"https": "/healthz", "tls": {"ca": self.authority}})
        self.wait_verdict(proxy, "healthy", "answered 200: 1 local endpoint")


class Http(KindsTest):
    def test_expected_statuses(self):
        nginx = self.enterContext(Nginx("listen {listen}; location /moved { return 302 /; } location /off { return 503; }"))
        cases = [
            ("/moved", {}, "unhealthy", "answered 302"),
            ("/moved", {"status": ["200-299", "302"]}, "healthy", "answered 302"),
            ("/off", {"status": ["204"]}, "draining", "answered 503"),
            ("/off", {"status": ["500-599"]}, "healthy", "answered 503"),
        ]
        for path, expect, state, reason in cases:
            with self.subTest(path=path, expect=expect):
                proxy = self.probing(nginx.address, {"http": path, **({"expect": expect} if expect else {})})
                self.wait_verdict(proxy, state, reason)

    def test_a_body_that_changes_takes_the_endpoint_out_and_brings_it_back(self):
        body = {"text": "status: ready"}
        backend = self.backend(http_handler(lambda request: respond(200, body["text"])))
        proxy = self.probing(backend.address, {"http": "/", "expect": {"body": r"status: (ready|degraded)"}})
        self.wait_verdict(proxy, "healthy", "answered 200")
        body["text"] = "status: starting"
        self.wait_verdict(proxy, "unhealthy", "answered 200 with a body that is not as expected")
        body["text"] = "status: degraded"
        self.wait_verdict(proxy, "healthy", "answered 200")

    def test_headers_and_host(self):
        backend = self.backend(http_handler(lambda request: respond(200, "ok")))
        health = {"http": "/", "host": "app.internal", "headers": {"X-Probe": "telltale", "User-Agent": "checker/1"}}
        self.wait_verdict(self.probing(backend.address, health), "healthy", "answered 200")
        probe = backend.requests[0]
        self.assertEqual(probe.header("host"), "app.internal")
        self.assertEqual(probe.header("x-probe"), "telltale")
        self.assertEqual(probe.fields.all("user-agent"), ["checker/1"])

    def test_local_before_a_probe_of_the_serving_port(self):
        nginx = self.enterContext(Nginx("listen {listen} proxy_protocol; location / { return 200 $proxy_protocol_addr; }"))
        for version in ("v1", "v2"):
            health = {"http": "/", "send_proxy": version, "expect": {"body": "^$|^unknown$|^127.0.0.1$"}}
            proxy = self.probing(nginx.address, health, propagate={"proxy_protocol": version})
            self.wait_verdict(proxy, "healthy", "answered 200")


class Grpc(KindsTest):
    def server(self, *arguments, **options):
        return self.enterContext(GrpcHealth(*arguments, **options))

    def test_follows_what_the_health_service_says(self):
        server = self.server("SERVING")
        proxy = self.probing(server.address, {"grpc": "shop.v1.Cart"})
        self.wait_verdict(proxy, "healthy", "answered SERVING")
        for status, state, reason in [
            ("NOT_SERVING", "draining", "answered NOT_SERVING"),
            ("SERVING", "healthy", "answered SERVING"),
            ("SERVICE_UNKNOWN", "unhealthy", "answered SERVICE_UNKNOWN"),
            ("SERVING", "healthy", "answered SERVING"),
            ("UNAVAILABLE", "unhealthy", "answered UNAVAILABLE: as the test says"),
            ("SERVING", "healthy", "answered SERVING"),
            ("NOT_FOUND", "unhealthy", "does not know the service asked for"),
        ]:
            server.set_status(status)
            self.wait_verdict(proxy, state, reason)
        calls = server.calls()
        self.assertGreater(len(calls), 10)
        self.assertEqual(len(set(calls)), 1, "one connection, one service")
        self.assertEqual(calls[0][1], "shop.v1.Cart")

    def test_the_server_as_a_whole(self):
        server = self.server()
        self.wait_verdict(self.probing(server.address, {"grpc": True}), "healthy", "answered SERVING")
        self.assertEqual(server.calls()[0][1], "")

    def test_a_server_without_a_health_service(self):
        proxy = self.probing(self.server(with_health=False).address, {"grpc": True})
        self.wait_verdict(proxy, "unhealthy", "answered UNIMPLEMENTED: there is no grpc.health.v1.Health service")

    def test_a_server_that_speaks_http_1(self):
        nginx = self.enterContext(Nginx("listen {listen}; return 200;"))
        proxy = self.probing(nginx.address, {"grpc": True})
        self.wait_verdict(proxy, "unhealthy", "not an answer in HTTP/2|closed")

    def test_nginx_before_a_server_that_is_gone(self):
        # What a gateway answers for a backend that it cannot reach: HTTP 502 without a grpc-status.
        upstream = self.enterContext(refused_address())
        nginx = self.enterContext(Nginx(f"listen {{listen}} http2; location / {{ grpc_pass grpc://{upstream}; }}"))
        self.wait_verdict(self.probing(nginx.address, {"grpc": True}), "unhealthy", "answered 502, which is not gRPC")

    def test_nginx_before_a_server(self):
        server = self.server("NOT_SERVING")
        nginx = self.enterContext(Nginx(f"listen {{listen}} http2 proxy_protocol; location / {{ grpc_pass grpc://{server.address}; }}"))
        health = {"grpc": True, "send_proxy": "v2"}
        proxy = self.probing(nginx.address, health, propagate={"proxy_protocol": "v2"})
        self.wait_verdict(proxy, "draining", "answered NOT_SERVING")
        server.set_status("SERVING")
        self.wait_verdict(proxy, "healthy", "answered SERVING")


if __name__ == "__main__":
    main()
