"""Real protocols, spoken by programs that others wrote, through TCP mode and through tunnels of HTTP mode."""

import hashlib
import os
import socket
import subprocess
import tempfile
import threading

from support import ProxyTest, config, issued, listener, main, self_signed, service
from support.process import Process, find_program
from support.sockets import listen_socket, text_of
from support.waiting import DEADLINE, SANITIZER
from support.websocket import WebSocketServer, talk

MEGABYTES = 2 if SANITIZER else 16


def host_port(address) -> str:
    return f"{address[0]}:{address[1]}"


class OpenSsl(ProxyTest):
    """openssl s_client and s_server: TLS passed through, and TLS that ends here with TCP in clear behind it."""

    @classmethod
    def setUpClass(cls):
        cls.directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="telltale-openssl-"))
        cls.authority = self_signed(cls.directory, "authority", "/CN=authority")
        cls.certificate = issued(cls.directory, "app.internal", cls.authority, "DNS:app.internal")

    def s_client(self, proxy, *arguments, text=b"") -> subprocess.CompletedProcess:
        argv = [find_program("openssl"), "s_client", "-connect", host_port(proxy.address())]
        argv += ["-servername", "app.internal", "-verify_hostname", "app.internal", "-verify_return_error"]
        argv += ["-CAfile", self.authority, *arguments]
        return subprocess.run(argv, input=text, capture_output=True, check=False, timeout=DEADLINE)

    def s_server(self, *arguments) -> Process:
        argv = [find_program("openssl"), "s_server", "-accept", "127.0.0.1:0", "-cert", self.certificate, *arguments]
        server = Process(argv, cwd=self.directory)
        self.addCleanup(server.kill)
        return server

    def test_passed_through(self):
        server = self.s_server("-rev", "-alpn", "reverse")
        address = server.stdout.wait_line(r"^ACCEPT (127\.0\.0\.1:\d+)")[1]
        routes = [{"service": "app", "match": {"sni": "app.internal", "alpn": "reverse"}}]
        proxy = self.start(config(service(address), listeners=[listener(protocol="tcp", routes=routes)]))
        for version in ("-tls1_2", "-tls1_3"):
            with self.subTest(version):
                done = self.s_client(proxy, version, "-alpn", "reverse,other", "-quiet", text=b"stressed\nCLOSE\n")
                self.assertIn(b"desserts\n", done.stdout, done.stderr)
        for record in proxy.wait_access(count=2):
            self.assertEqual((record["tls"]["sni"], record["failure"]), ("app.internal", None))

    def test_a_session_is_resumed_through_it(self):
        """The ticket is the backend's, for it is the backend's TLS."""
        server = self.s_server("-rev")
        address = server.stdout.wait_line(r"^ACCEPT (127\.0\.0\.1:\d+)")[1]
        routes = [{"service": "app", "match": {"sni": "app.internal"}}]
        proxy = self.start(config(service(address), listeners=[listener(protocol="tcp", routes=routes)]))
        session = os.path.join(self.directory, "session")
        first = self.s_client(proxy, "-tls1_2", "-sess_out", session)
        self.assertIn(b"New, TLSv1.2", first.stdout, first.stderr)
        again = self.s_client(proxy, "-tls1_2", "-sess_in", session)
        self.assertIn(b"Reused, TLSv1.2", again.stdout, again.stderr)

    def test_terminated_and_on_in_clear(self):
        listening = self.enterContext(listen_socket())
        certificates = [{"certificate": self.certificate, "key": self.certificate}]
        proxy = self.start(
            config(
                service(text_of(listening.getsockname())),
                listeners=[listener(protocol="tcp", tls={"certificates": certificates})],
            )
        )
        got = {}

        def serve():
            connection, _ = listening.accept()
            with connection:
                got["octets"] = connection.recv(64)
                connection.sendall(b"in clear: " + got["octets"])

        server = threading.Thread(target=serve)
        server.start()
        done = self.s_client(proxy, "-quiet", text=b"hello\n")
        server.join(DEADLINE)
        self.assertEqual(got["octets"], b"hello\n")
        self.assertIn(b"in clear: hello\n", done.stdout, done.stderr)


class Redis(ProxyTest):
    """redis-server on a Unix socket, behind a port of ours."""

    @classmethod
    def setUpClass(cls):
        cls.directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="telltale-redis-"))
        path = os.path.join(cls.directory, "redis.sock")
        argv = [find_program("redis-server"), "--port", "0", "--unixsocket", path, "--dir", cls.directory]
        argv += ["--save", "", "--appendonly", "no", "--proto-max-bulk-len", "512mb"]
        cls.server = Process(argv)
        cls.addClassCleanup(cls.server.kill)
        cls.server.stdout.wait_line(r"[Rr]eady to accept connections")
        cls.proxy = cls.class_start(config(service("unix:" + path), listeners=[listener(protocol="tcp")]))

    def redis_cli(self, *arguments, given=None) -> bytes:
        host, port = self.proxy.address()
        argv = [find_program("redis-cli"), "-h", host, "-p", str(port), *arguments]
        done = subprocess.run(argv, input=given, capture_output=True, check=False, timeout=DEADLINE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_commands(self):
        self.assertEqual(self.redis_cli("ping"), b"PONG\n")
        self.assertEqual(self.redis_cli("set", "k", "v"), b"OK\n")
        self.assertEqual(self.redis_cli("get", "k"), b"v\n")

    def test_pipelining(self):
        count = 20_000
        commands = b"".join(b"*2\r\n$4\r\nINCR\r\n$5\r\ncount\r\n" for _ in range(count))
        told = self.redis_cli("--pipe", given=commands).decode()
        self.assertRegex(told, rf"errors: 0, replies: {count}")
        self.assertEqual(self.redis_cli("get", "count"), f"{count}\n".encode())

    def test_large_values(self):
        value = os.urandom(1 << 20).hex().encode() * (MEGABYTES // 2)
        self.assertEqual(self.redis_cli("-x", "set", "large", given=value), b"OK\n")
        self.assertEqual(self.redis_cli("strlen", "large"), f"{len(value)}\n".encode())
        got = self.redis_cli("get", "large")[:-1]
        self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(value).digest())

    def test_large_values_pipelined(self):
        """Many large answers to small requests, read slowly at first: the server waits, and nothing is lost."""
        value = os.urandom(1 << 19).hex().encode()
        self.redis_cli("-x", "set", "slow", given=value)
        request, answer = b"GET slow\r\n", b"$%d\r\n%s\r\n" % (len(value), value)
        with socket.create_connection(self.proxy.address(), timeout=DEADLINE) as client:
            client.sendall(request * MEGABYTES)
            digest, left = hashlib.sha256(), len(answer) * MEGABYTES
            while left > 0:
                piece = client.recv(min(left, 4096 if left > len(answer) * (MEGABYTES - 1) else 1 << 18))
                self.assertTrue(piece, "it does not end")
                digest.update(piece)
                left -= len(piece)
        self.assertEqual(digest.digest(), hashlib.sha256(answer * MEGABYTES).digest())

    def test_subscriptions(self):
        """The server speaks whenever it likes."""
        with socket.create_connection(self.proxy.address(), timeout=DEADLINE) as client:
            client.sendall(b"SUBSCRIBE news\r\n")
            self.assertIn(b"subscribe", client.recv(256))
            for number in range(3):
                self.assertEqual(self.redis_cli("publish", "news", f"item {number}"), b"1\n")
                self.assertIn(b"item %d" % number, client.recv(256))


class ServerFirst(ProxyTest):
    """The exchange with which SSH begins (RFC 4253 4.2): the server identifies itself before the client has said
    anything. By hand, because a real sshd wants a user to log in as, host keys and root: all that it would show beyond
    this is octets both ways."""

    BANNER = b"SSH-2.0-server_1.0 and a comment\r\n"

    def test_banners(self):
        listening = self.enterContext(listen_socket())
        proxy = self.start(
            config(
                service(text_of(listening.getsockname()), propagate={"proxy_protocol": "v1"}),
                listeners=[listener(protocol="tcp")],
            )
        )
        with socket.create_connection(proxy.address(), timeout=DEADLINE) as client:
            server, _ = listening.accept()
            with server, server.makefile("rb") as lines:
                server.settimeout(DEADLINE)
                server.sendall(b"a line of the server's before its banner\r\n" + self.BANNER)
                with client.makefile("rb") as heard:
                    self.assertEqual(heard.readline(), b"a line of the server's before its banner\r\n")
                    self.assertEqual(heard.readline(), self.BANNER)
                self.assertRegex(lines.readline(), rb"^PROXY TCP4 127\.0\.0\.1 ")
                client.sendall(b"SSH-2.0-client_1.0\r\n")
                self.assertEqual(lines.readline(), b"SSH-2.0-client_1.0\r\n")


class WebSocket(ProxyTest):
    """python3-websockets on both sides: a tunnel of HTTP mode, and TCP mode."""

    SIZES = (0, 1, 125, 126, 65535, 65536, 1 << 20, MEGABYTES << 20)

    def test_both_modes(self):
        for protocol, name in (("http", "HTTP/1.1"), ("tcp", "TCP")):
            for last, client_saw, server_saw in (
                ("bye", "4001 bye", "4001 bye"),
                ("close", "4000 as you wish", "4000 as you wish"),
            ):
                with self.subTest(protocol=protocol, last=last):
                    server = self.enterContext(WebSocketServer())
                    proxy = self.start(config(service(server.address), listeners=[listener(protocol=protocol)]))
                    url = f"ws://{host_port(proxy.address())}/chat"
                    self.assertEqual(talk(url, *self.SIZES, last=last), client_saw)
                    self.assertEqual(server.closed(), server_saw)
                    [record] = proxy.wait_access()
                    self.assertEqual((record["protocol"], record["failure"]), (name, None))
                    # RFC 6455 7.1.1: it is the server who closes the connection.
                    self.assertEqual(record["ended_by"], "backend")
                    for way in ("bytes_received", "bytes_sent"):
                        self.assertGreater(record[way], sum(self.SIZES))


if __name__ == "__main__":
    main()
