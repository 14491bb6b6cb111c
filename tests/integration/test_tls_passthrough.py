"""TLS that goes through as it is: routes by the name and the protocols of its ClientHello, which is looked at and never
altered; and TCP behind TLS that ends here, by the same routes."""

import contextlib
import socket
import ssl
import tempfile
import threading

from support import (
    HealthPort,
    ProxyTest,
    config,
    issued,
    listener,
    local_node,
    main,
    parse_proxy_header,
    proxy_v2,
    self_signed,
    service,
    wait_until,
)
from support.authority import Authority
from support.messages import Stream
from support.proxy_header import TLV_ALPN, TLV_AUTHORITY, TLV_SSL
from support.sockets import listen_socket, text_of, wait_taken
from support.tcp import TcpServer, read_exactly
from support.tls import tls_context
from support.waiting import DEADLINE


def client_hello(sni=None, alpn=()) -> bytes:
    """The first octets of a client of Python's."""
    outgoing = ssl.MemoryBIO()
    tls = tls_context(alpn=alpn).wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=sni)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def in_records(hello: bytes, size: int) -> bytes:
    """The same in records of `size` octets."""
    message = hello[5:]
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(hello[:3] + len(piece).to_bytes(2, "big") + piece for piece in pieces)


class TlsServer:
    """Shakes hands, says its name and which protocol was agreed on, then sends back what comes."""

    def __init__(self, name, certificate, alpn=()):
        self.name = name
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        if alpn:
            self.context.set_alpn_protocols(list(alpn))
        self.listening = listen_socket()
        self.address = text_of(self.listening.getsockname())
        self.threads = []
        self.accepting = threading.Thread(target=self._accept)
        self.accepting.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listening.accept()
                sock.settimeout(DEADLINE)
                self.threads.append(threading.Thread(target=self._serve, args=(sock,)))
                self.threads[-1].start()

    def _serve(self, sock):
        with contextlib.suppress(OSError), self.context.wrap_socket(sock, server_side=True) as tls:
            tls.sendall(f"{self.name} {tls.selected_alpn_protocol()}\n".encode())
            while piece := tls.recv(65536):
                tls.sendall(piece)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for thread in [self.accepting, *self.threads]:
            thread.join(DEADLINE)


class PassthroughTest(ProxyTest):
    @classmethod
    def setUpClass(cls):
        cls.directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="telltale-certificates-"))
        cls.authority = self_signed(cls.directory, "authority", "/CN=authority")

    def certificate(self, *names) -> str:
        return issued(self.directory, names[0].replace("*", "any"), self.authority, ",".join(f"DNS:{n}" for n in names))

    def sink(self) -> TcpServer:
        return self.enterContext(TcpServer())

    def serve(self, routes, **fields):
        """`routes`: (name, match, address of the endpoint or fields of the service)."""
        services, written = [], []
        for name, match, target in routes:
            services.append(service(target, name=name) if isinstance(target, str) else {"name": name, **target})
            written.append({"service": name, **({"match": match} if match else {})})
        return self.start(config(*services, listeners=[listener(protocol="tcp", routes=written, **fields)]))

    def connect(self, proxy) -> socket.socket:
        return self.enterContext(socket.create_connection(proxy.address(), timeout=DEADLINE))

    def assert_closed(self, sock):
        with contextlib.suppress(ConnectionError):
            self.assertEqual(sock.recv(1), b"")


class Routes(PassthroughTest):
    def test_by_name_and_protocol_to_servers_with_their_own_certificates(self):
        names = {"one": ["one.example"], "any": ["*.wild.example"], "h2": ["one.example"], "rest": ["rest.example"]}
        servers = {
            name: self.enterContext(TlsServer(name, self.certificate(*of), ("h2",) if name == "h2" else ("http/1.1",)))
            for name, of in names.items()
        }
        proxy = self.serve(
            [
                ("one", {"sni": "one.example"}, servers["one"].address),
                ("h2", {"sni": "one.example", "alpn": "h2"}, servers["h2"].address),
                ("any", {"sni": "*.wild.example"}, servers["any"].address),
                ("rest", None, servers["rest"].address),
            ]
        )
        cases = [
            ("one.example", ["http/1.1"], "one http/1.1"),
            ("ONE.example", [], "one None"),
            ("one.example", ["h2", "http/1.1"], "h2 h2"),
            ("one.example", ["http/1.1", "h2"], "h2 h2"),  # that it offers h2 is what counts
            ("a.wild.example", [], "any None"),
            ("rest.example", ["h2"], "rest None"),
        ]
        for sni, alpn, answer in cases:
            with self.subTest(sni=sni, alpn=alpn):
                context = tls_context(authority=self.authority, alpn=alpn)
                with context.wrap_socket(self.connect(proxy), server_hostname=sni) as tls:
                    self.assertEqual(tls.recv(64).decode().strip(), answer)
                    tls.sendall(b"and on")
                    self.assertEqual(tls.recv(64), b"and on")
        records = proxy.wait_access(count=len(cases))
        told = {(r["service"], r["tls"]["sni"]) for r in records}
        self.assertEqual(
            told,
            {("one", "one.example"), ("h2", "one.example"), ("any", "a.wild.example"), ("rest", "rest.example")},
        )
        self.assertEqual({r["tls"]["version"] for r in records}, {None}, "it is the backend's to know")
        self.assertEqual(proxy.metrics().sum("telltale_client_hellos_total", verdict="hello"), len(cases))

    def test_by_tlv_without_a_look_at_anything(self):
        """The server may speak first, at once."""
        inside, outside = self.sink(), self.sink()
        proxy = self.serve(
            [
                ("inside", {"tlv": {"aws_vpce_id": "vpce-1"}}, inside.address),
                ("outside", None, outside.address),
            ],
            client_ip={"proxy_protocol": [{"from": ["127.0.0.0/8"], "policy": "require"}]},
            timeouts={"header": "5m"},
        )
        for tlvs, server in (([(0xEA, b"\x01vpce-1")], inside), ([(0xEA, b"\x01vpce-2")], outside), ([], outside)):
            client = self.connect(proxy)
            client.sendall(proxy_v2(("192.0.2.7", 7), tlvs=tlvs))
            with server.accept() as backend:
                backend.sendall(b"220 ready\r\n")
                self.assertEqual(client.recv(64), b"220 ready\r\n")

    def test_refuses_connections_only_while_nobody_is_behind_any_route(self):
        health = [self.enterContext(HealthPort(503)), self.enterContext(HealthPort(503))]
        probe = {"http": "/healthz", "interval": "100ms", "timeout": "5s", "fall": 1}
        backends = [self.backend(), self.backend()]
        routes = [
            (name, match, {"nodes": [local_node(name, backend, port)], "health": probe})
            for name, match, backend, port in zip(("a", "b"), ({"sni": "a.example"}, None), backends, health)
        ]
        proxy = self.serve(routes)

        def refused():
            try:
                socket.create_connection(proxy.address(), timeout=DEADLINE).close()
                return False
            except ConnectionRefusedError:
                return True

        wait_until(refused, "connections to be refused: both are out")
        health[1].status = 200
        wait_until(lambda: not refused(), "connections to be accepted for the second route")
        health[0].status = 200
        health[1].status = 503
        proxy.wait_states("b", b="draining")
        wait_until(lambda: not refused(), "connections to be accepted for the first route")


class Octets(PassthroughTest):
    """What the backend gets is what the client sent, however it came."""

    def setUp(self):
        self.one, self.rest = self.sink(), self.sink()
        self.proxy = self.serve(
            [("one", {"sni": "one.example"}, self.one.address), ("rest", None, self.rest.address)],
            timeouts={"header": "5m"},
        )

    def expect(self, server, octets, client):
        with server.accept() as backend:
            self.assertEqual(read_exactly(backend, len(octets)), octets)
            client.sendall(b"more")
            self.assertEqual(backend.recv(64), b"more")
            backend.sendall(b"answer")
            self.assertEqual(client.recv(64), b"answer")
        client.close()

    def test_cut_anywhere(self):
        hello = client_hello("one.example", ["h2"])
        for cut in [1, 4, 5, 6, 9, *range(10, len(hello), 61), len(hello) - 1]:
            client = self.connect(self.proxy)
            client.sendall(hello[:cut])
            wait_taken(client)
            client.sendall(hello[cut:])
            self.expect(self.one, hello, client)

    def test_octet_by_octet(self):
        hello = client_hello("one.example")
        client = self.connect(self.proxy)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(hello)):
            client.sendall(hello[at : at + 1])
            if at % 16 == 0:
                wait_taken(client)
        self.expect(self.one, hello, client)

    def test_in_several_records(self):
        for size in (1, 7, 100, 300):
            hello = in_records(client_hello("one.example"), size)
            client = self.connect(self.proxy)
            client.sendall(hello[: len(hello) // 2])
            wait_taken(client)
            client.sendall(hello[len(hello) // 2 :])
            self.expect(self.one, hello, client)

    def test_with_much_behind_it(self):
        octets = client_hello("one.example") + bytes(range(256)) * 1000
        client = self.connect(self.proxy)
        client.sendall(octets)
        self.expect(self.one, octets, client)

    def test_an_end_within_it_is_passed_on(self):
        client = self.connect(self.proxy)
        client.sendall(client_hello("one.example")[:50])
        client.shutdown(socket.SHUT_WR)
        with self.rest.accept() as backend:
            read_exactly(backend, 50)
            backend.sendall(b"what?")
        self.assertEqual(client.recv(64), b"what?")


def too_large() -> bytes:
    """A message that says it has 1 MB."""
    return b"\x16\x03\x01\x40\x00" + b"\x01\x10\x00\x00" + bytes(16380)


def with_two_names() -> bytes:
    """The extension of the name, twice: the lengths around it grow."""
    hello = bytearray(client_hello("one.example"))
    name = hello.index(b"\x00\x00\x00\x10\x00\x0e\x00\x00\x0bone.example")
    extension = bytes(hello[name : name + 20])
    hello[name:name] = extension
    session = 5 + 4 + 2 + 32
    suites = session + 1 + hello[session]
    compression = suites + 2 + int.from_bytes(hello[suites : suites + 2], "big")
    extensions = compression + 1 + hello[compression]
    for at, size in ((3, 2), (6, 3), (extensions, 2)):
        grown = int.from_bytes(hello[at : at + size], "big") + len(extension)
        hello[at : at + size] = grown.to_bytes(size, "big")
    return bytes(hello)


class NoName(PassthroughTest):
    """Where nothing is known the route that asks for nothing is taken, or the connection ends."""

    CASES = [
        ("no name", lambda: client_hello(), "hello", "no route"),
        ("another name", lambda: client_hello("two.example"), "hello", "no route"),
        ("no TLS", lambda: b"GET / HTTP/1.1\r\n\r\n", "not_tls", "no TLS"),
        ("a server that speaks first", lambda: b"", "timed_out", "no ClientHello within timeouts.header"),
        ("a hello that stops", lambda: client_hello("one.example")[:99], "timed_out", "no ClientHello within"),
        ("two names", with_two_names, "malformed", "ClientHello: "),
        ("1 MB", too_large, "too_large", "ClientHello: "),
    ]

    def test_goes_to_the_route_without_conditions(self):
        one, rest = self.sink(), self.sink()
        proxy = self.serve(
            [("one", {"sni": "one.example"}, one.address), ("rest", None, rest.address)], timeouts={"header": "1s"}
        )
        for what, make, verdict, _ in self.CASES:
            with self.subTest(what):
                before = proxy.metrics().sum("telltale_client_hellos_total", verdict=verdict)
                octets = make()
                client = self.connect(proxy)
                client.sendall(octets)
                with rest.accept() as backend:
                    backend.sendall(b"220 ready\r\n")
                    self.assertEqual(client.recv(64), b"220 ready\r\n")
                    if octets:
                        self.assertEqual(read_exactly(backend, len(octets)), octets)
                after = proxy.metrics().sum("telltale_client_hellos_total", verdict=verdict)
                self.assertEqual(after - before, 1, verdict)
                client.close()
        records = proxy.wait_access(count=len(self.CASES))
        self.assertEqual({r["service"] for r in records}, {"rest"})

    def test_ends_where_there_is_none(self):
        one = self.sink()
        proxy = self.serve([("one", {"sni": "one.example"}, one.address)], timeouts={"header": "1s"})
        for number, (what, make, verdict, why) in enumerate(self.CASES, 1):
            with self.subTest(what):
                client = self.connect(proxy)
                client.sendall(make())
                self.assert_closed(client)
                record = proxy.wait_access(count=number)[-1]
                told = (record["reason"], record["failure_side"], record["failure_phase"], record["ended_by"])
                self.assertEqual(told, ("no_route", "proxy", "routing", "proxy"))
                self.assertIn(why, record["failure"])
                self.assertIsNone(record["service"])
                self.assertGreater(proxy.metrics().sum("telltale_client_hellos_total", verdict=verdict), 0)
        failures = proxy.metrics().sum("telltale_request_failures_total", service="", reason="no_route")
        self.assertEqual(failures, len(self.CASES))

    def test_a_client_that_says_nothing_and_goes_asks_nobody(self):
        rest = self.sink()
        proxy = self.serve([("one", {"sni": "one.example"}, rest.address), ("rest", None, rest.address)])
        self.connect(proxy).close()
        wait_until(
            lambda: proxy.metrics().sum("telltale_client_hellos_total", verdict="closed") == 1, "it to be counted"
        )
        wait_until(lambda: proxy.metrics().sum("telltale_listener_connections_active") == 0, "it to end")
        self.assertEqual(proxy.metrics().sum("telltale_upstream_connections_opened_total"), 0)
        self.assertEqual(proxy.access_log(), [])


class Told(PassthroughTest):
    def test_the_name_goes_on_in_a_proxy_header(self):
        server = self.sink()
        target = {"endpoints": [server.address], "propagate": {"proxy_protocol": "v2", "tlvs": ["authority", "ssl", "alpn"]}}
        proxy = self.serve(
            [("one", {"sni": "one.example"}, target)],
            client_ip={"proxy_protocol": [{"from": ["127.0.0.0/8"], "policy": "accept"}]},
        )
        hello = client_hello("one.example", ["h2"])
        for first, source in ((b"", "127.0.0.1"), (proxy_v2(("192.0.2.9", 9)), "192.0.2.9")):
            client = self.connect(proxy)
            client.sendall(first + hello)
            with server.accept() as backend:
                stream = Stream(backend)
                header = parse_proxy_header(stream)
                self.assertEqual(header.source_ip(), source)
                self.assertEqual(header.tlv(TLV_AUTHORITY), b"one.example")
                self.assertIsNone(header.tlv(TLV_SSL), "the TLS is not ours")
                self.assertIsNone(header.tlv(TLV_ALPN), "nothing was agreed on yet")
                self.assertEqual(stream.read_exact(len(hello)), hello)
            client.close()


class Terminated(PassthroughTest):
    """TLS ends here, and TCP goes on in clear, by the same routes."""

    def test_routes_by_name_and_agreed_protocol(self):
        servers = {name: self.sink() for name in ("one", "h2", "rest")}
        certificate = self.certificate("one.example", "two.example")
        proxy = self.serve(
            [
                ("one", {"sni": "one.example"}, servers["one"].address),
                ("h2", {"alpn": "h2"}, servers["h2"].address),
                ("rest", None, servers["rest"].address),
            ],
            tls={"certificates": [{"certificate": certificate, "key": certificate}], "alpn": ["imap", "h2"]},
        )
        cases = [
            ("one.example", [], "one"),
            ("two.example", ["h2"], "h2"),
            ("two.example", ["h2", "imap"], "rest"),  # imap is agreed on
            ("two.example", [], "rest"),
        ]
        for sni, alpn, name in cases:
            with self.subTest(sni=sni, alpn=alpn):
                context = tls_context(authority=self.authority, alpn=alpn)
                with context.wrap_socket(self.connect(proxy), server_hostname=sni) as tls:
                    tls.sendall(b"in clear")
                    with servers[name].accept() as backend:
                        self.assertEqual(backend.recv(64), b"in clear")
                        backend.sendall(b"and back")
                        self.assertEqual(tls.recv(64), b"and back")
        records = proxy.wait_access(count=len(cases))
        self.assertEqual({r["tls"]["version"] for r in records}, {"TLSv1.3"})

    def test_routes_by_the_clients_certificate(self):
        servers = {name: self.sink() for name in ("shop", "known", "rest")}
        certificate = self.certificate("one.example")
        root = Authority(self.directory, "clients")
        proxy = self.serve(
            [
                ("shop", {"client_cert": {"san": "URI:spiffe://test/shop"}}, servers["shop"].address),
                ("known", {"client_cert": {"verified": True}}, servers["known"].address),
                ("rest", None, servers["rest"].address),
            ],
            tls={
                "certificates": [{"certificate": certificate, "key": certificate}],
                "client_certificates": {"mode": "optional", "ca": root.pem},
            },
        )
        shop, other = root.issue("shop", sans="URI:spiffe://test/shop"), root.issue("other")
        for shown, name in ((shop, "shop"), (other, "known"), (None, "rest")):
            with self.subTest(name):
                context = tls_context(authority=self.authority, certificate=shown)
                with context.wrap_socket(self.connect(proxy), server_hostname="one.example") as tls:
                    tls.sendall(b"in clear")
                    with servers[name].accept() as backend:
                        self.assertEqual(read_exactly(backend, 8), b"in clear")

    def test_no_route_is_the_end(self):
        certificate = self.certificate("one.example", "two.example")
        proxy = self.serve(
            [("one", {"sni": "one.example"}, self.sink().address)],
            tls={"certificates": [{"certificate": certificate, "key": certificate}]},
        )
        context = tls_context(authority=self.authority)
        with context.wrap_socket(self.connect(proxy), server_hostname="two.example") as tls:
            self.assertEqual(tls.recv(1), b"")
        [record] = proxy.wait_access()
        self.assertEqual((record["reason"], record["tls"]["sni"]), ("no_route", "two.example"))


if __name__ == "__main__":
    main()
