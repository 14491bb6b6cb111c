"""What becomes of what a client proved by its certificate: logs, templates, routes, headers, /explain."""

from support import Echo, HAProxy, config, http_handler, listener, main, service
from support.mutual_tls_case import VERSIONS, MutualTlsTest, digest
from support.proxy_header import TLV_SSL
from support.tls import TlsClient, der_of, tls_context

XFCC = "X-Forwarded-Client-Cert"


class Told(MutualTlsTest):
    TEMPLATE = "|".join("${tls.client_cert.%s}" % name for name in ("verified", "subject", "issuer", "sans"))

    def element(self, file, subject, names="") -> str:
        return f'Hash={digest(file)};Subject="{subject}"{names}'

    def test_logs_templates_and_the_field(self):
        headers = {"X-Cert": self.TEMPLATE, "X-Print": "${tls.client_cert.fingerprint}"}
        proxy = self.serve(mode="optional", propagate={"headers": headers, "x_forwarded_client_cert": "replace"})
        forged = [(XFCC, "Hash=forged"), ("X-Print", "forged"), ("x_forwarded_client_cert", "Hash=forged")]
        client = self.client(proxy, self.shop)
        sans = "DNS:a.test, URI:spiffe://test/shop, IP:192.0.2.1, email:a@b.test"
        for _ in range(2):  # on one connection
            told = dict(client.get("/", forged).json()["fields"])
            self.assertEqual(told["X-Cert"], f"true|CN=shop,O=Example,C=DE|CN=root|{sans}")
            self.assertEqual(told["X-Print"], digest(self.shop))
            element = self.element(self.shop, "CN=shop,O=Example,C=DE", ";URI=spiffe://test/shop;DNS=a.test")
            self.assertEqual(told[XFCC], element)
            self.assertNotIn("x_forwarded_client_cert", told)
        told = dict(self.get(proxy, None, "/none", forged).json()["fields"])
        self.assertEqual(told["X-Cert"], "false|||")
        self.assertFalse({XFCC, "X-Print", "x_forwarded_client_cert"} & set(told))
        records = proxy.wait_access(count=3)
        for record in records[:2]:
            tls = record["tls"]
            self.assertEqual((tls["client_verified"], tls["client_subject"]), (True, "CN=shop,O=Example,C=DE"))
            self.assertEqual((tls["client_sans"], tls["client_fingerprint"]), (sans.split(", "), digest(self.shop)))
        self.assertEqual(records[2]["tls"]["client_verified"], False)
        self.assertNotIn("client_subject", records[2]["tls"])

    def test_log_as_text(self):
        text = "${tls.client_verified} ${tls.client_subject} ${tls.client_sans} ${tls.client_fingerprint}"
        proxy = self.serve(mode="optional", top={"access_log": {"format": "text", "text": text}})
        self.get(proxy, self.shop)
        self.get(proxy)
        proxy.output.wait_line(
            f"^true CN=shop,O=Example,C=DE DNS:a.test, URI:spiffe://test/shop, IP:192.0.2.1, email:a@b.test "
            f"{digest(self.shop)}$"
        )
        proxy.output.wait_line("^false - - -$")

    def test_names_that_would_break_what_they_stand_in(self):
        hostile = self.root.issue("hostile", r'/CN=a"\\,O=x', sans="DNS:a.test")
        newline = self.root.issue("newline", "/CN=a\nX-Admin: 1")
        headers = {"X-S": "${tls.client_cert.subject}"}
        proxy = self.serve(propagate={"x_forwarded_client_cert": "append", "headers": headers})
        told = dict(self.get(proxy, hostile).json()["fields"])
        self.assertEqual(told[XFCC], self.element(hostile, r"CN=a\"\5C\,O=x", ";DNS=a.test"))
        self.assertEqual(told["X-S"], r"CN=a\"\\\,O=x")
        told = dict(self.get(proxy, newline).json()["fields"])
        self.assertEqual(told["X-S"], r"CN=a\0AX-Admin: 1")
        self.assertEqual(told[XFCC], self.element(newline, r"CN=a\0AX-Admin: 1"))
        self.assertNotIn("X-Admin", told)

    def test_appended_behind_trusted_hops_alone(self):
        proxy = self.serve(
            mode="optional",
            propagate={"x_forwarded_client_cert": "append"},
            listener_fields={"client_ip": {"trusted": ["127.0.0.1/32"]}},
        )
        received = [(XFCC, 'Hash=1;Subject="CN=a,b"'), (XFCC, "Hash=2")]
        ours = self.element(self.bare, "CN=bare")
        context = tls_context(certificate=self.bare)
        for source, behind in (("127.0.0.1", 'Hash=1;Subject="CN=a,b", Hash=2, '), ("127.0.0.2", "")):
            client = self.enterContext(TlsClient(proxy.address(), context=context, source=source))
            self.assertEqual(dict(client.get("/", received).json()["fields"])[XFCC], behind + ours)
        self.assertEqual(dict(self.get(proxy, None, "/", received).json()["fields"])[XFCC], received[0][1] + ", Hash=2")

    def test_routes(self):
        def route(name, **client_cert):
            return {"match": {"client_cert": client_cert}, "respond": {"body": name}}

        routes = [
            route("none", verified=False),
            route("subject", subject="CN=bare"),
            route("uri", san="URI:spiffe://test/shop"),
            route("print", fingerprint=digest(self.shop), verified=True),
            route("any", verified=True),
        ]
        proxy = self.start(config(listeners=[listener(tls=self.tls(mode="optional"), routes=routes)]))
        for certificate, body in (
            (self.shop, b"print"),
            (self.bare, b"subject"),
            (self.root.issue("uri", sans="DNS:x.test,URI:spiffe://test/shop"), b"uri"),
            (self.root.issue("any"), b"any"),
            (None, b"none"),
        ):
            with self.subTest(body):
                client = self.client(proxy, certificate)
                self.assertEqual([client.get("/").body for _ in range(2)], [body] * 2)

    @staticmethod
    def ssl_tlv(header) -> tuple:
        """Of a PROXY header: flags, verify, and the sub-TLVs by type."""
        value = header.tlv(TLV_SSL)
        subs, rest = {}, value[5:]
        while rest:
            size = int.from_bytes(rest[1:3], "big")
            subs[rest[0]] = rest[3 : 3 + size]
            rest = rest[3 + size :]
        return value[0], int.from_bytes(value[1:5], "big"), subs

    def test_proxy_header(self):
        backend = self.backend(http_handler(proxy=True))
        proxy = self.serve(backend, mode="optional", propagate={"proxy_protocol": "v2", "tlvs": ["ssl"]})
        for version in VERSIONS:
            context = tls_context(certificate=self.shop, most=version)
            for resumed, flags in ((False, 7), (True, 5)):  # SSL, CERT_SESS, and CERT_CONN when it was shown
                session = client.sock.session if resumed else None
                client = self.client(proxy, context=context, session=session)
                client.get("/")
                self.assertEqual(client.sock.session_reused, resumed)
                told = {
                    0x21: client.sock.version().encode(),
                    0x22: b"shop",
                    0x23: client.sock.cipher()[0].encode(),
                    0x24: b"ecdsa-with-SHA256",
                    0x25: b"EC256",
                    0x28: der_of(self.shop),
                }
                self.assertEqual(self.ssl_tlv(backend.last().proxy), (flags, 0, told))
        self.get(proxy)
        flags, verify, subs = self.ssl_tlv(backend.last().proxy)
        self.assertEqual((flags, verify != 0), (1, True), "no certificate is none that was verified")
        self.assertFalse({0x22, 0x28} & set(subs))

    def test_proxy_header_to_real_receivers(self):
        """HAProxy takes the long header; another Telltale reads it by name."""
        behind = self.start(
            config(
                service(self.backend()),
                listeners=[listener(client_ip={"proxy_protocol": [{"from": ["127.0.0.0/8"], "policy": "require"}]})],
            )
        )
        haproxy = self.enterContext(
            HAProxy("frontend f\n  bind {bind0} accept-proxy\n  http-request return status 200 hdr X-Src %[src]\n")
        )
        told = {"proxy_protocol": "v2", "tlvs": ["ssl", "crc32c"]}
        proxy = self.serve(haproxy.address, propagate=told)
        self.assertEqual(self.get(proxy, self.shop).header("X-Src"), "127.0.0.1")
        proxy = self.serve("{}:{}".format(*behind.address()), propagate=told)
        self.assertEqual(self.get(proxy, self.shop).status, 200)
        tlvs = behind.wait_access()[0]["tlvs"]
        self.assertEqual((tlvs["ssl_client"], tlvs["ssl_verify"], tlvs["ssl_cn"]), ("7", "0", "shop"))
        self.assertEqual((tlvs["ssl_key_alg"], tlvs["ssl_sig_alg"]), ("EC256", "ecdsa-with-SHA256"))
        echo = self.enterContext(Echo("--proxy-protocol"))
        proxy = self.serve(echo.address, propagate=told)
        self.assertIn("ssl", self.get(proxy, self.shop).body.decode())

    def test_tcp(self):
        def greet(connection):
            connection.read_proxy_header()
            connection.send(b"hello")

        backend = self.backend(greet)
        proxy = self.serve(
            backend, listener_fields={"protocol": "tcp"}, propagate={"proxy_protocol": "v2", "tlvs": ["ssl"]}
        )
        client = self.client(proxy, self.shop)
        self.assertEqual(client.read_exact(5), b"hello")
        flags, verify, subs = self.ssl_tlv(backend.wait_connection().proxy)
        self.assertEqual((flags, verify, subs[0x22]), (7, 0, b"shop"))
        client.close()
        record = proxy.wait_access()[0]
        self.assertEqual((record["protocol"], record["tls"]["client_subject"]), ("TCP", "CN=shop,O=Example,C=DE"))

    def test_explain(self):
        backend = self.backend(http_handler(proxy=True))
        proxy = self.serve(
            backend,
            mode="optional",
            propagate={
                "proxy_protocol": "v2",
                "tlvs": ["ssl"],
                "x_forwarded_client_cert": "replace",
                "headers": {"X-Subject": "${tls.client_cert.subject}"},
            },
        )
        self.get(proxy, self.bare)
        page = "/explain/" + proxy.wait_access()[0]["request_id"]
        explained = proxy.ask_admin(page).json()
        tls = explained["tls"]
        self.assertEqual((tls["version"], tls["resumed"], tls["client_verified"]), ("TLSv1.3", False, True))
        self.assertEqual((tls["client_subject"], tls["client_fingerprint"]), ("CN=bare", digest(self.bare)))
        lines = explained["told"]["lines"]
        self.assertIn("X-Subject: CN=bare", lines)
        self.assertIn(f"{XFCC}: {self.element(self.bare, 'CN=bare')}", lines)
        tlvs = explained["told"]["proxy_header"]["tlvs"]
        self.assertEqual((tlvs["ssl_cn"], tlvs["ssl_client"], tlvs["ssl_verify"]), ("bare", "7", "0"))
        text = proxy.ask_admin(page + "?format=text").body.decode()
        self.assertIn("client certificate: CN=bare", text)
        self.get(proxy)
        page = "/explain/" + proxy.wait_access(count=2)[1]["request_id"]
        self.assertFalse(proxy.ask_admin(page).json()["tls"]["client_verified"])


if __name__ == "__main__":
    main()
