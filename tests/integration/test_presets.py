"""`client_ip.behind`: what each party in front sends, sent by a raw client from where that party is said to be."""

import struct

from support import ProxyTest, config, listener, main, proxy_v1, proxy_v2, service
from support.proxy_header import INET, LOCAL, SIGNATURE, crc32c, proxy_v2_raw, tlv

# The party in front, its clients that come straight to us, and a client behind it.
FRONT, STRANGER, CLIENT = "127.0.20.1", "127.0.21.1", "198.51.100.79"
FROM = ["127.0.20.0/24"]
DESTINATION = ("203.0.113.140", 80)
FORGED = "192.0.2.66"
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


def aws_probe() -> bytes:
    """A health check of a network load balancer: LOCAL, TCP over IPv4, no address block, a CRC32C and padding."""
    blank = SIGNATURE + bytes.fromhex("20110054") + tlv(3, bytes(4)) + tlv(4, bytes(74))
    return blank[:19] + struct.pack("!I", crc32c(blank)) + blank[23:]


def v2(*tlvs, crc=False):
    return proxy_v2((CLIENT, 52110), DESTINATION, tlvs=tlvs, crc=crc)


V1 = proxy_v1((CLIENT, 52110), DESTINATION)

# preset -> what it sends first on a connection, for a client and for itself
PROXY_SENDERS = {
    "aws-nlb": (v2((0xEA, b"\x01vpce-08d2bf15fac5001c9"), (4, bytes(40)), crc=True), aws_probe()),
    "aws-clb": (V1, proxy_v1(None)),
    "gcp-psc": (v2((0xE0, struct.pack("!Q", 1234567890123456))), proxy_v2(None, command=LOCAL)),
    "azure-private-link": (v2((0xEE, b"\x01" + struct.pack("<I", 536871134))), proxy_v2(None, command=LOCAL)),
    "cloudflare-spectrum": (v2(), proxy_v2_raw(LOCAL, INET << 4 | 1, bytes(12))),
    "digitalocean": (V1, proxy_v1(None)),
    "hetzner": (v2(), V1),
}  # fmt: skip

# preset -> fields as it sends them, a client's forgeries included
HEADER_SENDERS = {
    "aws-alb": [("X-Forwarded-For", f"{FORGED}, {CLIENT}"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443")],
    "gcp-lb": [("X-Forwarded-For", f"{FORGED}, {CLIENT},203.0.113.140"), ("Via", "1.1 google")],
    "azure-front-door": [
        ("X-Azure-ClientIP", FORGED), ("X-Azure-SocketIP", CLIENT), ("X-Forwarded-For", f"{FORGED}, {CLIENT}"),
        ("X-Azure-FDID", "55ce4ed1-4b06-4bf1-b40e-4638452104da"), ("Via", "1.1 Azure")],
    "cloudflare": [
        ("CF-Connecting-IP", CLIENT), ("X-Forwarded-For", f"{FORGED}, {CLIENT}"), ("CF-IPCountry", "US"), ("CF-Ray", "1-LAX")],
    "fastly": [
        ("Fastly-Client-IP", FORGED), ("X-Forwarded-For", f"{FORGED}, {CLIENT}, 127.0.20.9"), ("Fastly-Client", "1")],
}  # fmt: skip
SILENT = ["azure-lb", "kubernetes-nodeport", "nothing"]
ALL_CLAIMS = sorted({name for fields in HEADER_SENDERS.values() for name, _ in fields if name.endswith(("IP", "For"))})


def listeners():
    for name in (*PROXY_SENDERS, *HEADER_SENDERS):
        yield listener(name, client_ip={"behind": name, "from": FROM})
    for name in SILENT:
        yield listener(name, client_ip={"behind": name})
    # Cloudflare in front of a network load balancer.
    yield listener("cdn-nlb", client_ip={
        "behind": "aws-nlb", "from": FROM, "header": "cf-connecting-ip", "trusted": ["cloudflare"]})  # fmt: skip
    yield listener("built-in", client_ip={"behind": "cloudflare"})


class Presets(ProxyTest):
    @classmethod
    def setUpClass(cls):
        cls.app = cls.class_backend()
        app = service(cls.app, propagate={"x_real_ip": True, "x_forwarded_for": "replace"})
        cls.proxy = cls.class_start(config(app, listeners=list(listeners()), workers=1))

    def told(self, name, fields=(), source=FRONT, first=b""):
        """Whom the backend is told, once: X-Real-IP, and that no other claim reached it."""
        self.assertEqual(self.proxy.get("/", fields, listener=name, source=source, first=first).status, 200)
        got = self.app.last().fields
        self.assertEqual(got.one("x-forwarded-for"), got.one("x-real-ip"))
        return got.one("x-real-ip")

    def closed(self, name, octets, source):
        before = len(self.app.requests)
        with self.proxy.client(name, source=source) as client:
            client.send(octets)
            self.assertEqual(client.closed_by_peer(), b"")
        self.assertEqual(len(self.app.requests), before)

    def test_proxy_senders_name_the_client_by_proxy_alone(self):
        claims = [(name, FORGED) for name in ALL_CLAIMS]
        for name, (for_client, for_itself) in PROXY_SENDERS.items():
            with self.subTest(name):
                self.assertEqual(self.told(name, first=for_client), CLIENT)
                self.assertEqual(self.told(name, claims, first=for_client), CLIENT, "headers are the client's own words")
                own = CLIENT if name == "hetzner" else FRONT
                self.assertEqual(self.told(name, claims, first=for_itself), own)
                self.closed(name, GET, FRONT)
                self.closed(name, for_client + GET, STRANGER)

    def test_header_senders_name_the_client_by_their_header_alone(self):
        for name, fields in HEADER_SENDERS.items():
            with self.subTest(name):
                self.assertEqual(self.told(name, fields), CLIENT)
                self.assertEqual(self.told(name, fields, source=STRANGER), STRANGER, "a stranger may send the same")
                self.assertEqual(self.told(name), FRONT, "a health check has no header")
                self.closed(name, V1 + GET, FRONT)

    def test_behind_those_that_tell_nothing_the_peer_is_the_client(self):
        for name in SILENT:
            with self.subTest(name):
                self.assertEqual(self.told(name, [(claim, FORGED) for claim in ALL_CLAIMS]), FRONT)
                self.closed(name, V1 + GET, FRONT)

    def test_every_layer_is_checked_against_its_own_addresses(self):
        through_cdn = proxy_v2(("173.245.48.9", 4000), DESTINATION)
        around_cdn = proxy_v2(("198.51.100.80", 4000), DESTINATION)
        fields = [("CF-Connecting-IP", CLIENT), ("X-Forwarded-For", FORGED)]
        self.assertEqual(self.told("cdn-nlb", fields, first=through_cdn), CLIENT)
        self.assertEqual(self.told("cdn-nlb", fields, first=around_cdn), "198.51.100.80")
        self.assertEqual(self.told("cdn-nlb", fields, first=aws_probe()), FRONT)
        self.closed("cdn-nlb", through_cdn + GET, STRANGER)

    def test_the_built_in_list_does_not_hold_loopback(self):
        self.assertEqual(self.told("built-in", HEADER_SENDERS["cloudflare"]), FRONT)


if __name__ == "__main__":
    main()
