"""TLS to backends: nginx, HAProxy, OpenSSL's s_server and Python as such; who is believed, and what is told of who is
not."""

import hashlib
import os
import re
import shutil
import ssl
import subprocess
import tempfile

from support import (
    Dnsmasq,
    HAProxy,
    Nginx,
    ProxyTest,
    config,
    http_handler,
    listener,
    main,
    refused_address,
    respond,
    self_signed,
    service,
    wait_until,
)
from support.certificates import expired, issued
from support.config import to_text
from support.messages import EndOfStream
from support.process import Process, find_program
from support.tls import TlsBackend, TlsClient, cut, server_context
from support.waiting import DEADLINE, SANITIZER, binary_path

SIZE = (2 if SANITIZER else 16) * 1024 * 1024
HANDSHAKES = "telltale_upstream_tls_handshakes_total"
RESUMED = "telltale_upstream_tls_resumed_total"
FAILURES = "telltale_upstream_tls_failures_total"
OPENED = "telltale_upstream_connections_opened_total"


class BackendTls(ProxyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="telltale-tls-"))
        cls.authority = self_signed(cls.directory, "ca", "/CN=authority")
        cls.other = self_signed(cls.directory, "other", "/CN=other")
        cls.app = issued(cls.directory, "app", cls.authority, "DNS:app.test,DNS:app.internal,IP:127.0.0.1")
        cls.us = issued(cls.directory, "us", cls.authority, "DNS:proxy.internal")

    def nginx(self, rest="return 200 ok;", *, certificate=None, listen="ssl", more="", versions="TLSv1.2 TLSv1.3") -> Nginx:
        file = certificate or self.app
        pair = f"ssl_certificate {file}; ssl_certificate_key {file}; ssl_protocols {versions};"
        return self.enterContext(Nginx(f"listen {{listen}} {listen}; {pair} {more} location / {{ {rest} }}"))

    def backend_tls(self, handler=None, *, context=None, **options) -> TlsBackend:
        return self.enterContext(TlsBackend(handler, context=context or server_context(self.app), **options))

    def serve(self, *backends, tls=None, listeners=None, workers=1, top=None, **fields):
        tls = {"ca": self.authority} if tls is None else tls
        return self.start(config(service(*backends, tls=tls, **fields), listeners=listeners, workers=workers, **(top or {})))

    def own(self, file=None, **fields) -> dict:
        """That we prove who we are."""
        file = file or self.us
        return {"ca": self.authority, "client_certificate": {"certificate": file, "key": file}, **fields}

    def failed(self, proxy, reason, pattern="", **wanted):
        """The record of the first failure."""
        record = proxy.wait_access(lambda r: r["reason"] is not None)[0]
        wanted = {"reason": reason, "failure_side": "upstream", **wanted}
        self.assertEqual({name: record[name] for name in wanted}, wanted, record)
        if pattern:
            self.assertRegex(record["failure"], pattern)
        return record


class Verification(BackendTls):
    def test_chain_and_name(self):
        over = expired(self.directory, "over", self.authority, "IP:127.0.0.1")
        alone = self_signed(self.directory, "alone", "/CN=alone")
        names = issued(self.directory, "names", self.authority, "DNS:app.internal")
        ca, us = {"ca": self.authority}, "certificate verify failed: "
        issuer = us + "unable to get local issuer certificate"
        cases = [
            ("the address", self.app, ca, None),
            ("a name", self.app, {**ca, "sni": "app.internal"}, None),
            ("another name", self.app, {**ca, "sni": "web.internal"}, us + "hostname mismatch"),
            ("another name, the chain alone", self.app, {**ca, "sni": "web.internal", "verify": "ca"}, None),
            ("another address", names, ca, us + "IP address mismatch"),
            ("another authority", self.app, {"ca": self.other}, issuer),
            ("another authority, the chain alone", self.app, {"ca": self.other, "verify": "ca"}, issuer),
            ("the system's authorities", self.app, {}, issuer),
            ("an expired one", over, ca, us + "certificate has expired"),
            ("an expired one, the chain alone", over, {**ca, "verify": "ca"}, us + "certificate has expired"),
            ("signed by itself", alone, ca, us + "self-signed certificate"),
            ("signed by itself, and believed", alone, {"ca": alone, "verify": "ca"}, None),
            ("an expired one of another name, and nobody minds", over, {"verify": "none"}, None),
        ]
        peers = {file: self.nginx(certificate=file) for file in (self.app, over, alone, names)}
        services = [service(peers[file], name=f"app-{n}", tls=tls) for n, (_, file, tls, _) in enumerate(cases)]
        routes = [{"match": {"host": f"app-{n}.test"}, "service": f"app-{n}"} for n in range(len(cases))]
        proxy = self.start(config(*services, listeners=[listener(routes=routes)]))
        for n, (description, _, _, failure) in enumerate(cases):
            with self.subTest(description), proxy.client() as client:
                response = client.get("/", host=f"app-{n}.test")
                record = proxy.wait_access(lambda r, n=n: r["service"] == f"app-{n}")[0]
                if failure is None:
                    self.assertEqual((response.status, response.body), (200, b"ok"), record)
                    continue
                self.assertEqual(response.status, 502)
                told = {name: record[name] for name in ("reason", "failure", "failure_phase", "failure_side")}
                wanted = {"reason": "tls_verify_failed", "failure": failure}
                self.assertEqual(told, {**wanted, "failure_phase": "handshake", "failure_side": "upstream"})
                self.assertEqual(proxy.metrics().sum(FAILURES, service=f"app-{n}"), 1)

    def test_the_name_that_is_asked_for(self):
        seen = "return 200 '$ssl_server_name $ssl_protocol';"
        nginx = self.nginx(seen)
        port = nginx.sockname()[1]
        dns = self.enterContext(
            Dnsmasq([("127.0.0.1", "app.test")], srv=[("_https._tcp.app.test", "app.test", port, 0, 1)])
        )
        dns_fields = {"dns": {"servers": [dns.address]}}
        for description, backend, fields, name in [
            ("an address has none", nginx, {}, ""),
            ("the name that was looked up", f"app.test:{port}", {}, "app.test"),
            ("the domain of an SRV record", {"srv": "_https._tcp.app.test"}, {}, "app.test"),
            ("what is configured goes first", f"app.test:{port}", {"sni": "app.internal"}, "app.internal"),
        ]:
            with self.subTest(description):
                proxy = self.serve(backend, tls={"ca": self.authority, **fields}, top=dns_fields)
                self.assertEqual(proxy.get("/").body.decode(), f"{name} TLSv1.3")
        with self.subTest("a node by name"):
            node = {"name": "a", "address": "app.test", "port": port}
            proxy = self.serve(nodes=[node], tls={"ca": self.authority}, top=dns_fields)
            self.assertEqual(proxy.get("/").body.decode(), "app.test TLSv1.3")

    def test_a_name_that_is_found_must_be_in_the_certificate(self):
        nginx = self.nginx(certificate=issued(self.directory, "addressed", self.authority, "IP:127.0.0.1"))
        dns = self.enterContext(Dnsmasq([("127.0.0.1", "app.test")]))
        proxy = self.serve(f"app.test:{nginx.sockname()[1]}", top={"dns": {"servers": [dns.address]}})
        self.assertEqual(proxy.get("/").status, 502)
        self.failed(proxy, "tls_verify_failed", "hostname mismatch")

    def test_what_is_no_tls(self):
        plain = self.enterContext(Nginx("listen {listen}; return 200;"))
        proxy = self.serve(plain)
        self.assertEqual(proxy.get("/").status, 502)
        self.failed(proxy, "tls_handshake_failed", "does not look like TLS", failure_phase="handshake")

    def test_a_handshake_that_does_not_end(self):
        silent = self.backend(lambda connection: connection.backend.release.wait())
        proxy = self.serve(silent, timeouts={"connect": "300ms"})
        self.assertEqual(proxy.get("/").status, 504)
        self.failed(proxy, "connect_timeout", failure_phase="handshake")

    def test_a_handshake_that_is_cut(self):
        closing = self.backend(lambda connection: connection.read_some())
        proxy = self.serve(closing)
        self.assertEqual(proxy.get("/").status, 502)
        self.failed(proxy, "tls_handshake_failed", failure_phase="handshake")

    def test_nothing_of_a_request_goes_in_clear(self):
        seen = self.backend(lambda connection: connection.read_some())
        proxy = self.serve(seen, propagate={"proxy_protocol": "v1"})
        self.assertEqual(proxy.get("/secret").status, 502)
        octets = seen.wait_closed().received
        self.assertNotIn(b"GET", bytes(octets))

    def test_retries_go_to_an_endpoint_that_is_right(self):
        bad = self.nginx(certificate=self_signed(self.directory, "bad", "/CN=bad"))
        proxy = self.serve(bad, self.nginx(), retries={"attempts": 1})
        for _ in range(6):
            with proxy.client() as client:
                response = client.get("/", [("Content-Type", "text/plain")], method="POST", body=b"x" * 1000)
                self.assertEqual(response.status, 200)
        metrics = proxy.metrics()
        self.assertGreater(metrics.sum("telltale_retries_total"), 0)
        self.assertEqual(metrics.sum(FAILURES), metrics.sum("telltale_retries_total"))
        self.assertEqual(metrics.sum("telltale_requests_total", code_class="5xx"), 0)

    def test_ejection(self):
        bad = self.nginx(certificate=self_signed(self.directory, "bad", "/CN=bad"))
        proxy = self.serve(
            {"address": bad.address, "name": "bad"}, {"address": self.nginx().address, "name": "good"},
            retries={"attempts": 1}, ejection={"failures": 2, "time": "5m"},
        )  # fmt: skip

        def out():
            proxy.get("/")
            return proxy.endpoint_states()["bad"] == "unhealthy"

        wait_until(out, "the bad one to be ejected")
        self.assertIn("tls_verify_failed", proxy.log.text())


class OurCertificate(BackendTls):
    def test_nginx_asks(self):
        nginx = self.nginx(
            "return 200 '$ssl_client_verify $ssl_client_s_dn';",
            more=f"ssl_client_certificate {self.authority}; ssl_verify_client on;",
        )
        self.assertEqual(self.serve(nginx, tls=self.own()).get("/").body.decode(), "SUCCESS CN=us")
        self.assertEqual(self.serve(nginx).get("/").status, 400)

    def test_who_is_refused_is_told(self):
        """With TLS 1.3 the handshake is over for us before the backend has seen the certificate."""
        stranger = issued(self.directory, "stranger", self.other, "DNS:stranger.internal")
        for most in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = server_context(self.app, authority=self.authority, most=most)
            for description, tls, pattern in [
                ("no certificate", {"ca": self.authority}, "alert (certificate required|handshake failure)"),
                ("another authority's", self.own(stranger), "alert unknown ca"),
            ]:
                with self.subTest(description, most=most):
                    proxy = self.serve(self.backend_tls(context=context), tls=tls)
                    self.assertEqual(proxy.get("/").status, 502)
                    record = proxy.wait_access()[0]
                    # A backend that closes at once may have its alert overtaken by a reset.
                    if record["reason"] != "upstream_reset":
                        self.assertEqual(record["reason"], "tls_handshake_failed", record)
                        self.assertRegex(record["failure"], pattern)

    def test_probes_show_it_too(self):
        nginx = self.nginx(more=f"ssl_client_certificate {self.authority}; ssl_verify_client on;")
        health = {"https": "/", "interval": "50ms", "timeout": "5s"}
        for own_tls in ({}, {"tls": {"verify": "none"}}):
            with self.subTest(own_tls):
                backend = {"address": nginx.address, "name": "pod"}
                proxy = self.serve(backend, tls=self.own(), health={**health, **own_tls})
                proxy.wait_states(pod="healthy")
        proxy = self.serve({"address": nginx.address, "name": "pod"}, health={**health, "fall": 1})
        proxy.wait_states(pod="unhealthy")

    def test_probes_look_for_the_name_that_was_found(self):
        nginx = self.nginx(certificate=issued(self.directory, "found", self.authority, "DNS:app.test"))
        dns = self.enterContext(Dnsmasq([("127.0.0.1", "app.test")]))
        proxy = self.serve(
            {"address": f"app.test:{nginx.sockname()[1]}", "name": "pod"},
            top={"dns": {"servers": [dns.address]}},
            health={"https": "/", "interval": "50ms", "timeout": "5s"},
        )
        proxy.wait_states(pod="healthy")


class Sessions(BackendTls):
    def test_are_resumed(self):
        for version in ("TLSv1.2", "TLSv1.3"):
            with self.subTest(version):
                nginx = self.nginx(
                    "return 200 $ssl_session_reused;",
                    more="ssl_session_cache shared:S:1m; keepalive_timeout 0;",
                    versions=version,
                )
                proxy = self.serve(nginx)
                self.assertEqual([proxy.get("/").body for _ in range(5)], [b".", b"r", b"r", b"r", b"r"])
                metrics = proxy.metrics()
                self.assertEqual((metrics.sum(HANDSHAKES), metrics.sum(RESUMED)), (5, 4))

    def test_of_each_endpoint_its_own(self):
        peers = [
            self.nginx("return 200 $ssl_session_reused;", more="keepalive_timeout 0;", certificate=self.app)
            for _ in range(2)
        ]
        proxy = self.serve(*peers)
        answers = [proxy.get("/").body for _ in range(10)]
        self.assertEqual(sorted(answers), [b"."] * 2 + [b"r"] * 8)

    def test_an_authority_that_is_believed_no_more(self):
        """The file is replaced while it runs: neither sessions nor connections of before are used."""
        ca = os.path.join(self.directory, "changing.pem")
        shutil.copy(self.authority, ca)
        nginx = self.nginx("return 200 '$ssl_session_reused $connection_requests';")
        proxy = self.serve(nginx, tls={"ca": ca})

        def replace(file, times):
            shutil.copy(file, ca + ".new")
            os.rename(ca + ".new", ca)
            wait_until(lambda: proxy.log.text().count("read again: in use") == times, "the file to be read")

        self.assertEqual([proxy.get("/").body for _ in range(2)], [b". 1", b". 2"])
        replace(self.other, 1)
        self.assertEqual(proxy.get("/").status, 502)
        self.failed(proxy, "tls_verify_failed", "unable to get local issuer")
        with open(ca, "w", encoding="ascii") as out:
            out.write("half of a")
        proxy.log.wait_line("error.*changing.pem: there is no certificate in it; what it had stays in use")
        self.assertEqual(proxy.get("/").status, 502)
        replace(self.authority, 2)
        self.assertEqual(proxy.get("/").body, b". 1")

    def test_a_certificate_of_ours_that_changes(self):
        mine = os.path.join(self.directory, "mine.pem")
        shutil.copy(self.us, mine)
        nginx = self.nginx(
            "return 200 $ssl_client_s_dn;", more=f"ssl_client_certificate {self.authority}; ssl_verify_client on;"
        )
        proxy = self.serve(nginx, tls=self.own(mine))
        self.assertEqual(proxy.get("/").body, b"CN=us")
        shutil.copy(issued(self.directory, "us2", self.authority, "DNS:proxy.internal"), mine + ".new")
        os.rename(mine + ".new", mine)
        proxy.log.wait_line("service app: certificates read again")
        self.assertEqual(proxy.get("/").body, b"CN=us2")


class Data(BackendTls):
    def test_bodies_both_ways(self):
        body = os.urandom(1 << 20) * (SIZE >> 20)
        digest = hashlib.sha256(body).hexdigest()

        def answer(request):
            if request.method == "POST":
                return respond(200, hashlib.sha256(request.body).hexdigest().encode())
            return respond(200, body, chunked=request.target == "/chunked")

        for most in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(most=most):
                context = server_context(self.app, most=most)
                proxy = self.serve(self.backend_tls(http_handler(answer), context=context, record=False))
                with proxy.client(record=False) as client:
                    for target in ("/", "/chunked"):
                        self.assertEqual(hashlib.sha256(client.get(target).body).hexdigest(), digest)
                    self.assertEqual(client.get("/", method="POST", body=body).body.decode(), digest)
                self.assertEqual(proxy.metrics().sum(OPENED), 1)

    def test_a_slow_client(self):
        body = os.urandom(1 << 20) * (SIZE >> 20)
        proxy = self.serve(self.backend_tls(http_handler(lambda request: respond(200, body)), record=False))
        with proxy.client(receive_buffer=8192, record=False) as client:
            self.assertEqual(hashlib.sha256(client.get("/").body).digest(), hashlib.sha256(body).digest())

    def test_an_end_that_is_told(self):
        def handle(connection):
            connection.next_request()
            connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")

        self.assertEqual(self.serve(self.backend_tls(handle)).get("/").body, b"all of it")

    def test_an_end_that_is_cut(self):
        """A body that ends with the connection is whole only behind a close_notify."""

        def handle(connection):
            connection.next_request()
            connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of it")
            cut(connection)

        proxy = self.serve(self.backend_tls(handle))
        with self.assertRaises((EndOfStream, ConnectionError)):
            proxy.get("/")
        self.failed(proxy, "upstream_closed", "unexpected eof", failure_phase="response_body")

    def test_a_length_needs_no_end(self):
        def handle(connection):
            connection.next_request()
            connection.send(respond(200, b"all of it"))
            cut(connection)

        self.assertEqual(self.serve(self.backend_tls(handle)).get("/").body, b"all of it")

    def test_tls_on_both_sides(self):
        tls = {"certificates": [{"certificate": self.app, "key": self.app}]}
        body = os.urandom(1 << 20)
        backend = self.backend_tls(http_handler(lambda request: respond(200, request.body or body)), record=False)
        proxy = self.serve(backend, listeners=[listener(tls=tls)])
        with TlsClient(proxy.address(), record=False) as client:
            self.assertEqual(client.get("/").body, body)
            self.assertEqual(client.get("/", method="POST", body=body[::-1]).body, body[::-1])

    def test_an_upgrade(self):
        def handle(connection):
            connection.next_request()
            connection.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            while octets := connection.read_some():
                connection.send(octets)

        proxy = self.serve(self.backend_tls(handle))
        with proxy.client() as client:
            client.request("GET", "/", [("Connection", "Upgrade"), ("Upgrade", "echo")])
            self.assertEqual(client.read_response_head().status, 101)
            for octets in (b"a", b"b" * 100_000, b"c"):
                client.send(octets)
                self.assertEqual(client.read_exact(len(octets)), octets)


class Pool(BackendTls):
    def test_one_connection_serves_many(self):
        for version in ("TLSv1.2", "TLSv1.3"):
            with self.subTest(version):
                nginx = self.nginx("return 200 $connection_requests;", versions=version)
                proxy = self.serve(nginx)
                self.assertEqual([int(proxy.get("/").body) for _ in range(20)], list(range(1, 21)))
                self.assertEqual(proxy.metrics().sum(OPENED), 1)

    def test_an_answer_that_nobody_asked_for(self):
        def handle(connection):
            connection.next_request()
            connection.send(respond(200, b"first"))
            connection.backend.release.wait()
            connection.send(respond(200, b"unasked"))
            connection.read_some()

        backend = self.backend_tls(handle)
        proxy = self.serve(backend)
        self.assertEqual(proxy.get("/").body, b"first")
        backend.release.set()
        backend.wait_closed()
        self.assertEqual(proxy.get("/").body, b"first")
        self.assertEqual(len(backend.connections), 2)

    def test_a_backend_that_closes_and_comes_again(self):
        backend = self.backend_tls()
        proxy = self.serve(backend)
        for _ in range(5):
            self.assertEqual(proxy.get("/").status, 200)
            backend.close_connections()
        # Whether each was seen before the next request does not matter: what was sent in vain is sent again.
        self.assertEqual(proxy.metrics().sum("telltale_requests_total", code_class="5xx"), 0)

    def test_identities_have_connections_of_their_own(self):
        nginx = self.nginx("return 200 '$proxy_protocol_addr $connection_requests';", listen="ssl proxy_protocol")
        proxy = self.serve(nginx, propagate={"proxy_protocol": "v2"})
        with proxy.client(source="127.0.0.7") as one, proxy.client(source="127.0.0.8") as other:
            for n in (1, 2, 3):
                self.assertEqual(one.get("/").body.decode(), f"127.0.0.7 {n}")
                self.assertEqual(other.get("/").body.decode(), f"127.0.0.8 {n}")


class RealPeers(BackendTls):
    def test_haproxy_takes_a_proxy_header_before_tls(self):
        haproxy = self.enterContext(
            HAProxy(
                f"frontend f\n  bind {{bind0}} accept-proxy ssl crt {self.app} alpn http/1.1\n"
                "  http-request return status 200 content-type text/plain lf-string "
                '"%[src] %[ssl_fc_alpn] %[ssl_fc_sni] %[ssl_fc_protocol]"\n'
            )
        )
        tls = {"ca": self.authority, "sni": "app.internal"}
        proxy = self.serve(haproxy, tls=tls, propagate={"proxy_protocol": "v2"})
        body = proxy.get("/", source="127.0.0.9").body.decode()
        self.assertEqual(body.split(), ["127.0.0.9", "http/1.1", "app.internal", "TLSv1.3"])

    def test_s_server(self):
        for version in ("-tls1_2", "-tls1_3"):
            with self.subTest(version):
                argv = [find_program("openssl"), "s_server", "-www", version, "-accept", "127.0.0.1:0", "-cert", self.app]
                server = Process(argv)
                self.addCleanup(server.kill)
                address = server.stdout.wait_line(r"^ACCEPT (127\.0\.0\.1:\d+)")[1]
                response = self.serve(address).get("/")
                self.assertEqual(response.status, 200)
                self.assertIn(b"Cipher", response.body)


class Tcp(BackendTls):
    def serve_tcp(self, *backends, **fields):
        return self.serve(*backends, listeners=[listener(protocol="tcp")], **fields)

    def test_a_request_through_it(self):
        nginx = self.nginx("return 200 '$proxy_protocol_addr $ssl_protocol [$ssl_alpn_protocol]';", listen="ssl proxy_protocol")
        proxy = self.serve_tcp(nginx, propagate={"proxy_protocol": "v2"})
        body = proxy.get("/", source="127.0.0.6").body.decode()
        self.assertRegex(body, r"^127\.0\.0\.6 TLSv1\.3 \[.*\]$")

    def test_to_and_fro_and_half_closed(self):
        def handle(connection):
            connection.send(b"welcome\n")  # the server speaks first
            connection.send(hashlib.sha256(connection.read_to_end()).hexdigest().encode())

        context = server_context(self.app)
        proxy = self.serve_tcp(self.backend_tls(handle, context=context, record=False))
        body = os.urandom(1 << 20) * (SIZE >> 20)
        with proxy.client(record=False) as client:
            self.assertEqual(client.read_exact(8), b"welcome\n")
            client.send(body)
            client.finish()
            self.assertEqual(client.read_to_end().decode(), hashlib.sha256(body).hexdigest())
        self.assertEqual(proxy.wait_access()[0]["failure"], None)

    def test_a_backend_that_is_not_believed(self):
        proxy = self.serve_tcp(self.nginx(certificate=self_signed(self.directory, "unknown", "/CN=unknown")))
        with proxy.client() as client:
            self.assertEqual(client.closed_by_peer(), b"")
        self.failed(proxy, "tls_verify_failed", "self-signed", failure_phase="handshake")

    def test_a_retry(self):
        with refused_address() as refused:
            bad = self.nginx(certificate=self_signed(self.directory, "unknown", "/CN=unknown"))
            proxy = self.serve_tcp(bad, refused, self.nginx(), retries={"attempts": 2})
            for _ in range(4):
                self.assertEqual(proxy.get("/").body, b"ok")

    def test_alpn_is_offered_where_it_is_configured(self):
        backend = self.backend_tls(
            lambda connection: connection.send(str(connection.sock.selected_alpn_protocol()).encode()),
            context=server_context(self.app, alpn=["postgresql"]),
        )
        for alpn, chosen in (([], b"None"), (["postgresql"], b"postgresql")):
            with self.subTest(alpn):
                proxy = self.serve_tcp(backend, tls={"ca": self.authority, **({"alpn": alpn} if alpn else {})})
                with proxy.client() as client:
                    self.assertEqual(client.read_to_end(), chosen)


class Files(BackendTls):
    def test_what_cannot_be_used_is_said(self):
        missing = os.path.join(self.directory, "missing.pem")
        strangers = {"certificate": self.us, "key": self.app}
        for tls, path, why in [
            ({"ca": missing}, "ca", f"{missing}: No such file or directory"),
            ({"ca": self.directory}, "ca", f"{self.directory}: not a regular file"),
            ({"client_certificate": {"certificate": missing, "key": missing}}, "client_certificate.certificate", missing),
            ({"client_certificate": strangers}, "client_certificate.key", f"{self.app}: not the key of {self.us}"),
        ]:
            with self.subTest(path), tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                file.write(to_text(config(service("127.0.0.1:9", tls=tls))))
                file.flush()
                checked = subprocess.run(
                    [binary_path(), "check", "-c", file.name], capture_output=True, text=True, check=False, timeout=DEADLINE
                )
                self.assertEqual(checked.returncode, 2, checked.stderr)
                self.assertRegex(checked.stderr, re.escape(f"services[0].tls.{path}: {why}"))
                ran = subprocess.run(
                    [binary_path(), "run", "-c", file.name], capture_output=True, text=True, check=False, timeout=DEADLINE
                )
                self.assertNotEqual(ran.returncode, 0)
                self.assertIn(why, ran.stderr)


if __name__ == "__main__":
    main()
