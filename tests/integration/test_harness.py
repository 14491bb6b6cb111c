"""The tests' own tools, against real peers: what they say of Telltale is worth what they say of nginx and HAProxy."""

import contextlib
import socket
import unittest

from support import (
    Backend,
    Client,
    HAProxy,
    Nginx,
    ProtocolError,
    ProxyTest,
    black_hole,
    curl,
    http_handler,
    main,
    proxy_v1,
    proxy_v2,
    refused_address,
    respond,
)
from support.messages import chunks, parse_request_head, parse_response_head
from support.proxy_header import LOCAL, crc32c, parse_proxy_header, proxy_v2_raw
from support.sockets import parse_address, wait_taken

WHO = "return 200 '$proxy_protocol_addr $proxy_protocol_port $remote_addr';"


class Codec(unittest.TestCase):
    def test_crc32c_has_the_check_value_of_the_catalogue(self):
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)

    def test_proxy_headers_survive_writing_and_reading(self):
        v4, v6 = (("198.51.100.7", 5), ("203.0.113.1", 80)), (("2001:db8::7", 5), ("2001:db8::1", 80))
        for octets, source in [
            (proxy_v1(*v4), v4[0]),
            (proxy_v1(*v6), v6[0]),
            (proxy_v1(None), None),
            (proxy_v2(*v4, tlvs=[(2, b"a.example")], crc=True), v4[0]),
            (proxy_v2(*v6, crc=True), v6[0]),
            (proxy_v2(*v4, command=LOCAL), v4[0]),
            (proxy_v2(None), None),
        ]:
            with self.subTest(octets=octets), pair(octets) as stream:
                header = parse_proxy_header(stream)
                self.assertEqual((header.source, header.raw), (source, octets))

    def test_broken_proxy_headers_are_found(self):
        good = proxy_v2(("198.51.100.7", 5), crc=True)
        for octets in [
            good[:-1] + bytes([good[-1] ^ 1]),
            proxy_v2_raw(1, 0x11, bytes(11)),
            proxy_v2_raw(1, 0x11, bytes(12) + b"\x02\x00\x09abc"),
            b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        ]:
            with self.subTest(octets=octets), pair(octets) as stream, self.assertRaises(ProtocolError):
                parse_proxy_header(stream)

    def test_the_reader_refuses_what_a_peer_might_misread(self):
        for head in [b"GET / HTTP/1.1\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nA : b\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n"]:
            with self.subTest(head=head), self.assertRaises(ProtocolError):
                parse_request_head(head)
        for head in [b"HTTP/1.1 20 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n a: b\r\n\r\n"]:
            with self.subTest(head=head), self.assertRaises(ProtocolError):
                parse_response_head(head)


@contextlib.contextmanager
def pair(octets):
    """A client that reads these octets and then the end."""
    with socket.create_server(("127.0.0.1", 0)) as listening, Client(listening.getsockname()) as client:
        sock, _ = listening.accept()
        with sock:
            sock.sendall(octets)
            sock.shutdown(socket.SHUT_WR)
            yield client


class RealPeers(ProxyTest):
    def test_nginx_answers_the_raw_client_as_curl(self):
        nginx = self.enterContext(Nginx(f"listen {{listen}}; location / {{ {WHO} }}"))
        with Client(nginx.sockname(), source="127.0.0.9") as client:
            for _ in range(3):
                self.assertEqual(client.get().body.split()[-1], b"127.0.0.9")
            client.get(method="HEAD")
            self.assertEqual(client.get(method="POST", body=b"x" * 1000).status, 200)
        self.assertEqual(curl(f"http://{nginx.address}/").status, 200)

    def test_nginx_understands_our_proxy_headers(self):
        server = f"listen {{listen}} proxy_protocol; location / {{ {WHO} }}"
        nginx = self.enterContext(Nginx(server))
        for first, wanted in [
            (proxy_v1(("198.51.100.7", 4711)), "198.51.100.7 4711"),
            (proxy_v1(("2001:db8::7", 4711), ("2001:db8::1", 80)), "2001:db8::7 4711"),
            (proxy_v2(("198.51.100.8", 4712), tlvs=[(5, b"abc")], crc=True), "198.51.100.8 4712"),
            (proxy_v2(("2001:db8::8", 4712), ("2001:db8::1", 80)), "2001:db8::8 4712"),
        ]:
            with self.subTest(first=first), Client(nginx.sockname(), first=first) as client:
                self.assertEqual(client.get().body.decode(), wanted + " 127.0.0.1")

    def test_backend_behind_nginx_and_haproxy_sees_each_request_once(self):
        backend = self.backend()
        nginx = self.enterContext(
            Nginx(f"listen {{listen}}; location / {{ proxy_pass http://{backend.address}; proxy_http_version 1.1; }}")
        )
        haproxy = self.enterContext(
            HAProxy(f"frontend f\n  bind {{bind0}}\n  default_backend b\nbackend b\n  server s {backend.address}\n")
        )
        for peer in (nginx, haproxy):
            with Client(peer.sockname()) as client:
                client.request("POST", "/chunked", [("Transfer-Encoding", "chunked")])
                client.send(chunks(b"hello" * 2000, size=1000))
                described = client.read_response().json()
                self.assertEqual((described["target"], described["body"]), ("/chunked", "hello" * 2000))
                self.assertEqual(client.get("/next").json()["target"], "/next")
        self.assertEqual([r.target for r in backend.requests], ["/chunked", "/next"] * 2)

    def test_haproxy_and_the_raw_peers_speak_the_same_proxy_protocol(self):
        backends = [self.backend(http_handler(proxy=True)), self.backend(http_handler(proxy=True))]
        text = "frontend f\n  bind {bind0} accept-proxy\n  use_backend b2 if { path /2 }\n  default_backend b1\n"
        text += f"backend b1\n  server s {backends[0].address} send-proxy\n"
        text += f"backend b2\n  server s {backends[1].address} send-proxy-v2\n"
        haproxy = self.enterContext(HAProxy(text))
        for first in (proxy_v1(("198.51.100.7", 4711)), proxy_v2(("198.51.100.7", 4711))):
            for version in (1, 2):
                with Client(haproxy.sockname(), first=first) as client:
                    told = client.get(f"/{version}").json()["proxy"]
                    self.assertEqual(told, {"command": "PROXY", "version": version, "source": ["198.51.100.7", 4711]})

    def test_backend_misbehaves_as_told(self):
        def handle(connection):
            connection.read_request()
            connection.send(respond(200, b"x" * 100)[:-50])
            connection.reset()

        backend = self.backend(handle)
        nginx = self.enterContext(Nginx(f"listen {{listen}}; location / {{ proxy_pass http://{backend.address}; }}"))
        result = curl(f"http://{nginx.address}/", expect=18)  # CURLE_PARTIAL_FILE
        self.assertLessEqual(len(result.body), 50, "a reset may overtake the octets before it")

    def test_addresses_that_refuse_and_that_swallow(self):
        with refused_address() as address, self.assertRaises(ConnectionRefusedError):
            Client(parse_address(address))
        with black_hole() as address, self.assertRaises(TimeoutError):
            Client(parse_address(address), timeout=0.3)

    def test_what_was_sent_is_seen_to_be_taken(self):
        def handle(connection):
            connection.backend.release.wait()
            connection.read_exact(4)

        with Backend(handle) as backend, Client(backend.sockname) as client:
            client.send(b"abcd")
            backend.release.set()
            wait_taken(client.sock)


if __name__ == "__main__":
    main()
