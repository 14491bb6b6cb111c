"""What goes through TLS: bodies of any size, ends that are told and ends that are cut, certificates that change."""

import contextlib
import hashlib
import os
import socket
import ssl
import subprocess
import threading

from support import config, http_handler, listener, main, respond, service
from support.process import find_program
from support.tls import TlsClient, der_of, tls_context
from support.tls_case import TlsTest, tls
from support.waiting import SANITIZER, binary_path, wait_until

SIZE = (4 if SANITIZER else 24) * 1024 * 1024


class DataTest(TlsTest):
    def serve(self, backend, file=None, **fields):
        return self.start(config(service(backend), listeners=[listener(tls=tls(file or self.a), **fields)]))


class Bodies(DataTest):
    def test_down_to_a_slow_reader(self):
        body = os.urandom(1 << 20) * (SIZE >> 20)
        proxy = self.serve(self.backend(http_handler(lambda request: respond(200, body)), record=False))
        for most in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            client = self.client(proxy, context=tls_context(most=most), receive_buffer=8192, record=False)
            client.request("GET", "/")
            response = client.read_response("GET")
            self.assertEqual(hashlib.sha256(response.body).digest(), hashlib.sha256(body).digest())

    def test_up_to_a_backend(self):
        body = os.urandom(1 << 20) * (SIZE >> 20)
        seen = []

        def answer(request):
            seen.append(hashlib.sha256(request.body).digest())
            return respond(200, b"taken")

        proxy = self.serve(self.backend(http_handler(answer), record=False))
        client = self.client(proxy, record=False)
        for _ in range(2):
            self.assertEqual(client.get("/", method="POST", body=body).body, b"taken")
        self.assertEqual(set(seen), {hashlib.sha256(body).digest()})

    def test_pieces_of_every_size_keep_their_order(self):
        sizes = [1, 2, 16383, 16384, 16385, 32768, 65535, 65536, 65537, 100000]
        bodies = [os.urandom(size) for size in sizes]

        def answer(request):
            return respond(200, bodies[int(request.target[1:])], chunked=int(request.target[1:]) % 2 == 1)

        client = self.client(self.serve(self.backend(http_handler(answer))))
        for i, body in enumerate(bodies):
            client.request("GET", f"/{i}")
        for body in bodies:
            self.assertEqual(client.read_response("GET").body, body)

    def test_octet_by_octet(self):
        """Each in a record of its own."""
        client = self.client(self.serve(self.backend()))
        for octet in b"POST /slow HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello":
            client.send(bytes([octet]))
        self.assertEqual(client.read_response("POST").json()["body"], "hello")


class Ends(DataTest):
    def test_an_end_is_told(self):
        """A body that ends with the connection is whole only behind a close_notify."""

        def handle(connection):
            connection.next_request()
            connection.send(b"HTTP/1.0 200 OK\r\n\r\nall of it")

        client = self.client(self.serve(self.backend(handle)))
        client.request("GET", "/", version="HTTP/1.0")
        self.assertTrue(client.read_to_end().endswith(b"\r\n\r\nall of it"))

    def test_a_cut_is_not_told_as_an_end(self):
        def handle(connection):
            connection.next_request()
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")

        client = self.client(self.serve(self.backend(handle)))
        client.request("GET", "/", version="HTTP/1.0")  # knows no chunks: the body ends with the connection
        with self.assertRaises((ssl.SSLEOFError, ConnectionResetError)):
            client.read_to_end()

    def test_a_client_that_is_cut_off_has_not_finished(self):
        """A truncated stream (RFC 8446 6.1) ends no body."""
        proxy = self.serve(self.backend(lambda connection: connection.read_to_end()))
        client = self.client(proxy)
        client.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        raw = socket.socket(fileno=os.dup(client.sock.fileno()))
        raw.shutdown(socket.SHUT_WR)  # FIN without close_notify
        raw.close()
        self.assertEqual(proxy.wait_access()[0]["reason"], "client_closed")

    def test_tcp_mode(self):
        """Half-close both ways, with a close_notify each."""

        def handle(connection):
            connection.send(b"hello, ")
            connection.send(connection.read_to_end()[::-1])

        proxy = self.serve(self.backend(handle), protocol="tcp")
        # Python's SSLSocket cannot half-close; its SSLObject can.
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = tls_context().wrap_bio(incoming, outgoing)
        raw = self.enterContext(proxy.client())

        def until_done(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    raw.send(outgoing.read())
                    incoming.write(raw.read_some()) if raw.peek(1) else incoming.write_eof()

        until_done(tls.do_handshake)
        tls.write(b"abc" * 10000)
        with self.assertRaises(ssl.SSLWantReadError):
            tls.unwrap()
        raw.send(outgoing.read())
        received = b""
        with contextlib.suppress(ssl.SSLZeroReturnError):
            while True:
                received += until_done(lambda: tls.read(65536))
        self.assertEqual(received, b"hello, " + b"cba" * 10000)


class Files(DataTest):
    def setUp(self):
        self.file = os.path.join(self.directory, f"{self.id()}.pem")
        self.replace(self.a)

    def replace(self, source):
        self.copy(source, self.file)

    def certificate(self, proxy) -> bytes:
        with TlsClient(proxy.address()) as client:
            return client.certificate()

    def test_new_ones_are_taken_while_requests_go_on(self):
        proxy = self.serve(self.backend(), self.file)
        kept = self.client(proxy)
        failed, over = [], threading.Event()

        def load():
            while not over.is_set():
                try:
                    with TlsClient(proxy.address()) as client:
                        self.assertEqual([client.get("/").status for _ in range(3)], [200] * 3)
                except Exception as fault:  # pylint: disable=broad-except
                    failed.append(repr(fault))

        threads = [threading.Thread(target=load) for _ in range(2)]
        for thread in threads:
            thread.start()
        for source in (self.b, self.a, self.b):
            self.replace(source)
            wait_until(lambda: self.certificate(proxy) == der_of(source), "the new certificate")
        over.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])
        self.assertEqual(kept.get("/").status, 200)

    def test_a_bad_one_is_refused_and_the_old_one_kept(self):
        proxy = self.serve(self.backend(), self.file)
        with open(self.b, encoding="ascii") as one, open(self.a, encoding="ascii") as other:
            certificate, key = one.read(), other.read()
        mixed = self.file + ".mixed"
        with open(mixed, "w", encoding="ascii") as out:
            out.write(certificate[: certificate.index("-----BEGIN PRIVATE")] + key[key.index("-----BEGIN PRIVATE") :])
        self.replace(mixed)
        proxy.log.wait_line("not the key of .*the certificates it had stay in use")
        self.assertEqual(self.certificate(proxy), der_of(self.a))
        self.replace(self.b)
        wait_until(lambda: self.certificate(proxy) == der_of(self.b), "the new certificate")

    def test_sessions_go_on_with_new_certificates(self):
        proxy = self.serve(self.backend(), self.file)
        context = tls_context()
        with TlsClient(proxy.address(), context=context) as client:
            client.get("/")
            session = client.sock.session
        self.replace(self.b)
        wait_until(lambda: self.certificate(proxy) == der_of(self.b), "the new certificate")
        with TlsClient(proxy.address(), context=context, session=session) as client:
            self.assertTrue(client.sock.session_reused)
            self.assertEqual(client.get("/").status, 200)


class Check(TlsTest):
    def check(self, certificate, key) -> tuple:
        text = (
            f"listeners:\n  - listen: 127.0.0.1:0\n    service: app\n    tls:\n      certificates:\n"
            f"        - {{ certificate: {certificate}, key: {key} }}\n"
            "services: [{ name: app, endpoints: ['127.0.0.1:1'] }]\n"
        )
        file = os.path.join(self.directory, "check.yaml")
        with open(file, "w", encoding="ascii") as out:
            out.write(text)
        done = subprocess.run([binary_path(), "check", "-c", file], capture_output=True, check=False, text=True)
        if done.returncode != 0:
            run = subprocess.run([binary_path(), "run", "-c", file], capture_output=True, check=False)
            self.assertEqual((done.returncode, run.returncode), (2, 78))
        return done.returncode, done.stdout + done.stderr

    def test_files(self):
        openssl = find_program("openssl")
        with open(self.a, encoding="ascii") as file:
            a = file.read()
        key = a[a.index("-----BEGIN PRIVATE") :]
        encrypted = subprocess.run(
            [openssl, "pkcs8", "-topk8", "-passout", "pass:x"], input=key, capture_output=True, check=True, text=True
        ).stdout
        weak = subprocess.run(
            [openssl, "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=weak", "-keyout", "-", "-out", "-"],
            capture_output=True, check=True, text=True,
        ).stdout  # fmt: skip
        nothing = self.write("nothing.pem", "nothing\n")
        broken = self.write("broken.pem", a.replace("M", "#", 40))
        soon = self.issue("soon", "DNS:a.test", days=2)
        cases = [
            (self.a, self.a, 0, ""),
            (self.a, self.b, 2, "not the key of"),
            (self.a, "/nowhere/key.pem", 2, "/nowhere/key.pem: No such file"),
            ("/nowhere/a.pem", self.a, 2, "/nowhere/a.pem: No such file"),
            (self.directory, self.a, 2, "not a regular file"),
            (nothing, self.a, 2, "there is no certificate in it"),
            (self.a, nothing, 2, "there is no private key in it"),
            (broken, broken, 2, "broken.pem: "),
            (self.a, self.write("encrypted.pem", encrypted), 2, "the key is encrypted"),
            *[(path, path, 2, "too weak") for path in [self.write("weak.pem", weak)]],
            (soon, soon, 0, "expires on 20"),
            *[(path, path, 0, "everybody on this machine may read") for path in [self.write("open.pem", a, 0o644)]],
            ("relative.pem", self.a, 2, "not an absolute path"),
        ]
        for certificate, key, status, says in cases:
            with self.subTest(says=says):
                code, text = self.check(certificate, key)
                self.assertEqual(code, status, text)
                self.assertIn(says, text)


if __name__ == "__main__":
    main()
