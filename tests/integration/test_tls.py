"""TLS at the listener: certificates by name, versions, protocols, tickets, and who the client is behind it."""

import os
import ssl

from support import HAProxy, Nginx, config, curl, http_handler, listener, main, proxy_v1, proxy_v2, service
from support.tls import TlsClient, der_of, tls_context
from support.tls_case import TlsTest, s_client, tls
from support.waiting import wait_until

CLIENT = ("192.0.2.7", 4711)
FROM_V1 = proxy_v1(CLIENT)
BELIEVED = {"proxy_protocol": [{"from": ["127.0.0.0/8"], "policy": "require"}]}


class ListenerTest(TlsTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.b_rsa = cls.issue("b-rsa", "DNS:b.test", key_type="rsa")

    def serve(self, tls_fields=None, backend=None, client_ip=None, workers=2, propagate=None, **fields):
        backend = backend or self.backend()
        fields.update({"client_ip": client_ip} if client_ip else {})
        return self.start(
            config(
                service(backend, propagate=propagate or {}),
                listeners=[listener(tls=tls_fields or tls(self.a, self.b, self.b_rsa), **fields)],
                workers=workers,
            )
        )


class Handshake(ListenerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        backend = cls.class_backend()
        cls.proxy = cls.class_start(config(service(backend), listeners=[listener(tls=tls(cls.a, cls.b, cls.b_rsa))]))

    def test_curl_by_version(self):
        host, port = self.proxy.address()
        for flags in (["--tls-max", "1.2"], ["--tlsv1.3"]):
            with self.subTest(flags):
                answer = curl("--cacert", self.authority, "--resolve", f"a.test:{port}:{host}", *flags,
                              f"https://a.test:{port}/x")  # fmt: skip
                self.assertEqual((answer.status, answer.json()["target"]), (200, "/x"))

    def test_certificate_by_name(self):
        for sni, file in (
            ("a.test", self.a),
            ("A.TEST", self.a),
            ("b.test", self.b),
            ("x.wild.test", self.a),
            ("b.test.", self.b),
            ("y.x.wild.test", self.a),  # by default: a wildcard is for one label
            ("other.test", self.a),
            (None, self.a),
        ):
            with self.subTest(sni=sni):
                self.assertEqual(self.client(self.proxy, sni=sni).certificate(), der_of(file))

    def test_certificate_by_key(self):
        for algorithm, file in (("ecdsa_secp256r1_sha256", self.b), ("rsa_pss_rsae_sha256", self.b_rsa)):
            with self.subTest(algorithm):
                text = s_client(self.proxy.address(), "-servername", "b.test", "-sigalgs", algorithm)
                self.assertIn(f"subject=CN = {os.path.basename(file)[:-4]}", text)

    def test_chain_and_name_are_believed_by_a_client_that_checks(self):
        context = tls_context(authority=self.authority)
        for sni in ("a.test", "b.test", "x.wild.test"):
            with self.subTest(sni):
                self.assertEqual(self.client(self.proxy, context=context, sni=sni).get("/").status, 200)

    def test_protocols(self):
        both = self.client(self.proxy, context=tls_context(alpn=["h2", "http/1.1"]))
        self.assertEqual(both.sock.selected_alpn_protocol(), "http/1.1")
        self.assertIsNone(self.client(self.proxy).sock.selected_alpn_protocol())
        with self.assertRaisesRegex(ssl.SSLError, "(?i)no application protocol|ALERT"):
            TlsClient(self.proxy.address(), context=tls_context(alpn=["h2"]))

    def test_no_renegotiation(self):
        text = s_client(self.proxy.address(), "-tls1_2", stdin=b"R\n")
        self.assertRegex(text, "RENEGOTIATING[^$]*(no renegotiation|ssl/tls alert|handshake failure)")

    def test_early_data_is_not_taken(self):
        session = os.path.join(self.directory, "session")
        early = os.path.join(self.directory, "early")
        with open(early, "wb") as file:
            file.write(b"GET /early HTTP/1.1\r\nHost: a\r\n\r\n")
        request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        text = s_client(self.proxy.address(), "-tls1_3", "-ign_eof", "-sess_out", session, stdin=request)
        self.assertIn("Max Early Data: 0", text)
        text = s_client(self.proxy.address(), "-tls1_3", "-sess_in", session, "-early_data", early)
        self.assertIn("Reused, TLSv1.3", text)
        self.assertIn("Early data was not sent", text)

    def test_a_resumed_session_gets_a_ticket_for_the_next_one(self):
        session = os.path.join(self.directory, "session")
        request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        ours = ["-tls1_3", "-ign_eof", "-sess_out", session]
        s_client(self.proxy.address(), *ours, stdin=request)
        for _ in range(3):  # each by the ticket of the one before: one of TLS 1.3 is used once
            text = s_client(self.proxy.address(), *ours, "-sess_in", session, stdin=request)
            self.assertIn("Reused, TLSv1.3", text)
            self.assertIn("Post-Handshake New Session Ticket arrived", text)

    def test_plain_http_is_answered_in_clear(self):
        with self.proxy.client() as client:
            client.request("GET", "/")
            response = client.read_response("GET")
            self.assertEqual(response.status, 400)
            self.assertIn(b"TLS", response.body)
            self.assertEqual(client.closed_by_peer(), b"")

    def test_what_is_no_handshake_is_closed(self):
        before = self.proxy.metrics().sum("telltale_tls_failures_total")
        for octets in (b"\x16\x03\x01\x00\x05hello", b"\x00" * 64, b"\x80\x2e\x01\x00\x02", b"\x16\x03\x01\xff\xff"):
            with self.subTest(octets[:5]), self.proxy.client(first=octets) as client:
                client.finish()
                client.closed_by_peer()
        wait_until(lambda: self.proxy.metrics().sum("telltale_tls_failures_total") == before + 4, "four failures")


class Settings(ListenerTest):
    def test_policies(self):
        old = tls_context(most=ssl.TLSVersion.TLSv1_2)
        modern = self.serve(tls(self.a, policy="modern"))
        self.assertEqual(self.client(modern).sock.version(), "TLSv1.3")
        with self.assertRaises(ssl.SSLError):
            TlsClient(modern.address(), context=old)
        intermediate = self.serve(tls(self.a))
        self.assertEqual(self.client(intermediate, context=old).sock.version(), "TLSv1.2")
        text = s_client(intermediate.address(), "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        self.assertRegex(text, "(?i)alert protocol version|no protocols available|unsupported protocol")
        for weak in ("AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256"):
            with self.subTest(weak):
                text = s_client(intermediate.address(), "-tls1_2", "-cipher", weak + ":@SECLEVEL=0")
                self.assertRegex(text, "(?i)handshake failure|no shared cipher")

    def test_handshake_timeout(self):
        proxy = self.serve(tls(self.a, handshake_timeout="300ms"))
        for first in (b"", b"\x16\x03\x01"):
            with self.subTest(first), proxy.client(first=first) as client:
                self.assertEqual(client.closed_by_peer(), b"")
        self.assertEqual(proxy.metrics().sum("telltale_tls_failures_total"), 2)

    def test_hello_in_two_parts_cut_at_every_octet(self):
        proxy = self.serve(tls(self.a), client_ip=BELIEVED)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = tls_context().wrap_bio(incoming, outgoing, server_hostname="a.test")
        with self.assertRaises(ssl.SSLWantReadError):
            client.do_handshake()
        octets = FROM_V1 + outgoing.read()
        for cut in range(1, len(octets)):
            with proxy.client() as raw:
                raw.send_apart(octets[:cut])
                raw.send(octets[cut:])
                self.assertEqual(raw.read_exact(3), b"\x16\x03\x03", f"cut at {cut}")

    def test_sessions_are_resumed_by_any_worker(self):
        proxy = self.serve(workers=3)
        for most in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = tls_context(most=most)
            with TlsClient(proxy.address(), context=context, sni="a.test") as first:
                first.get("/")  # TLS 1.3 sends tickets behind the handshake
                session = first.sock.session
            for _ in range(12):
                with TlsClient(proxy.address(), context=context, sni="a.test", session=session) as client:
                    self.assertTrue(client.sock.session_reused, most)
                    self.assertEqual(client.get("/").status, 200)
        metrics = proxy.metrics()
        self.assertEqual(metrics.sum("telltale_tls_resumed_total"), 24)
        self.assertEqual(metrics.sum("telltale_tls_handshakes_total"), 26)

    def test_a_session_of_another_listener_is_not_resumed(self):
        backend = self.backend()
        listeners = [listener(name, tls=tls(self.a)) for name in ("web", "other")]
        proxy = self.start(config(service(backend), listeners=listeners))
        context = tls_context()
        with TlsClient(proxy.address("web"), context=context) as first:
            first.get("/")
            session = first.sock.session
        with TlsClient(proxy.address("other"), context=context, session=session) as second:
            self.assertFalse(second.sock.session_reused)


class Identity(ListenerTest):
    def test_what_is_told_of_it(self):
        headers = {"X-Tls": "${tls.version} ${tls.sni} ${tls.alpn} ${tls.cipher}"}
        proxy = self.serve(propagate={"x_forwarded_proto": True, "headers": headers})
        client = self.client(proxy, context=tls_context(alpn=["http/1.1"]), sni="b.test")
        told = dict(client.get("/", [("X-Tls", "forged"), ("X-Forwarded-Proto", "http")]).json()["fields"])
        cipher = client.sock.cipher()[0]
        self.assertEqual(told["X-Forwarded-Proto"], "https")
        self.assertEqual(told["X-Tls"], f"TLSv1.3 b.test http/1.1 {cipher}")
        record = proxy.wait_access()[0]
        agreed = {"version": "TLSv1.3", "cipher": cipher, "sni": "b.test", "alpn": "http/1.1", "client_verified": False}
        self.assertEqual(record["tls"], agreed)

    def test_proxy_header_before_tls(self):
        proxy = self.serve(client_ip=BELIEVED)
        for first in (FROM_V1, proxy_v2(CLIENT)):
            told = dict(self.client(proxy, first=first).get("/").json()["fields"])
            self.assertEqual(told["X-Forwarded-For"], "192.0.2.7")

    def test_proxy_header_that_nobody_may_send_is_refused_before_tls(self):
        proxy = self.serve()
        with self.assertRaises(OSError):
            TlsClient(proxy.address(), first=FROM_V1)
        failures = "telltale_proxy_protocol_failures_total"
        wait_until(lambda: proxy.metrics().sum(failures, cause="not_listed") == 1, "the failure to be counted")

    def test_behind_haproxy(self):
        """HAProxy speaks TLS to us, behind a PROXY header."""
        proxy = self.serve(client_ip=BELIEVED)
        host, port = proxy.address()
        haproxy = self.enterContext(
            HAProxy(
                "frontend f\n  bind {bind0}\n  default_backend b\nbackend b\n"
                f"  server s {host}:{port} ssl ca-file {self.authority} sni str(a.test) verifyhost a.test send-proxy-v2\n"
            )
        )
        told = dict(curl("--interface", "127.0.0.77", f"http://{haproxy.address}/").json()["fields"])
        self.assertEqual(told["X-Forwarded-For"], "127.0.0.77")

    def test_behind_nginx(self):
        """nginx speaks TLS to us, and resumes its session."""
        proxy = self.serve(client_ip={"trusted": ["127.0.0.1/32"]})
        host, port = proxy.address()
        nginx = self.enterContext(
            Nginx(
                f"listen {{listen}}; location / {{ proxy_pass https://{host}:{port}; proxy_ssl_protocols TLSv1.2 TLSv1.3; "
                f"proxy_ssl_server_name on; proxy_ssl_name a.test; proxy_ssl_verify on; "
                f"proxy_ssl_trusted_certificate {self.authority}; proxy_set_header X-Forwarded-For $remote_addr; }}"
            )
        )
        for last in (77, 78):
            source = f"127.0.0.{last}"
            told = dict(curl("--interface", source, f"http://{nginx.address}/").json()["fields"])
            self.assertEqual(told["X-Forwarded-For"], f"{source}, 127.0.0.1")
        self.assertEqual(proxy.metrics().sum("telltale_tls_resumed_total"), 1)

    def test_told_in_a_proxy_header(self):
        backend = self.backend(http_handler(proxy=True))
        proxy = self.serve(backend=backend, propagate={"proxy_protocol": "v2", "tlvs": ["authority", "alpn", "ssl"]})
        client = self.client(proxy, context=tls_context(alpn=["http/1.1"]), sni="b.test")
        client.get("/", host="b.test")
        tlvs = dict(backend.last().proxy.tlvs)
        self.assertEqual((tlvs[0x02], tlvs[0x01]), (b"b.test", b"http/1.1"))
        ssl_tlv = tlvs[0x20]
        self.assertEqual(ssl_tlv[:5], b"\x01\0\0\0\x01")  # no certificate of the client: not verified
        texts = [b"TLSv1.3", client.sock.cipher()[0].encode(), b"ecdsa-with-SHA256", b"EC256"]
        subs = [bytes([kind, 0, len(text)]) + text for kind, text in zip((0x21, 0x23, 0x24, 0x25), texts)]
        self.assertEqual(ssl_tlv[5:], b"".join(subs))


if __name__ == "__main__":
    main()
