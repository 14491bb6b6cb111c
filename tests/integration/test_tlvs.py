"""TLVs of PROXY v2: those that come choose the route, are logged, and go on to the backends that are to have them."""

import tempfile

from support import Echo, HAProxy, ProxyTest, config, curl, http_handler, listener, main, proxy_v2, respond, self_signed, service
from support.proxy_header import TLV_ALPN, TLV_AUTHORITY, TLV_CRC32C, TLV_NETNS, TLV_NOOP, TLV_SSL, TLV_UNIQUE_ID, ssl_tlv

CLIENT, DESTINATION = ("198.51.100.79", 52110), ("203.0.113.140", 8443)
REQUIRE = {"proxy_protocol": [{"from": ["127.0.0.0/24"], "policy": "require"}, {"from": ["127.0.3.0/24"], "policy": "ignore"}]}
AWS, AZURE, GCP = 0xEA, 0xEE, 0xE0

ROUTES = [
    {"match": {"tlv": {"aws_vpce_id": "vpce-1"}}, "service": "aws-1"},
    {"match": {"tlv": {"aws_vpce_id": "vpce-2"}}, "service": "aws-2"},
    {"match": {"tlv": {"azure_link_id": 305419896}}, "service": "azure"},
    {"match": {"tlv": {"gcp_psc_connection_id": 12345}}, "service": "gcp"},
    {"match": {"tlv": {"ssl_cn": "Jürgen", "ssl_verify": 0}}, "service": "verified"},
    {"match": {"path": "/api", "tlv": {"0xE3": "0x00ff"}}, "service": "custom"},
    {"service": "rest"},
]
NAMES = ["aws-1", "aws-2", "azure", "gcp", "verified", "custom", "rest"]


def header(*tlvs, source=CLIENT, crc=False) -> bytes:
    return proxy_v2(source, DESTINATION, tlvs=tlvs, crc=crc)


def tls(verify=0, name="Jürgen") -> tuple:
    return ssl_tlv(7, verify, [(0x21, b"TLSv1.3"), (0x22, name.encode()), (0x23, b"TLS_AES_128_GCM_SHA256")])


# What tls() is in logs.
TLS_TEXTS = {"ssl_client": "7", "ssl_verify": "0", "ssl_version": "TLSv1.3", "ssl_cn": "J%C3%BCrgen", "ssl_cipher": "TLS_AES_128_GCM_SHA256"}


class In(ProxyTest):
    @classmethod
    def setUpClass(cls):
        backends = [cls.class_backend(http_handler(lambda r, n=n: respond(200, n)), name=n) for n in NAMES]
        # The second header is the word of whom the first one names.
        both = {"proxy_protocol": [*REQUIRE["proxy_protocol"], {"from": [CLIENT[0]], "policy": "require"}], "proxy_header_count": 2}
        listeners = [listener(client_ip=REQUIRE, routes=ROUTES), listener("two", client_ip=both, routes=ROUTES)]
        cls.conf = config(*[service(b, name=b.name) for b in backends], listeners=listeners, workers=1)
        cls.proxy = cls.class_start(cls.conf)

    def route(self, first, path="/", **options):
        return self.proxy.get(path, first=first, **options).body.decode()

    def test_they_choose_the_route(self):
        for what, tlvs, path, wanted in [
            ("none", [], "/", "rest"),
            ("AWS", [(AWS, b"\x01vpce-1")], "/", "aws-1"),
            ("AWS, another one", [(TLV_NOOP, b"1234"), (AWS, b"\x01vpce-2")], "/x", "aws-2"),
            ("AWS, one that no route names", [(AWS, b"\x01vpce-12")], "/", "rest"),
            ("AWS, another subtype", [(AWS, b"\x02vpce-1")], "/", "rest"),
            ("Azure", [(AZURE, b"\x01\x78\x56\x34\x12")], "/", "azure"),
            ("Azure, in the other byte order", [(AZURE, b"\x01\x12\x34\x56\x78")], "/", "rest"),
            ("GCP", [(GCP, (12345).to_bytes(8, "big"))], "/", "gcp"),
            ("TLS of a client that was verified", [tls()], "/", "verified"),
            ("TLS of one that was not", [tls(verify=20)], "/", "rest"),
            ("TLS of another one", [tls(name="Jurgen")], "/", "rest"),
            ("a common name outside of the SSL TLV", [(0x22, "Jürgen".encode()), ssl_tlv(1, 0)], "/", "rest"),
            ("an application's own", [(0xE3, b"\0\xff")], "/api/x", "custom"),
            ("the same elsewhere", [(0xE3, b"\0\xff")], "/", "rest"),
        ]:
            with self.subTest(what=what):
                self.assertEqual(self.route(header(*tlvs), path), wanted)
                self.assertEqual(self.route(header(*tlvs, crc=True), path), wanted)

    def test_they_are_known_as_long_as_the_connection_lives(self):
        with self.proxy.client(first=header((AWS, b"\x01vpce-2"))) as client:
            for _ in range(3):
                self.assertEqual(client.get("/").body, b"aws-2")

    def test_nobody_is_believed_whose_header_is_ignored(self):
        self.assertEqual(self.route(header((AWS, b"\x01vpce-1")), source="127.0.3.1"), "rest")

    def test_of_two_headers_the_nearest_hop_counts_first(self):
        hop = ("127.0.0.9", 4711)  # may send a header itself
        far = header((AWS, b"\x01vpce-2"), (AZURE, b"\x01\x78\x56\x34\x12"))
        self.assertEqual(self.route(header((AWS, b"\x01vpce-1"), source=hop) + far, listener="two"), "aws-1")
        self.assertEqual(self.route(header(source=hop) + far, listener="two"), "aws-2")

    def test_no_field_names_one(self):
        fields = [("aws_vpce_id", "vpce-1"), ("tlv", "aws_vpce_id=vpce-1")]
        self.assertEqual(self.proxy.get("/", fields, first=header()).body, b"rest")

    def test_the_access_log_has_those_with_a_name(self):
        proxy = self.start(self.conf)
        proxy.get("/none", first=header((TLV_NOOP, b"x"), (0xE3, b"x")))
        proxy.get("/some", first=header((TLV_AUTHORITY, b"shop.example"), tls(), (AWS, b"\x01vpce-1"), (TLV_UNIQUE_ID, b"\0\xff"), crc=True))
        proxy.get("/evil", first=header((TLV_AUTHORITY, b'"}\r\n{"client": "\x1b[2J\xff')))
        none, some, evil = proxy.wait_access(count=3)
        self.assertNotIn("tlvs", none)
        self.assertEqual(some["tlvs"], {"authority": "shop.example", "unique_id": "00ff", **TLS_TEXTS, "aws_vpce_id": "vpce-1"})
        self.assertEqual(evil["tlvs"], {"authority": '"}%0D%0A{"client": "%1B[2J%FF'})
        self.assertEqual(len(proxy.output.lines()), 3)

    def test_the_templates_of_access_logs_name_any(self):
        text = '${status} "${tlv.authority}" ${tlv.0xE3} ${tlv.azure_link_id}'
        proxy = self.start({**self.conf, "access_log": {"format": "text", "text": text}})
        proxy.get("/", first=header((TLV_AUTHORITY, b'a"b'), (0xE3, b"\0")))
        proxy.output.wait_line("200")
        self.assertEqual(proxy.output.lines(), ['200 "a\\x22b" 0x00 -'])


class Out(ProxyTest):
    RECEIVED = [(AWS, b"\x01vpce-1"), (TLV_AUTHORITY, b"sni.example"), (0xE3, b"\0\xff"), (TLV_NETNS, b"blue"), (TLV_NOOP, b"1234567"), tls()]

    def told(self, propagate, tlvs=(), **options):
        backend = self.backend(http_handler(proxy=True))
        conf = config(service(backend, propagate={"proxy_protocol": "v2", **propagate}), listeners=[listener(client_ip=REQUIRE)])
        self.start(conf).get("/", first=header(*tlvs, crc=True), **options)
        return backend.last().proxy  # its CRC32C, if any, was verified when it was read

    def test_the_ssl_tlv_goes_on_whole(self):
        told = self.told({"tlvs": ["ssl", "netns", "alpn"]}, self.RECEIVED)
        self.assertEqual(told.tlvs, [tls(), (TLV_NETNS, b"blue"), (TLV_ALPN, b"http/1.1")])

    def test_none_is_made_up(self):
        self.assertEqual(self.told({"tlvs": ["ssl", "netns"], "pass_tlvs": ["authority", "0xE3"]}).tlvs, [])

    def test_those_that_are_to_pass_do_and_no_others(self):
        told = self.told({"tlvs": ["crc32c"], "pass_tlvs": ["0xE3", "aws_vpce_id", "authority"]}, self.RECEIVED)
        self.assertEqual(told.tlvs[:-1], self.RECEIVED[:3])
        self.assertEqual(told.tlvs[-1][0], TLV_CRC32C)

    def test_padding(self):
        for n in (2, 3, 16, 64, 1000):
            for host in ("h", "host", "a.longer.host.example"):
                with self.subTest(n=n, host=host):
                    told = self.told({"tlvs": ["authority", "unique_id", "crc32c"], "tlv_padding": n}, host=host)
                    self.assertEqual(len(told.raw) % n, 0)
                    kinds = [kind for kind, _ in told.tlvs if kind != TLV_NOOP]
                    self.assertEqual(kinds, [TLV_AUTHORITY, TLV_UNIQUE_ID, TLV_CRC32C])
                    self.assertEqual(told.tlvs[-1][0], TLV_CRC32C)

    def test_what_passes_is_part_of_the_identity(self):
        """One client address through one proxy in front: a connection that said vpce-1 never serves vpce-2."""
        backend = self.backend(http_handler(proxy=True))
        client_ip = {**REQUIRE, "trusted": ["198.51.100.0/24"]}
        propagate = {"proxy_protocol": "v2", "tlvs": ["unique_id"], "pass_tlvs": ["aws_vpce_id"]}
        proxy = self.start(config(service(backend, propagate=propagate), listeners=[listener(client_ip=client_ip)], workers=1))
        for vpce in (b"vpce-1", b"vpce-2", b"vpce-1", b"vpce-2", b"vpce-1"):
            response = proxy.get("/", [("X-Forwarded-For", "192.0.2.1")], first=header((AWS, b"\x01" + vpce)))
            self.assertEqual(response.status, 200)
            self.assertEqual(backend.last().proxy.tlv(AWS), b"\x01" + vpce)
        self.assertEqual([r.connection.index for r in backend.requests], [0, 1, 0, 1, 0])

    def test_a_header_that_would_be_too_long_reaches_nobody(self):
        backend = self.backend(http_handler(proxy=True))
        client_ip = {**REQUIRE, "proxy_max_header_bytes": 65535}
        propagate = {"proxy_protocol": "v2", "pass_tlvs": ["0xE3"], "tlvs": ["authority"]}
        proxy = self.start(config(service(backend, propagate=propagate), listeners=[listener(client_ip=client_ip)]))
        response = proxy.get("/", first=header((0xE3, bytes(65535 - 12 - 3))))
        self.assertEqual(response.status, 500)
        self.assertEqual(len(backend.connections), 0)
        self.assertEqual(proxy.wait_access()[0]["failure_side"], "proxy")

    def test_echo_shows_them(self):
        echo = self.enterContext(Echo("--proxy-protocol"))
        propagate = {"proxy_protocol": "v2", "tlvs": ["ssl", "crc32c"], "pass_tlvs": ["aws_vpce_id", "0xE3"], "tlv_padding": 8}
        proxy = self.start(config(service(echo, propagate=propagate), listeners=[listener(client_ip=REQUIRE)]))
        told = proxy.get("/", [("Accept", "application/json")], first=header(*self.RECEIVED)).json()["proxy_protocol"]
        self.assertEqual(set(told["tlvs"]) - {"noop"}, {*TLS_TEXTS, "aws_vpce_id", "crc32c", "0xE3"})
        self.assertEqual({**told["tlvs"], **TLS_TEXTS}, told["tlvs"])
        self.assertEqual((told["tlvs"]["aws_vpce_id"], told["tlvs"]["0xE3"]), ("vpce-1", "0x00ff"))


class HAProxyInFront(ProxyTest):
    TEXT = """
frontend tls
  bind {bind0} ssl crt %(server)s ca-file %(client)s verify optional
  unique-id-format %%[src]
  default_backend told
frontend plain
  bind {bind1}
  default_backend told
backend told
  server s %(proxy)s send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id
"""

    @classmethod
    def setUpClass(cls):
        directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="telltale-test-"))
        cls.app = cls.class_backend(http_handler(proxy=True))
        told = service(cls.app, propagate={"proxy_protocol": "v2", "tlvs": ["ssl"], "pass_tlvs": ["authority", "unique_id"]})
        routes = [{"match": {"tlv": {"ssl_cn": "Jürgen"}}, "service": "app"}, {"respond": {"status": 403}}]
        cls.proxy = cls.class_start(config(told, listeners=[listener(client_ip=REQUIRE, routes=routes)], workers=1))
        cls.client = self_signed(directory, "client", "/CN=Jürgen")
        places = {"server": self_signed(directory, "server", "/CN=shop.example"), "client": cls.client, "proxy": "%s:%d" % cls.proxy.address()}
        cls.haproxy = cls.enterClassContext(HAProxy(cls.TEXT % places, binds=2))

    def ask(self, path, *options):
        port = self.haproxy.sockname(0)[1]
        return curl("-k", "--resolve", f"shop.example:{port}:127.0.0.1", *options, f"https://shop.example:{port}{path}")

    def record(self, path):
        return self.proxy.wait_access(lambda r: r["target"] == path)[0]

    def test_its_tls_clients_are_known_by_their_certificate(self):
        self.assertEqual(self.ask("/known", "--cert", self.client).status, 200)
        tlvs = self.record("/known")["tlvs"]
        self.assertEqual(tlvs["ssl_cn"], "J%C3%BCrgen")
        self.assertEqual((tlvs["ssl_client"], tlvs["ssl_verify"], tlvs["ssl_version"]), ("7", "0", "TLSv1.3"))
        self.assertEqual((tlvs["authority"], tlvs["unique_id"]), ("shop.example", b"127.0.0.1".hex()))
        self.assertRegex(tlvs["ssl_cipher"], "^TLS_")
        self.assertRegex(tlvs["ssl_sig_alg"], "(?i)sha256")
        self.assertTrue(tlvs["ssl_key_alg"].startswith("EC"), tlvs)
        told = self.app.last().proxy
        self.assertEqual(told.tlv(TLV_AUTHORITY), b"shop.example")
        self.assertEqual(told.tlv(TLV_UNIQUE_ID), b"127.0.0.1")
        self.assertIn("Jürgen".encode(), told.tlv(TLV_SSL))

    def test_others_are_not(self):
        self.assertEqual(self.ask("/unknown").status, 403)
        tlvs = self.record("/unknown")["tlvs"]
        self.assertNotIn("ssl_cn", tlvs)
        self.assertEqual((tlvs["ssl_client"], tlvs["ssl_version"]), ("1", "TLSv1.3"))

    def test_nor_those_without_tls(self):
        host, port = self.haproxy.sockname(1)
        self.assertEqual(curl(f"http://{host}:{port}/plain").status, 403)
        tlvs = self.record("/plain")["tlvs"]
        self.assertEqual(tlvs["ssl_client"], "0")
        self.assertNotIn("ssl_version", tlvs)


class HAProxyBehind(ProxyTest):
    TEXT = """
frontend in
  bind {bind0} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src]|%[fc_pp_authority]|%[fc_pp_unique_id]"
"""

    def test_it_reads_what_passed(self):
        haproxy = self.enterContext(HAProxy(self.TEXT))
        propagate = {"proxy_protocol": "v2", "tlvs": ["ssl", "netns", "crc32c"], "pass_tlvs": ["authority", "unique_id", "aws_vpce_id"], "tlv_padding": 64}
        proxy = self.start(config(service(haproxy, propagate=propagate), listeners=[listener(client_ip=REQUIRE)]))
        received = [tls(), (TLV_UNIQUE_ID, b"id-7"), (AWS, b"\x01vpce-1"), (TLV_AUTHORITY, b"sni.example")]
        response = proxy.get("/", first=header(*received, crc=True))
        self.assertEqual(response.body, b"198.51.100.79|sni.example|id-7")


if __name__ == "__main__":
    main()
