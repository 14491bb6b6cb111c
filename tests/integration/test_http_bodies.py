"""Bodies are streamed, both ways, with backpressure: their size is not in our memory. TELLTALE_BODY_MEGABYTES sets the
size of the big ones; the memory that they may cost stays the same."""

import hashlib
import os
import threading

from support import ProxyTest, config, main, respond, service, wait_stable
from support.waiting import SANITIZER

MEGABYTE = 1 << 20
SIZE = int(os.environ.get("TELLTALE_BODY_MEGABYTES", 100 if SANITIZER else 300)) * MEGABYTE
# A sanitizer keeps freed memory in quarantine, and shadows it.
GROWTH = (96 if SANITIZER else 6) * MEGABYTE
BLOCK = os.urandom(MEGABYTE)


def serve(connection):
    while connection.peek(1):
        request = connection.read_request_head()
        connection.note(request)
        kind, _, size = request.target.strip("/").partition("/")
        if kind == "down":
            send_down(connection, int(size), chunked=False)
        elif kind == "down-chunked":
            send_down(connection, int(size), chunked=True)
        elif kind == "up":
            length = request.header("content-length")
            received = connection.discard(int(length)) if length else read_chunks(connection)
            connection.send(respond(200, str(received)))
        elif kind == "early":
            # Answers without reading the body, and hangs up.
            connection.send(respond(413, "too much", [("Connection", "close")]))
            connection.backend.release.wait()
            return
        elif kind == "stuck":
            connection.backend.release.wait()
            received = connection.discard(int(request.header("content-length")))
            connection.send(respond(200, str(received)))
        elif kind == "digest":
            body = connection.read_exact(int(request.header("content-length")))
            connection.send(respond(200, hashlib.sha256(body).hexdigest()))
        else:
            connection.send(respond(200, "small"))


def send_down(connection, size, chunked):
    connection.send(respond(200, fields=[] if chunked else [("Content-Length", size)], length=False, chunked=False)[:-2])
    connection.send(b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"\r\n")
    for at in range(0, size, MEGABYTE):
        part = BLOCK[: min(MEGABYTE, size - at)]
        connection.send(b"%x\r\n" % len(part) + part + b"\r\n" if chunked else part)
    if chunked:
        connection.send(b"0\r\n\r\n")


def read_chunks(stream) -> int:
    total = 0
    while size := int(stream.read_until(b"\r\n")[:-2], 16):
        total += stream.discard(size)
        assert stream.read_exact(2) == b"\r\n"
    assert stream.read_exact(2) == b"\r\n"
    return total


class Bodies(ProxyTest):
    def setUp(self):
        self.app = self.backend(serve, record=False, send_buffer=128 * 1024)
        self.proxy = self.start(config(service(self.app), workers=1))
        with self.proxy.client() as client:  # both ways once, so that what is kept for good is there already
            client.get(f"/down/{4 * MEGABYTE}")
            client.get("/up", method="POST", body=BLOCK * 4)
        self.before = self.proxy.memory("VmHWM")

    def tearDown(self):
        growth = self.proxy.memory("VmHWM") - self.before
        self.assertLess(growth, GROWTH, "memory must not follow the body")

    def test_big_response_with_length(self):
        with self.proxy.client(record=False) as client:
            client.request("GET", f"/down/{SIZE}")
            self.assertEqual(client.read_response_head().header("content-length"), str(SIZE))
            self.assertEqual(client.discard(SIZE), SIZE)
            self.assertEqual(client.get("/small").body, b"small")

    def test_big_response_in_chunks(self):
        with self.proxy.client(record=False) as client:
            client.request("GET", f"/down-chunked/{SIZE}")
            self.assertEqual(client.read_response_head().header("transfer-encoding"), "chunked")
            self.assertEqual(read_chunks(client), SIZE)
            self.assertEqual(client.get("/small").body, b"small")

    def test_big_request_with_length(self):
        with self.proxy.client() as client:
            client.request("POST", "/up", [("Content-Length", SIZE)])
            for _ in range(SIZE // MEGABYTE):
                client.send(BLOCK)
            self.assertEqual(client.read_response().body, str(SIZE).encode())

    def test_big_request_in_chunks(self):
        with self.proxy.client() as client:
            client.request("POST", "/up", [("Transfer-Encoding", "chunked")])
            for _ in range(SIZE // MEGABYTE):
                client.send(b"%x\r\n" % MEGABYTE + BLOCK + b"\r\n")
            client.send(b"0\r\n\r\n")
            self.assertEqual(client.read_response().body, str(SIZE).encode())

    def test_tiny_chunks_arrive_whole(self):
        with self.proxy.client() as client:
            client.request("POST", "/up", [("Transfer-Encoding", "chunked")])
            client.send(b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n")
            self.assertEqual(client.read_response().body, b"100000")

    def test_octets_are_the_same_at_the_other_end(self):
        with self.proxy.client() as client:
            for size in (1, 16383, 16384, 16385, 65535, 65536, 65537, 1_234_567):
                body = os.urandom(size)
                response = client.get("/digest", method="POST", body=body)
                self.assertEqual(response.body.decode(), hashlib.sha256(body).hexdigest())

    def test_slow_reader_holds_the_backend_back(self):
        with self.proxy.client(record=False, receive_buffer=64 * 1024) as client:
            client.request("GET", f"/down/{64 * MEGABYTE}")
            client.read_response_head()
            connection = self.app.last().connection
            stuck_at = wait_stable(lambda: connection.sent)
            self.assertLess(stuck_at, 32 * MEGABYTE, "the backend was not held back")
            # Other clients are served meanwhile, by the same worker.
            self.assertEqual(self.proxy.get("/small").body, b"small")
            self.assertEqual(client.discard(64 * MEGABYTE), 64 * MEGABYTE)

    def test_slow_backend_holds_the_client_back(self):
        with self.proxy.client() as client:
            client.request("POST", "/stuck", [("Content-Length", 64 * MEGABYTE)])
            sent = [0]

            def push():
                for _ in range(64):
                    client.send(BLOCK)
                    sent[0] += 1

            pusher = threading.Thread(target=push, daemon=True)
            pusher.start()
            self.assertLess(wait_stable(lambda: sent[0]), 48, "the client was not held back")
            self.assertEqual(self.proxy.get("/small").body, b"small")
            self.app.release.set()
            pusher.join()
            self.assertEqual(client.read_response().body, str(64 * MEGABYTE).encode())

    def test_early_response_reaches_the_client_before_its_body_is_through(self):
        with self.proxy.client() as client:
            client.request("POST", "/early", [("Content-Length", SIZE)])
            client.send(BLOCK[:1000])
            response = client.read_response()
            self.assertEqual((response.status, response.body), (413, b"too much"))
            # The rest of the body can never be told from a next request: the connection ends.
            self.assertEqual(client.closed_by_peer(), b"")

    def test_client_that_leaves_in_the_middle_frees_the_backend(self):
        with self.proxy.client(record=False, receive_buffer=64 * 1024) as client:
            client.request("GET", f"/down/{64 * MEGABYTE}")
            client.read_response_head()
            index = self.app.last().connection.index
            client.reset()
        self.app.wait_closed(index)

    def test_client_that_leaves_in_its_upload_leaves_no_complete_request(self):
        with self.proxy.client() as client:
            client.request("POST", "/up", [("Content-Length", 1000)])
            client.send(b"x" * 500)
            self.app.wait_requests(3)
            index = self.app.last().connection.index
        self.app.wait_closed(index)


if __name__ == "__main__":
    main()
