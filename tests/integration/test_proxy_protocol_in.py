"""The PROXY protocol as listeners take it: who may send it, in every form it has, and what is wrong with the rest."""

import os
import struct
import tempfile
import time

from support import Client, ProxyTest, config, listener, main, proxy_v1, proxy_v2, service, wait_until
from support.proxy_header import INET, INET6, LOCAL, PROXY, SIGNATURE, UNIX, crc32c, proxy_v2_raw, tlv

# One range of loopback for each policy; whoever is in none is forbidden.
REQUIRE, ACCEPT, IGNORE, FORBID, UNLISTED = "127.0.1.1", "127.0.2.1", "127.0.3.1", "127.0.4.1", "127.0.9.1"
POLICIES = [
    {"from": ["127.0.1.0/24"], "policy": "require"},
    {"from": ["127.0.2.0/24"], "policy": "accept"},
    {"from": ["127.0.3.0/24"], "policy": "ignore"},
    {"from": ["127.0.4.0/24"], "policy": "forbid"},
    {"from": ["127.0.0.0/16"], "policy": "forbid"},
]
# Hops that are behind the peer, for headers in a row.
CHAIN = [
    {"from": ["192.0.2.1"], "policy": "require"},
    {"from": ["192.0.2.2"], "policy": "accept"},
    {"from": ["192.0.2.3"], "policy": "ignore"},
    {"from": ["192.0.2.4"], "policy": "forbid"},
]
V4 = (("198.51.100.79", 52110), ("203.0.113.140", 80))
V6 = (("2001:db8::79", 52110), ("2001:db8::140", 80))
ADDRESSES = struct.pack("!4s4sHH", bytes([198, 51, 100, 79]), bytes([203, 0, 113, 140]), 52110, 80)
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
PATIENT = {"proxy_header_timeout": "5m"}  # for tests that are not about it


def aws_probe() -> bytes:
    """Seen from a real AWS network load balancer: LOCAL, TCP over IPv4, no address block, a CRC32C and padding."""
    blank = SIGNATURE + bytes.fromhex("20110054") + tlv(3, bytes(4)) + tlv(4, bytes(74))
    return blank[:19] + struct.pack("!I", crc32c(blank)) + blank[23:]


# (what it is, header, who the client is: None is the socket's peer)
GOOD = [
    ("v1 TCP4", proxy_v1(*V4), "198.51.100.79"),
    ("v1 TCP6", proxy_v1(*V6), "2001:db8::79"),
    ("v1 UNKNOWN", b"PROXY UNKNOWN\r\n", None),
    ("v1 UNKNOWN with addresses", b"PROXY UNKNOWN ffff:f... 1 2\r\n", None),
    ("v1 of the greatest length", b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n", None),
    ("v2 PROXY INET", proxy_v2(*V4), "198.51.100.79"),
    ("v2 PROXY INET6", proxy_v2(*V6), "2001:db8::79"),
    ("v2 PROXY INET6 with a mapped address", proxy_v2(("::ffff:198.51.100.79", 1), ("::ffff:203.0.113.1", 2)), "198.51.100.79"),
    ("v2 PROXY UNIX", proxy_v2(b"/run/client.sock"), None),
    ("v2 PROXY UNSPEC", proxy_v2(None), None),
    ("v2 PROXY UNSPEC with octets", proxy_v2_raw(PROXY, 0, tlv(4, bytes(20))), None),
    ("v2 LOCAL UNSPEC", proxy_v2(None, command=LOCAL), None),
    ("v2 LOCAL INET", proxy_v2(*V4, command=LOCAL), None),
    ("v2 LOCAL INET6", proxy_v2(*V6, command=LOCAL), None),
    ("v2 LOCAL of the AWS probe, no address block", aws_probe(), None),
    ("v2 with TLVs", proxy_v2(*V4, tlvs=[(1, b"h2"), (2, b"a.example"), (5, b"id"), (0xEA, b"\x01vpce-1"), (4, b"")]), "198.51.100.79"),
    ("v2 with a right CRC32C", proxy_v2(*V4, tlvs=[(2, b"a.example")], crc=True), "198.51.100.79"),
    ("v2 of 4096 octets", proxy_v2(*V4, tlvs=[(4, bytes(4096 - 12 - 3))]), "198.51.100.79"),
]

# (what it is, octets, the label that counts it)
BAD = [
    ("plain HTTP where a header must be", GET, "plain_http"),
    ("TLS where a header must be", bytes.fromhex("16030100c8010000c40303") + bytes(200), "tls_client_hello"),
    ("garbage where a header must be", b"\x00\x01\x02\x03 garbage of some length", "no_header"),
    ("v1 without addresses", b"PROXY TCP4\r\n" + GET, "malformed"),
    ("v1 with a bad address", b"PROXY TCP4 198.51.100.300 203.0.113.1 1 2\r\n" + GET, "malformed"),
    ("v1 with leading zeros", b"PROXY TCP4 198.051.100.3 203.0.113.1 1 2\r\n" + GET, "malformed"),
    ("v1 with the other family", b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n" + GET, "malformed"),
    ("v1 with a port too great", b"PROXY TCP4 198.51.100.3 203.0.113.1 65536 2\r\n" + GET, "malformed"),
    ("v1 with a signed port", b"PROXY TCP4 198.51.100.3 203.0.113.1 +1 2\r\n" + GET, "malformed"),
    ("v1 with two spaces", b"PROXY TCP4  198.51.100.3 203.0.113.1 1 2\r\n" + GET, "malformed"),
    ("v1 of another protocol", b"PROXY UDP4 198.51.100.3 203.0.113.1 1 2\r\n" + GET, "malformed"),
    ("v1 that ends in LF", b"PROXY TCP4 198.51.100.3 203.0.113.1 1 2\n" + GET, "malformed"),
    ("v1 that is too long", b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n" + GET, "malformed"),
    ("v2 of version 3", proxy_v2_raw(PROXY, INET << 4 | 1, ADDRESSES, version=3) + GET, "malformed"),
    ("v2 with an unknown command", proxy_v2_raw(2, INET << 4 | 1, ADDRESSES) + GET, "malformed"),
    ("v2 of an unknown family", proxy_v2_raw(PROXY, 0x41, ADDRESSES) + GET, "malformed"),
    ("v2 of an unknown transport", proxy_v2_raw(PROXY, INET << 4 | 3, ADDRESSES) + GET, "malformed"),
    ("v2 INET shorter than its addresses", proxy_v2_raw(PROXY, INET << 4 | 1, ADDRESSES[:11]) + GET, "malformed"),
    ("v2 INET6 shorter than its addresses", proxy_v2_raw(PROXY, INET6 << 4 | 1, bytes(35)) + GET, "malformed"),
    ("v2 UNIX shorter than its addresses", proxy_v2_raw(PROXY, UNIX << 4 | 1, bytes(215)) + GET, "malformed"),
    ("v2 over the cap", proxy_v2(*V4, tlvs=[(4, bytes(4096 - 12 - 2))]) + GET, "malformed"),
    ("v2 with a TLV past its end", proxy_v2_raw(PROXY, INET << 4 | 1, ADDRESSES + b"\x02\x00\x10abc") + GET, "malformed"),
    ("v2 with a cut TLV head", proxy_v2_raw(PROXY, INET << 4 | 1, ADDRESSES + b"\x02\x00") + GET, "malformed"),
    ("v2 with an SSL TLV of four octets", proxy_v2(*V4, tlvs=[(0x20, b"\1\0\0\0")]) + GET, "malformed"),
    ("v2 with an SSL sub-TLV past its end", proxy_v2(*V4, tlvs=[(0x20, b"\1\0\0\0\0\x22\0\x05name"), (2, b"h")]) + GET, "malformed"),
    ("v2 with a wrong CRC32C", proxy_v2(*V4, tlvs=[(3, b"\1\2\3\4")]) + GET, "malformed"),
    ("v2 with a CRC32C of three octets", proxy_v2(*V4, tlvs=[(3, b"\1\2\3")]) + GET, "malformed"),
    ("v1 twice", proxy_v1(*V4) * 2 + GET, "header_twice"),
    ("v2 twice", proxy_v2(*V4) * 2 + GET, "header_twice"),
    ("v1 behind v2", proxy_v2(*V4) + proxy_v1(*V4) + GET, "header_twice"),
]


class ProxyProtocolIn(ProxyTest):
    @classmethod
    def setUpClass(cls):
        cls.app = cls.class_backend()
        listeners = [
            listener(client_ip={**PATIENT, "proxy_protocol": POLICIES}),
            listener("short", client_ip={"proxy_protocol": POLICIES, "proxy_header_timeout": "300ms"}),
            listener("small", client_ip={**PATIENT, "proxy_protocol": POLICIES, "proxy_max_header_bytes": 216}),
            listener("two", client_ip={**PATIENT, "proxy_protocol": POLICIES + CHAIN, "proxy_header_count": 2}),
            listener("three", client_ip={**PATIENT, "proxy_protocol": POLICIES + CHAIN, "proxy_header_count": 3}),
            listener("nobody"),
        ]
        cls.proxy = cls.class_start(config(service(cls.app), listeners=listeners, workers=1))

    def client_as_told(self):
        return self.app.last().header("x-forwarded-for")

    def failures(self, cause, listener_name="web"):
        return self.proxy.metrics().sum("telltale_proxy_protocol_failures_total", cause=cause, listener=listener_name)

    def closed(self, octets, source, listener_name="web"):
        """These octets are answered by a close, without a word, and no backend hears of it."""
        before = len(self.app.connections), len(self.app.requests)
        with self.proxy.client(listener_name, source=source) as client:
            try:
                client.send(octets)
            except ConnectionError:
                pass
            self.assertEqual(client.closed_by_peer(), b"")
        self.assertEqual((len(self.app.connections), len(self.app.requests)), before)

    def test_every_good_header_names_the_client(self):
        for what, header, client in GOOD:
            for source in (REQUIRE, ACCEPT):
                with self.subTest(what=what, source=source):
                    self.assertEqual(self.proxy.get("/", source=source, first=header).status, 200)
                    self.assertEqual(self.client_as_told(), client or source)

    def test_header_and_request_in_one_write_and_apart(self):
        header = proxy_v2(*V4, tlvs=[(2, b"a.example")])
        for apart in (False, True):
            with self.proxy.client(source=REQUIRE) as client:
                client.send_apart(header, GET) if apart else client.send(header + GET)
                self.assertEqual(client.read_response().status, 200)
                self.assertEqual(self.client_as_told(), "198.51.100.79")

    def test_split_at_every_octet(self):
        for header, name in [(proxy_v1(*V4), "198.51.100.79"), (proxy_v2(*V6, tlvs=[(5, b"id")], crc=True), "2001:db8::79")]:
            octets = header + GET
            for cut in range(1, len(octets)):
                with self.subTest(cut=cut), self.proxy.client(source=REQUIRE) as client:
                    client.send_apart(octets[:cut])
                    client.send(octets[cut:])
                    self.assertEqual(client.read_response().status, 200)
                    self.assertEqual(self.client_as_told(), name)

    def test_plain_connections_where_accepted_split_at_every_octet(self):
        """What begins like a signature and is none must lose nothing."""
        for octets in (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", b"PROPFIND / HTTP/1.1\r\nHost: h\r\n\r\n", b"\r\n\r\n" + GET):
            for cut in range(1, 20):
                with self.subTest(octets=octets[:8], cut=cut), self.proxy.client(source=ACCEPT) as client:
                    client.send_apart(octets[:cut])
                    client.send(octets[cut:])
                    self.assertEqual(client.read_response().status, 200)
                    self.assertEqual(self.client_as_told(), ACCEPT)

    def test_keep_alive_and_pipelined_requests_keep_the_header_of_their_connection(self):
        with self.proxy.client(source=REQUIRE, first=proxy_v1(*V4)) as client:
            client.send(GET * 5)
            for _ in range(5):
                told = client.read_response().json()
                self.assertIn(["X-Forwarded-For", "198.51.100.79"], canonical(told["fields"]))

    def test_require_refuses_everything_else_and_counts_why(self):
        for what, octets, cause in BAD:
            with self.subTest(what=what):
                before = self.failures(cause)
                self.closed(octets, REQUIRE)
                self.assertEqual(self.failures(cause), before + 1, f"counted as {cause}")

    def test_a_bare_probe_is_counted_as_one(self):
        before = self.failures("bare_probe")
        self.proxy.client(source=REQUIRE).close()
        wait_until(lambda: self.failures("bare_probe") == before + 1, "the probe to be counted")

    def test_accept_serves_plain_connections(self):
        self.assertEqual(self.proxy.get("/", source=ACCEPT).status, 200)
        self.assertEqual(self.client_as_told(), ACCEPT)

    def test_accept_refuses_a_broken_header(self):
        for what, octets, cause in BAD:
            if cause in ("malformed", "header_twice"):
                with self.subTest(what=what):
                    self.closed(octets, ACCEPT)

    def test_ignore_reads_and_drops_the_header(self):
        for header in (proxy_v1(*V4), proxy_v2(*V6), aws_probe()):
            self.assertEqual(self.proxy.get("/", source=IGNORE, first=header).status, 200)
            self.assertEqual(self.client_as_told(), IGNORE)

    def test_forbidden_peers_and_unlisted_ones_are_closed(self):
        for source in (FORBID, UNLISTED, "127.1.0.1"):
            for header in (proxy_v1(*V4), proxy_v2(*V4), proxy_v2(None, command=LOCAL)):
                with self.subTest(source=source, header=header):
                    before = self.failures("not_listed")
                    self.closed(header + GET, source)
                    self.assertEqual(self.failures("not_listed"), before + 1)
            self.assertEqual(self.proxy.get("/", source=source).status, 200, "without a header it is an ordinary client")
            self.assertEqual(self.client_as_told(), source)

    def test_nobody_may_send_it_by_default(self):
        for header in (proxy_v1(*V4), proxy_v2(*V4)):
            self.closed(header + GET, "127.0.0.1", "nobody")

    def test_the_first_matching_rule_decides(self):
        # 127.0.1.0/24 is in 127.0.0.0/16 too, which comes later and forbids.
        self.assertEqual(self.proxy.get("/", source="127.0.1.200", first=proxy_v1(*V4)).status, 200)

    def test_header_deadline(self):
        for octets in (b"", b"PROXY TCP4 198.51", SIGNATURE, proxy_v2(*V4)[:-1]):
            with self.subTest(octets=octets):
                before, begun = self.failures("timed_out", "short"), time.monotonic()
                self.closed(octets, REQUIRE, "short")
                self.assertGreater(time.monotonic() - begun, 0.2)
                self.assertEqual(self.failures("timed_out", "short"), before + 1)

    def test_header_cap_of_the_listener(self):
        within = proxy_v2(*V4, tlvs=[(4, bytes(216 - 12 - 3))])
        self.assertEqual(self.proxy.get("/", listener="small", source=REQUIRE, first=within).status, 200)
        self.closed(proxy_v2(*V4, tlvs=[(4, bytes(216 - 12 - 2))]) + GET, REQUIRE, "small")

    def test_a_declared_number_of_headers_is_read(self):
        outer, inner = proxy_v2(("127.0.1.9", 1)), proxy_v1(*V4)  # of a hop that may report one itself
        self.assertEqual(self.proxy.get("/", listener="two", source=REQUIRE, first=outer + inner).status, 200)
        self.assertEqual(self.client_as_told(), "198.51.100.79")
        self.closed(outer * 3 + GET, REQUIRE, "two")

    def test_each_further_header_needs_a_rule_for_the_hop_that_reported_it(self):
        def from_hop(n):
            return proxy_v2((f"192.0.2.{n}", 1))

        inner, other = proxy_v1(*V4), proxy_v2(("203.0.113.66", 7))
        for what, octets, client in [
            ("required and there", from_hop(1) + inner, "198.51.100.79"),
            ("accepted and there", from_hop(2) + inner, "198.51.100.79"),
            ("accepted and not there: that hop is the client", from_hop(2), "192.0.2.2"),
            ("ignored", from_hop(3) + inner, "192.0.2.3"),
            ("a hop of no rule, without another header", other, "203.0.113.66"),
            ("forbidden, without another header", from_hop(4), "192.0.2.4"),
            ("LOCAL: the hop speaks for itself", from_hop(1) + proxy_v2(None, command=LOCAL), "192.0.2.1"),
            ("LOCAL of the peer: it is the last one", proxy_v2(None, command=LOCAL), REQUIRE),
            ("three in a row", from_hop(1) + from_hop(2) + inner, "198.51.100.79"),
        ]:
            for name in ("two", "three"):
                if name == "two" and what == "three in a row":
                    continue
                with self.subTest(what=what, listener=name):
                    response = self.proxy.get("/", listener=name, source=REQUIRE, first=octets)
                    self.assertEqual(response.status, 200)
                    self.assertEqual(self.client_as_told(), client)
        for what, octets, cause in [
            ("a hop of no rule", other + inner + GET, "header_twice"),
            ("a hop that is forbidden", from_hop(4) + inner + GET, "header_twice"),
            ("required and not there", from_hop(1) + GET, "plain_http"),
            ("required and broken", from_hop(1) + b"PROXY TCP4 x\r\n" + GET, "malformed"),
            ("after LOCAL", proxy_v2(None, command=LOCAL) + inner + GET, "header_twice"),
        ]:
            for name in ("two", "three"):
                with self.subTest(what=what, listener=name):
                    before = self.failures(cause, name)
                    self.closed(octets, REQUIRE, name)
                    self.assertEqual(self.failures(cause, name), before + 1)

    def test_every_hop_of_a_chain_of_headers_is_known(self):
        octets = proxy_v2(("192.0.2.1", 1)) + proxy_v1(*V4)
        self.proxy.get("/chain", listener="two", source=REQUIRE, first=octets)
        record = self.proxy.wait_access(lambda r: r["target"] == "/chain")[0]
        self.assertEqual((record["client"], record["provenance"]), ("198.51.100.79", "proxy_protocol"))
        self.assertTrue(record["peer"].startswith(REQUIRE))

    def test_no_upstream_octet_before_the_header_is_complete(self):
        before = len(self.app.connections)
        with self.proxy.client(source=REQUIRE) as client:
            client.send_apart(proxy_v1(*V4)[:-1])
            self.assertEqual(len(self.app.connections), before)
            client.send(b"\n" + GET)
            self.assertEqual(client.read_response().status, 200)

    def test_access_log_says_how_the_client_is_known(self):
        self.proxy.get("/logged-proxy", source=REQUIRE, first=proxy_v2(*V4))
        record = self.proxy.wait_access(lambda r: r["target"] == "/logged-proxy")[0]
        self.assertEqual((record["client"], record["client_port"]), ("198.51.100.79", 52110))
        self.assertEqual(record["provenance"], "proxy_protocol")
        self.assertTrue(record["peer"].startswith(REQUIRE))


class UnixPeers(ProxyTest):
    def test_rules_may_name_unix_socket_peers(self):
        path = os.path.join(self.enterContext(tempfile.TemporaryDirectory(prefix="telltale-test-")), "front.sock")
        rules = [{"from": ["unix"], "policy": "require"}]
        app = self.backend()
        entry = listener(listen="unix:" + path, client_ip={"proxy_protocol": rules})
        self.start(config(service(app), listeners=[entry]))
        with Client(path, first=proxy_v1(*V4)) as client:
            self.assertEqual(client.get("/").status, 200)
        self.assertEqual(app.last().header("x-forwarded-for"), "198.51.100.79")


def canonical(fields):
    return [["-".join(part.capitalize() for part in name.split("-")), value] for name, value in fields]


if __name__ == "__main__":
    main()
