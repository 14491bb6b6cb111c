"""Upgrade and 101: a tunnel when the backend agrees, and nothing like one when it does not."""

import base64
import hashlib
import os
import struct

from support import ProxyTest, config, main, respond, service

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(payload: bytes, mask=b"") -> bytes:
    """A WebSocket binary frame (RFC 6455 5.2)."""
    size, flag = len(payload), 0x80 if mask else 0
    if size < 126:
        head = struct.pack("!BB", 0x82, flag | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x82, flag | 126, size)
    else:
        head = struct.pack("!BBQ", 0x82, flag | 127, size)
    return head + mask + (bytes(b ^ mask[i % 4] for i, b in enumerate(payload)) if mask else payload)


def read_frame(stream) -> bytes:
    _, size = stream.read_exact(2)
    masked, size = size & 0x80, size & 0x7F
    if size >= 126:
        size = int.from_bytes(stream.read_exact(2 if size == 126 else 8), "big")
    mask = stream.read_exact(4) if masked else b""
    payload = stream.read_exact(size)
    return bytes(b ^ mask[i % 4] for i, b in enumerate(payload)) if mask else payload


def accept_key(key: str) -> str:
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()


def serve(connection):
    """WebSocket echo at /ws, 200 at /no, a 101 nobody asked for at /unasked."""
    while (request := connection.next_request()) is not None:
        if request.target == "/ws":
            key = request.header("sec-websocket-key")
            fields = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_key(key))]
            # The first frame comes in the same write as the head: it must not be lost.
            connection.send(respond(101, fields=fields, length=False) + frame(b"welcome"))
            while connection.peek(1):
                connection.send(frame(read_frame(connection)))
            return
        if request.target == "/bye":
            connection.send(respond(101, fields=[("Upgrade", "x"), ("Connection", "Upgrade")], length=False) + b"bye")
            return
        if request.target == "/unasked":
            connection.send(respond(101, fields=[("Upgrade", "x"), ("Connection", "Upgrade")], length=False))
        connection.send(respond(200, f"plain {request.target}"))


UPGRADE = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")]


class Upgrade(ProxyTest):
    @classmethod
    def setUpClass(cls):
        cls.app = cls.class_backend(serve)
        cls.proxy = cls.class_start(config(service(cls.app)))

    def open_socket(self, early=b""):
        client = self.enterContext(self.proxy.client())
        key = base64.b64encode(os.urandom(16)).decode()
        client.request("GET", "/ws", [*UPGRADE, ("Sec-WebSocket-Key", key)])
        client.send(early)
        response = client.read_response()
        self.assertEqual(response.status, 101)
        self.assertEqual(response.header("sec-websocket-accept"), accept_key(key))
        self.assertEqual(response.header("upgrade"), "websocket")
        self.assertEqual(read_frame(client), b"welcome")
        return client

    def test_websocket_echo_goes_both_ways(self):
        client = self.open_socket()
        for size in (0, 1, 125, 126, 65535, 65536, 1_000_000):
            payload = os.urandom(size)
            client.send(frame(payload, os.urandom(4)))
            self.assertEqual(read_frame(client), payload)

    def test_many_frames_at_once_keep_their_order(self):
        client = self.open_socket()
        client.send(b"".join(frame(b"%d" % n, b"mask") for n in range(500)))
        for n in range(500):
            self.assertEqual(read_frame(client), b"%d" % n)

    def test_octets_sent_with_the_upgrade_request_reach_the_tunnel(self):
        client = self.open_socket(early=frame(b"early", b"mask"))
        self.assertEqual(read_frame(client), b"early")

    def test_client_end_closes_the_backend(self):
        client = self.open_socket()
        used = self.app.last().connection.index
        client.close()
        self.app.wait_closed(used)

    def test_half_close_passes_through_the_tunnel(self):
        client = self.open_socket()
        client.send(frame(b"last", b"mask"))
        client.finish()
        self.assertEqual(read_frame(client), b"last")
        self.assertEqual(client.closed_by_peer(), b"")

    def test_backend_end_closes_the_client_after_the_last_octets(self):
        with self.proxy.client() as client:
            client.request("GET", "/bye", [("Upgrade", "x"), ("Connection", "Upgrade")])
            self.assertEqual(client.read_response().status, 101)
            self.assertEqual(client.closed_by_peer(), b"bye")

    def test_a_refused_upgrade_is_an_ordinary_response(self):
        """CVE-2024-23326: a 200 to an Upgrade must not open a tunnel."""
        with self.proxy.client() as client:
            client.request("GET", "/no", UPGRADE)
            self.assertEqual(client.read_response().body, b"plain /no")
            # The connection is still HTTP, parsed and checked: a malformed request is refused, not tunnelled.
            self.assertEqual(client.get("/next").body, b"plain /next")
            client.send(b"GET /smuggled HTTP/1.1\r\nHost: h\r\nBad Field: x\r\n\r\n")
            self.assertEqual(client.read_response().status, 400)
        self.assertNotIn(b"smuggled", self.app.received())

    def test_a_101_nobody_asked_for_is_502(self):
        self.assertEqual(self.proxy.get("/unasked").status, 502)
        self.assertEqual(self.proxy.get("/next").body, b"plain /next")

    def test_http_1_0_cannot_upgrade(self):
        with self.proxy.client() as client:
            client.request("GET", "/no", UPGRADE, version="HTTP/1.0")
            self.assertEqual(client.read_response().status, 200)
        self.assertIsNone(self.app.last().header("upgrade"))

    def test_upgrade_without_its_connection_option_stays_here(self):
        self.proxy.get("/no", [("Upgrade", "websocket")])
        self.assertIsNone(self.app.last().header("upgrade"))

    def test_upgrade_with_a_body_is_not_passed_on(self):
        with self.proxy.client() as client:
            response = client.get("/no", UPGRADE, method="POST", body=b"hello")
        if response.status == 200:
            self.assertIsNone(self.app.last().header("upgrade"))
            self.assertEqual(self.app.last().body, b"hello")
        else:
            self.assertEqual(response.status, 400)

    def test_the_tunnel_is_in_the_access_log_once_it_ended(self):
        client = self.open_socket()
        client.close()
        record = self.proxy.wait_access(lambda r: r["status"] == 101 and r["target"] == "/ws")[0]
        self.assertEqual((record["method"], record["failure"]), ("GET", None))


if __name__ == "__main__":
    main()
