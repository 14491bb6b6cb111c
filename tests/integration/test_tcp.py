"""TCP mode: connections as they are, to and fro, with who the client is told by PROXY header or source address."""

import contextlib
import hashlib
import os
import socket
import tempfile
import threading

from support import (
    Echo,
    HAProxy,
    HealthPort,
    Nginx,
    ProxyTest,
    black_hole,
    config,
    curl,
    listener,
    local_node,
    main,
    parse_proxy_header,
    proxy_v1,
    proxy_v2,
    refused_address,
    service,
    wait_until,
)
from support.messages import Stream
from support.proxy_header import LOCAL
from support.sockets import reset, wait_taken
from support.tcp import TcpServer, read_all, read_exactly
from support.waiting import DEADLINE, SANITIZER

PIECE = os.urandom(1 << 18)


class Tcp(ProxyTest):
    def serve(self, *services, **fields):
        return self.start(config(*services, listeners=[listener(protocol="tcp", **fields)]))

    def server(self) -> TcpServer:
        return self.enterContext(TcpServer())

    def connect(self, proxy, source=None) -> socket.socket:
        sock = socket.create_connection(proxy.address(), timeout=DEADLINE, source_address=source)
        return self.enterContext(sock)

    def pair(self, **fields):
        """A client, the server's end of its connection, and the proxy between them."""
        server = self.server()
        proxy = self.serve(service(server.address, **fields))
        client = self.connect(proxy)
        return client, self.enterContext(server.accept()), proxy

    # Octets and ends.

    def test_octets_go_both_ways_and_ends_are_passed_on_one_by_one(self):
        client, server, proxy = self.pair()
        client.sendall(b"question")
        self.assertEqual(read_exactly(server, 8), b"question")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(server.recv(1), b"")
        server.sendall(b"an answer after the end of the question")
        server.close()
        self.assertEqual(read_all(client), b"an answer after the end of the question")
        [record] = proxy.wait_access()
        self.assertEqual(record["protocol"], "TCP")
        self.assertEqual((record["bytes_received"], record["bytes_sent"]), (8, 39))
        self.assertEqual(record["client"], "127.0.0.1")
        self.assertIsNone(record["failure"])
        self.assertEqual(record["ended_by"], "client")

    def test_the_server_may_end_first(self):
        client, server, proxy = self.pair()
        server.sendall(b"bye")
        server.shutdown(socket.SHUT_WR)
        self.assertEqual(read_all(client), b"bye")
        client.sendall(b"still here")
        client.close()
        self.assertEqual(read_all(server), b"still here")
        self.assertEqual(proxy.wait_access()[0]["ended_by"], "backend")

    def test_the_server_may_speak_first(self):
        client, server, _ = self.pair()
        server.sendall(b"SSH-2.0-server\r\n")
        self.assertEqual(read_exactly(client, 16), b"SSH-2.0-server\r\n")

    def test_much_goes_both_ways_at_once_unchanged(self):
        client, server, proxy = self.pair()
        sent = [os.urandom(1 << 20) * 48, os.urandom(1 << 20) * 48]
        got = {}

        def pump(sock, out, key):
            reader = threading.Thread(target=lambda: got.__setitem__(key, hashlib.sha256(read_all(sock)).digest()))
            reader.start()
            sock.sendall(out)
            sock.shutdown(socket.SHUT_WR)
            reader.join(DEADLINE)

        far = threading.Thread(target=pump, args=(server, sent[1], "server"))
        far.start()
        pump(client, sent[0], "client")
        far.join(DEADLINE)
        self.assertEqual(got["server"], hashlib.sha256(sent[0]).digest())
        self.assertEqual(got["client"], hashlib.sha256(sent[1]).digest())
        if not SANITIZER:  # they keep freed memory
            self.assertLess(proxy.memory("VmHWM"), 120 << 20, "nothing is piled up in between")

    def test_a_side_that_breaks_is_passed_on_as_broken(self):
        for who in ("client", "server"):
            with self.subTest(who):
                client, server, proxy = self.pair()
                client.sendall(b"x")
                read_exactly(server, 1)
                broken, other = (client, server) if who == "client" else (server, client)
                reset(broken)
                with self.assertRaises(ConnectionResetError):
                    read_all(other)
                [record] = proxy.wait_access()
                self.assertEqual(record["failure_side"], "downstream" if who == "client" else "upstream")
                self.assertEqual(record["ended_by"], "client" if who == "client" else "backend")

    def test_idle_connections_end(self):
        client, server, proxy = self.pair(timeouts={"idle": "2s"})
        client.sendall(b"x")
        read_exactly(server, 1)
        self.assertEqual(client.recv(1), b"")
        self.assertEqual(server.recv(1), b"")
        [record] = proxy.wait_access()
        self.assertEqual(record["failure"], "Connection timed out")
        told = (record["reason"], record["failure_side"], record["failure_phase"])
        self.assertEqual(told, ("idle_timeout", "upstream", "response_body"), "whichever timer was the first")
        self.assertEqual(record["ended_by"], "proxy")
        self.assertEqual(proxy.metrics().sum("telltale_request_failures_total", reason="idle_timeout"), 1)

    def test_life_in_one_direction_is_life(self):
        client, server, _ = self.pair(timeouts={"idle": "3s"})
        for _ in range(4):
            server.sendall(b"tick")
            self.assertEqual(read_exactly(client, 4), b"tick")
            threading.Event().wait(1)  # time has to pass: longer in all than the idle time
        client.sendall(b"x")
        self.assertEqual(read_exactly(server, 1), b"x")

    # Who the client is.

    def test_backends_are_told_by_a_proxy_header(self):
        for version in ("v1", "v2"):
            with self.subTest(version):
                echo = self.enterContext(Echo("--proxy-protocol"))
                proxy = self.serve(service(echo.address, propagate={"proxy_protocol": version}))
                text = curl("--interface", "127.0.0.77", proxy.url()).body.decode()
                self.assertIn(f"version={version[1]} command=PROXY source=127.0.0.77:", text)

    def test_real_peers_read_it(self):
        nginx = self.enterContext(Nginx('listen {listen} proxy_protocol; return 200 "$proxy_protocol_addr\\n";'))
        haproxy = self.enterContext(
            HAProxy("frontend f\n bind {bind0} accept-proxy\n http-request return status 200 content-type text/plain lf-string %ci\n")
        )
        for peer, version in ((nginx, "v1"), (nginx, "v2"), (haproxy, "v1"), (haproxy, "v2")):
            with self.subTest(peer=type(peer).__name__, version=version):
                proxy = self.serve(service(peer.addresses[0], propagate={"proxy_protocol": version}))
                text = curl("--interface", "127.0.0.78", proxy.url()).body.decode()
                self.assertEqual(text.strip(), "127.0.0.78")

    def test_a_header_from_in_front_is_believed_and_passed_on(self):
        server = self.server()
        rules = [{"from": ["127.0.0.0/8"], "policy": "require"}]
        proxy = self.serve(
            service(server.address, propagate={"proxy_protocol": "v1"}),
            client_ip={"proxy_protocol": rules, "proxy_header_timeout": "5m"},
        )
        client = self.connect(proxy)
        header = proxy_v2(("198.51.100.7", 1234), ("203.0.113.9", 443))
        client.sendall(header[:20])
        wait_taken(client)
        server.listening.settimeout(0.2)
        with self.assertRaises(TimeoutError, msg="nothing goes to the backend before the header is whole"):
            server.accept()
        server.listening.settimeout(DEADLINE)
        client.sendall(header[20:] + b"hello")
        backend = self.enterContext(server.accept())
        expected = b"PROXY TCP4 198.51.100.7 203.0.113.9 1234 443\r\nhello"
        self.assertEqual(read_exactly(backend, len(expected)), expected)

    def test_a_connection_without_a_required_header_ends(self):
        server = self.server()
        rules = [{"from": ["127.0.0.0/8"], "policy": "require"}]
        proxy = self.serve(service(server.address), client_ip={"proxy_protocol": rules})
        client = self.connect(proxy)
        client.sendall(b"SSH-2.0-client\r\n")
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(client.recv(1), b"")
        proxy.log.wait_line("closed")
        with contextlib.closing(self.connect(proxy)) as client:
            client.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.8 ")  # and no more: not even then is the backend asked
            client.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(client.recv(1), b"")
        server.listening.setblocking(False)
        with self.assertRaises(BlockingIOError):
            server.listening.accept()

    def test_v1_from_a_peer_and_v2_to_the_backend(self):
        echo = self.enterContext(Echo("--proxy-protocol"))
        rules = [{"from": ["127.0.0.0/8"], "policy": "accept"}]
        proxy = self.serve(
            service(echo.address, propagate={"proxy_protocol": "v2", "tlvs": ["unique_id", "crc32c"]}),
            client_ip={"proxy_protocol": rules},
        )
        client = self.connect(proxy)
        client.sendall(proxy_v1(("192.0.2.1", 1000), ("192.0.2.2", 80)) + b"GET / HTTP/1.0\r\n\r\n")
        self.assertIn(b"source=192.0.2.1:1000 destination=192.0.2.2:80 tlvs=", read_all(client))

    def test_a_header_that_speaks_for_nobody_leaves_the_peer(self):
        """LOCAL, as balancers send it with their own checks, and v1's UNKNOWN."""
        rules = [{"from": ["127.0.0.0/8"], "policy": "require"}]
        for name, first in (("LOCAL", proxy_v2(None, command=LOCAL)), ("UNKNOWN", proxy_v1(None))):
            with self.subTest(name):
                server = self.server()
                proxy = self.serve(
                    service(server.address, propagate={"proxy_protocol": "v1"}), client_ip={"proxy_protocol": rules}
                )
                client = self.connect(proxy, ("127.0.0.9", 0))
                client.sendall(first + b"hello")
                with server.accept() as backend, backend.makefile("rb") as stream:
                    self.assertRegex(stream.readline(), rb"^PROXY TCP4 127\.0\.0\.9 127\.0\.0\.1 ")
                    self.assertEqual(stream.read(5), b"hello")
                client.close()
                self.assertEqual(proxy.wait_access()[0]["client"], "127.0.0.9")

    def test_a_client_without_an_address_is_told_as_local(self):
        """Over a Unix socket nobody has one, and none is invented."""
        server = self.server()
        with tempfile.TemporaryDirectory(prefix="telltale-tcp-") as directory:
            path = os.path.join(directory, "tcp.sock")
            for version in ("v1", "v2"):
                with self.subTest(version):
                    app = service(server.address, propagate={"proxy_protocol": version})
                    proxy = self.serve(app, listen="unix:" + path)
                    with socket.socket(socket.AF_UNIX) as client:
                        client.settimeout(DEADLINE)
                        client.connect(path)
                        client.sendall(PIECE)
                        with server.accept() as backend:
                            stream = Stream(backend)
                            header = parse_proxy_header(stream)
                            self.assertEqual((header.command, header.source), ("LOCAL", None))
                            self.assertEqual(stream.read_exact(len(PIECE)), PIECE)
                    self.assertEqual(proxy.wait_access()[0]["client"], "unix")
                    proxy.stop()

    # Whom it goes to.

    def test_another_endpoint_is_tried_after_a_failed_connect(self):
        server = self.server()
        refused = self.enterContext(refused_address())
        proxy = self.serve(service(refused, server.address))
        for _ in range(4):
            with self.connect(proxy) as client, server.accept() as backend:
                backend.sendall(b"ok")
                self.assertEqual(read_exactly(client, 2), b"ok")
        self.assertIn(2, {record["tries"] for record in proxy.wait_access(count=4)})

    def test_a_connect_that_takes_too_long_goes_elsewhere(self):
        server = self.server()
        hole = self.enterContext(black_hole())
        proxy = self.serve(service(hole, server.address, timeouts={"connect": "1s"}))
        for _ in range(2):
            client = self.connect(proxy)
            self.enterContext(server.accept()).sendall(b"ok")
            self.assertEqual(read_exactly(client, 2), b"ok")

    def test_nobody_to_connect_to_is_a_reset(self):
        refused = self.enterContext(refused_address())
        proxy = self.serve(service(refused))
        # Before connect() has returned, or after.
        self.assertRaises(ConnectionError, lambda: self.connect(proxy).recv(1))
        [record] = proxy.wait_access()
        self.assertEqual((record["failure_side"], record["failure_phase"]), ("upstream", "connect"))
        self.assertEqual(record["ended_by"], "backend")

    def test_connections_are_refused_while_nobody_may_be_chosen(self):
        echo = self.enterContext(Echo())
        health = self.enterContext(HealthPort(503))
        probe = {"http": "/healthz", "interval": "100ms", "timeout": "5s", "fall": 1}
        proxy = self.serve(service(nodes=[local_node("n", echo, health)], health=probe))

        def refused():
            try:
                socket.create_connection(proxy.address(), timeout=DEADLINE).close()
                return False
            except ConnectionRefusedError:
                return True

        proxy.wait_states(n="draining")
        wait_until(refused, "connections to be refused")
        self.assertTrue(all(refused() for _ in range(20)), "by every worker")
        health.status = 200
        wait_until(lambda: not refused(), "connections to be accepted again")
        with proxy.client() as client:
            self.assertEqual(client.get("/before").status, 200)
            health.status = 503
            wait_until(refused, "connections to be refused again")
            self.assertEqual(client.get("/after").status, 200, "established ones go on")

    def test_one_client_stays_with_one_endpoint_if_asked_for(self):
        echoes = [self.enterContext(Echo()) for _ in range(3)]
        proxy = self.serve(service(*echoes, session_affinity="client_ip", balance="round_robin"))
        clients, each = 6, 5
        for _ in range(each):
            for client in range(1, clients + 1):
                self.assertEqual(proxy.get("/", source=f"127.0.1.{client}").status, 200)
        endpoints = {}
        for record in proxy.wait_access(count=clients * each):
            endpoints.setdefault(record["client"], set()).add(record["endpoint"])
        self.assertEqual([len(those) for those in endpoints.values()], [1] * clients, endpoints)
        # At least three of them came to the same one of two workers first, and it took turns.
        self.assertEqual(len(set.union(*endpoints.values())), 3)

    # What it is part of.

    def test_a_drain_waits_for_connections(self):
        client, server, proxy = self.pair()
        client.sendall(b"x")
        read_exactly(server, 1)
        proxy.terminate()
        proxy.log.wait_line("draining")
        client.sendall(b"more")
        self.assertEqual(read_exactly(server, 4), b"more")
        client.close()
        self.assertEqual(server.recv(1), b"")
        server.close()
        proxy.stop()

    def test_gauges_come_down_to_zero(self):
        client, server, proxy = self.pair()
        gauges = ("telltale_requests_active", "telltale_upstream_connections_active")

        def values():
            return [proxy.metrics().sum(gauge, service="app") for gauge in gauges]

        def wait_for(count):
            wait_until(lambda: values() == [count] * 2, f"{gauges} to be {count}")

        wait_for(1)
        client.close()
        server.close()
        wait_for(0)


if __name__ == "__main__":
    main()
