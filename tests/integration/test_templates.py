"""`propagate.headers`, `propagate.custom_tlvs` and what `forwarded` can say: at real backends, past forgery."""

import os
import re
import tempfile

from support import Nginx, ProxyTest, config, curl, http_handler, listener, main, proxy_v2, service
from support.messages import chunks
from support.waiting import wait_until

CLIENT, DESTINATION = ("198.51.100.79", 52110), ("203.0.113.140", 8443)
AWS_VPCE = (0xEA, b"\x01vpce-08d2bf15fac5001c9")

ACCEPT = {"proxy_protocol": [{"from": ["127.0.0.0/8"], "policy": "accept"}]}
BELIEVE = {"trusted": ["127.0.0.0/8"], "header": "x-forwarded-for"}

HEADERS = {
    "X-Client": "${client.address}:${client.port} by ${client.provenance}",
    "X-Peer": "${peer.address}",
    "X-Destination": "${destination.address}:${destination.port}",
    "X-Vpce": "${tlv.aws_vpce_id}",
    "X-Request": "${request.method} ${request.scheme}://${request.host}${request.path} on ${listener.name}, $$1",
}
LOGGED = """
listen {listen};
access_log %s told;
location / { return 204; }
"""
LOG_FORMAT = 'log_format told "$http_x_client|$http_x_peer|$http_x_destination|$http_x_vpce|$http_x_request";'
FORGED = ["X-Client: 6.6.6.6", "x_client: 6.6.6.6", "X-VPCE: vpce-forged", "X-Peer: 6.6.6.6", "X-Request: forged"]


class HeadersAtNginx(ProxyTest):
    @classmethod
    def setUpClass(cls):
        directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="telltale-templates-"))
        os.chmod(directory, 0o777)  # nginx may run as somebody else
        cls.log = os.path.join(directory, "told.log")
        nginx = cls.enterClassContext(Nginx(LOGGED % cls.log, http=LOG_FORMAT))
        told = service(nginx, propagate={"headers": HEADERS})
        cls.proxy = cls.class_start(config(told, listeners=[listener("accept", client_ip=ACCEPT), listener("xff", client_ip=BELIEVE)]))
        cls.seen = 0

    def told(self) -> list:
        """What nginx logged of the request just made."""

        def lines():
            with open(self.log, encoding="latin-1") as log:
                return log.read().splitlines()

        wait_until(lambda: len(lines()) > type(self).seen, "nginx to log the request")
        type(self).seen += 1
        return lines()[type(self).seen - 1].split("|")

    def expect(self, *words):
        told = self.told()
        self.assertEqual(told[: len(words)], list(words))
        return told

    def test_curl_cannot_forge_what_a_template_writes(self):
        forged = [part for line in FORGED for part in ("-H", line)]
        host, port = self.proxy.address("accept")
        result = curl(*forged, "--interface", "127.0.9.9", "-w", "%{local_port}", f"http://{host}:{port}/a/b?q=1")
        port_of_curl = result.body.decode().splitlines()[-1]
        self.assertEqual(result.status, 204)
        self.expect(
            f"127.0.9.9:{port_of_curl} by socket", "127.0.9.9", f"{host}:{port}", "-",
            f"GET http://{host}/a/b on accept, $1",
        )  # fmt: skip

    def test_what_a_believed_proxy_header_said(self):
        header = proxy_v2(CLIENT, DESTINATION, tlvs=[AWS_VPCE])
        self.proxy.get("/", [("X-Vpce", "vpce-forged")], listener="accept", first=header, host="shop.example:80")
        self.expect(
            "198.51.100.79:52110 by proxy_protocol", "127.0.0.1", "203.0.113.140:8443", "vpce-08d2bf15fac5001c9",
            "GET http://shop.example/ on accept, $1",
        )  # fmt: skip

    def test_a_header_with_nothing_to_say_is_only_removed(self):
        self.proxy.get("/", [("X-Vpce", "vpce-forged"), ("X_Vpce", "vpce-forged")], listener="accept")
        self.assertEqual(self.told()[3], "-")

    def test_what_a_trusted_hop_said(self):
        self.proxy.get("/", [("X-Forwarded-For", "6.6.6.6, 2001:db8::79")], listener="xff")
        self.expect("2001:db8::79: by header", "127.0.0.1")


class HeadersAtARawBackend(ProxyTest):
    @classmethod
    def setUpClass(cls):
        cls.app = cls.class_backend()
        told = service(cls.app, propagate={"headers": {"X-B": "2", "X-Client": "${client.address}", "X-A": "${request.id}"}})
        cls.proxy = cls.class_start(config(told))

    def test_exactly_one_line_leaves_in_the_order_of_the_file(self):
        forged = [("x-client", "6.6.6.6"), ("X_CLIENT", "6.6.6.6"), ("X-Client", "6.6.6.6"), ("x-b", "forged")]
        self.proxy.get("/", [*forged, ("Connection", "x-client")])
        fields = self.app.last().fields
        ours = [(name, value) for name, value in fields if name.lower().replace("_", "-") in ("x-client", "x-a", "x-b")]
        self.assertEqual([name for name, _ in ours], ["X-B", "X-Client", "X-A"])
        self.assertEqual([value for _, value in ours[:2]], ["2", "127.0.0.1"])

    def test_the_request_id_is_the_access_logs(self):
        self.proxy.get("/logged")
        said = self.app.last().header("x-a")
        record = self.proxy.wait_access(lambda r: r["target"] == "/logged")[0]
        self.assertEqual(said, record["request_id"])
        self.assertRegex(said, "^[0-9a-f]{32}$")

    def test_each_request_of_a_connection_is_told_anew(self):
        with self.proxy.client() as client:
            ids = [client.get("/").json()["fields"] for _ in range(5)]
        self.assertEqual(len({dict(fields)["X-A"] for fields in map(lambda f: map(tuple, f), ids)}), 5)

    def test_no_trailer_says_it_instead(self):
        with self.proxy.client() as client:
            client.request("POST", "/", [("Transfer-Encoding", "chunked")])
            client.send(chunks(b"body", [("X-Client", "6.6.6.6"), ("x_client", "6.6.6.6"), ("X-Fine", "1")]))
            self.assertEqual(client.read_response("POST").status, 200)
        self.assertEqual(self.app.last().trailers.names(), ["x-fine"])


class CustomTlvs(ProxyTest):
    def test_they_say_what_the_client_of_the_connection_is(self):
        backend = self.backend(http_handler(proxy=True))
        tlvs = {"0xE1": "${client.address}", "0xEF": "edge $$", "0xE0": "${tlv.aws_vpce_id}"}
        told = service(backend, propagate={"proxy_protocol": "v2", "tlvs": ["crc32c", "authority"], "custom_tlvs": tlvs})
        proxy = self.start(config(told, listeners=[listener(client_ip=ACCEPT)]))
        proxy.get("/", first=proxy_v2(CLIENT, DESTINATION, tlvs=[AWS_VPCE]))
        header = backend.last().proxy
        self.assertEqual(header.tlv(0xE1), b"198.51.100.79")
        self.assertEqual(header.tlv(0xEF), b"edge $")
        self.assertEqual(header.tlv(0xE0), b"vpce-08d2bf15fac5001c9")
        proxy.get("/", source="127.0.9.1")
        header = backend.last().proxy
        self.assertEqual([header.tlv(0xE1), header.tlv(0xE0)], [b"127.0.9.1", None])

    def test_no_pooled_connection_speaks_for_another(self):
        """envoy#13659, caddy#6342: here with the same address and port, told apart by a TLV alone."""
        backend = self.backend(http_handler(proxy=True))
        told = service(backend, propagate={"proxy_protocol": "v2", "custom_tlvs": {"0xE1": "${tlv.aws_vpce_id}"}})
        proxy = self.start(config(told, workers=1, listeners=[listener(client_ip=ACCEPT)]))
        for _ in range(3):
            for vpce in (b"vpce-a", b"vpce-b"):
                proxy.get("/", first=proxy_v2(CLIENT, DESTINATION, tlvs=[(0xEA, b"\x01" + vpce)]))
                self.assertEqual(backend.last().proxy.tlv(0xE1), vpce)
        self.assertEqual(len(backend.connections), 2, "each identity has its own, and it is reused")


class Forwarded(ProxyTest):
    @classmethod
    def setUpClass(cls):
        cls.app = cls.class_backend()
        ways = {
            "connection": {"mode": "append", "parameters": ["for"], "for": "per_connection"},
            "process": {"mode": "append", "parameters": ["for", "by"], "for": "per_process", "by": "per_process"},
            "fixed": {"mode": "replace", "parameters": ["for", "by"], "for": "_client", "by": "_edge1", "ports": True},
            "extended": {"mode": "append", "extensions": {"client": "${client.address}:${client.port}", "none": "${tlv.0xE5}"}},
        }
        propagate = {name: {"x_forwarded_for": "remove", "forwarded": way} for name, way in ways.items()}
        services = [service(cls.app, name=name, propagate=p) for name, p in propagate.items()]
        cls.proxy = cls.class_start(config(*services, listeners=[listener(s["name"], service=s["name"]) for s in services]))

    def said(self, name, client=None, **options) -> str:
        if client is not None:
            client.get("/")
        else:
            self.proxy.get("/", listener=name, **options)
        return self.app.last().header("forwarded")

    def test_an_id_by_connection(self):
        by_connection = []
        for _ in range(10):
            with self.proxy.client("connection") as client:
                said = {self.said("connection", client) for _ in range(3)}
            self.assertEqual(len(said), 1, "the same for all requests of one connection")
            by_connection += said
        self.assertEqual(len(set(by_connection)), 10, "another one for each connection of the same client")
        for each in by_connection:
            self.assertRegex(each, "^for=_[0-9a-f]{16}$")

    def test_an_id_by_process(self):
        ids = [self.said("process", source=f"127.0.9.{n}") for n in (1, 2, 1, 2)]
        self.assertEqual(ids[:2], ids[2:], "the same for the same address, on whichever worker")
        self.assertNotEqual(ids[0], ids[1])
        self.assertRegex(ids[0], "^for=_[0-9a-f]{16};by=_[0-9a-f]{16}$")

    def test_another_process_has_other_ids(self):
        other = self.start(self.proxy.configuration)
        other.get("/", listener="process", source="127.0.9.1")
        theirs = self.app.last().header("forwarded")
        self.assertNotEqual(self.said("process", source="127.0.9.1"), theirs)

    def test_fixed_ids(self):
        self.assertEqual(self.said("fixed"), "for=_client;by=_edge1")

    def test_extension_parameters(self):
        with self.proxy.client("extended") as client:
            port = client.local[1]
            said = self.said("extended", client)
        self.assertEqual(said, f'for=127.0.0.1;proto=http;client="127.0.0.1:{port}"')
        self.assertFalse(re.search("none", said))


if __name__ == "__main__":
    main()
