"""TCP mode when much goes through: by pipes, which nobody has who needs none, or without any; slow readers, resets in
the middle, many at once."""

import hashlib
import os
import resource
import socket
import tempfile
import threading

from support import ProxyTest, config, issued, listener, main, self_signed, service, wait_stable, wait_until
from support.sockets import reset
from support.tcp import TcpServer, read_all, read_exactly
from support.tls import tls_context
from support.waiting import DEADLINE, SANITIZER

MEGABYTES = 8 if SANITIZER else 48
PIECE = os.urandom(1 << 20)
PIPES = 16  # that a worker keeps open when nobody has one


def pipes_of(proxy) -> int:
    """Ends of pipes that the process has open, beyond those that it began with."""
    folder, count = f"/proc/{proxy.process.pid}/fd", 0
    for name in os.listdir(folder):
        try:
            count += os.readlink(f"{folder}/{name}").startswith("pipe:")
        except FileNotFoundError:
            pass  # closed meanwhile
    return count


class Flow(threading.Thread):
    """Sends megabytes and their end from one socket, and reads to the end on the other."""

    def __init__(self, sender, receiver, megabytes):
        super().__init__()
        self.sender, self.receiver, self.megabytes = sender, receiver, megabytes
        self.got = None
        self.start()

    def run(self):
        reader = threading.Thread(target=self._read)
        reader.start()
        for _ in range(self.megabytes):
            self.sender.sendall(PIECE)
        self.sender.shutdown(socket.SHUT_WR)
        reader.join()

    def _read(self):
        digest = hashlib.sha256()
        while piece := self.receiver.recv(1 << 18):
            digest.update(piece)
        self.got = digest.digest()

    def is_whole(self) -> bool:
        self.join(DEADLINE)
        digest = hashlib.sha256()
        for _ in range(self.megabytes):
            digest.update(PIECE)
        return self.got == digest.digest()


class Bulk(ProxyTest):
    def serve(self, workers=1, receive_buffer=0, **fields):
        self.server = self.enterContext(TcpServer(receive_buffer))
        self.proxy = self.start(
            config(service(self.server.address, **fields), workers=workers, listeners=[listener(protocol="tcp")])
        )
        self.pipes_before = pipes_of(self.proxy)

    def pair(self, receive_buffer=0):
        client = self.enterContext(socket.socket())
        client.settimeout(DEADLINE)
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.connect(self.proxy.address())
        return client, self.enterContext(self.server.accept())

    def fill(self, sock) -> int:
        """Sends PIECE again and again until nothing more is taken; how much that was."""
        sock.setblocking(False)
        sent = 0

        def push():
            nonlocal sent
            try:
                while True:
                    sent += sock.send(PIECE[sent % len(PIECE) :])
            except BlockingIOError:
                return sent

        wait_stable(push)
        sock.settimeout(DEADLINE)
        return sent

    def assert_begins(self, octets):
        """With PIECE, again and again."""
        whole = PIECE * (len(octets) // len(PIECE) + 1)
        self.assertEqual(hashlib.sha256(octets).digest(), hashlib.sha256(whole[: len(octets)]).digest())

    def test_small_messages_take_no_pipe(self):
        self.serve()
        client, server = self.pair()
        for size in (1, 128, 4096, 8192):
            for _ in range(20):
                client.sendall(PIECE[:size])
                self.assertEqual(read_exactly(server, size), PIECE[:size])
                server.sendall(PIECE[:size])
                self.assertEqual(read_exactly(client, size), PIECE[:size])
        self.assertEqual(pipes_of(self.proxy), self.pipes_before)

    def test_small_messages_behind_bulk(self):
        """Back and forth between one way and the other."""
        self.serve()
        client, server = self.pair()
        for _ in range(5):
            for sender, receiver in ((client, server), (server, client)):
                flow = threading.Thread(target=sender.sendall, args=(PIECE,))
                flow.start()
                self.assertEqual(read_exactly(receiver, len(PIECE)), PIECE)
                flow.join(DEADLINE)
                for size in (1, 100, 20_000, 3):
                    sender.sendall(PIECE[:size])
                    self.assertEqual(read_exactly(receiver, size), PIECE[:size])

    def test_both_ways_at_once(self):
        self.serve()
        client, server = self.pair()
        up, down = Flow(client, server, MEGABYTES), Flow(server, client, MEGABYTES)
        self.assertTrue(up.is_whole(), "from the client")
        self.assertTrue(down.is_whole(), "from the server")
        [record] = self.proxy.wait_access()
        self.assertEqual((record["bytes_received"], record["bytes_sent"]), (MEGABYTES << 20,) * 2)
        self.assertIsNone(record["failure"])
        if not SANITIZER:  # they keep freed memory
            self.assertLess(self.proxy.memory("VmHWM"), 64 << 20)

    def test_an_idle_session_has_no_pipe(self):
        self.serve()
        client, server = self.pair(receive_buffer=1 << 14)
        sent = self.fill(server)
        self.assertGreater(pipes_of(self.proxy), self.pipes_before, "what the client does not take is in a pipe")
        self.assert_begins(read_exactly(client, sent))
        # The pipe is kept, for whoever needs one next: the next one who does opens none.
        kept = pipes_of(self.proxy)
        others = [self.pair() for _ in range(4)]
        for one, other in others:
            flow = threading.Thread(target=other.sendall, args=(PIECE,))
            flow.start()
            read_exactly(one, len(PIECE))
            flow.join(DEADLINE)
        self.assertEqual(pipes_of(self.proxy), kept)

    def test_a_slow_reader_holds_its_sender_up(self):
        self.serve(receive_buffer=1 << 14)
        client, server = self.pair(receive_buffer=1 << 14)
        for sender, receiver in ((server, client), (client, server)):
            before = self.proxy.memory()
            sent = self.fill(sender)
            self.assertLess(sent, 48 << 20, "what the kernel holds, and a pipe")
            if not SANITIZER:
                self.assertLess(self.proxy.memory() - before, 4 << 20)
            self.assert_begins(read_exactly(receiver, sent))
        client.sendall(b"and on")
        self.assertEqual(read_exactly(server, 6), b"and on")

    def test_an_end_behind_what_is_held_up(self):
        self.serve()
        client, server = self.pair(receive_buffer=1 << 14)
        sent = self.fill(server)
        server.shutdown(socket.SHUT_WR)
        octets = read_all(client)
        self.assertEqual(len(octets), sent)
        self.assert_begins(octets)
        client.sendall(b"last words")
        client.close()
        self.assertEqual(read_all(server), b"last words")
        [record] = self.proxy.wait_access()
        self.assertEqual((record["bytes_sent"], record["ended_by"], record["failure"]), (sent, "backend", None))

    def test_resets_in_the_middle(self):
        self.serve()
        for held_up in (False, True):
            for who in ("client", "server"):
                with self.subTest(who=who, held_up=held_up):
                    client, server = self.pair(receive_buffer=1 << 14)
                    broken, other = (client, server) if who == "client" else (server, client)
                    if held_up:
                        self.fill(server)
                    else:
                        server.sendall(PIECE[: 1 << 18])
                        read_exactly(client, 1 << 18)
                    reset(broken)
                    with self.assertRaises(ConnectionError):
                        while True:
                            other.sendall(PIECE)
                    other.close()
        records = self.proxy.wait_access(count=4)
        self.assertEqual({r["reason"] for r in records}, {"client_closed", "upstream_reset"})
        wait_until(lambda: self.proxy.metrics().sum("telltale_listener_connections_active") == 0, "all to end")
        self.assertLessEqual(pipes_of(self.proxy) - self.pipes_before, 2 * PIPES)

    def test_nothing_moves_and_all_end(self):
        """A pipe with octets in it goes with its session."""
        self.serve(timeouts={"idle": "2s"})
        client, server = self.pair(receive_buffer=1 << 14)
        self.fill(server)
        [record] = self.proxy.wait_access()
        self.assertEqual((record["reason"], record["ended_by"]), ("idle_timeout", "proxy"))
        self.assertEqual(pipes_of(self.proxy), self.pipes_before, "one with octets in it is not kept")
        client.close()

    def test_more_sessions_than_pipes(self):
        """Where no descriptor is left for a pipe octets are copied, and nobody sees a difference."""
        self.serve(workers=2)
        pairs = [self.pair(receive_buffer=1 << 15) for _ in range(24)]
        active = "telltale_upstream_connections_active"
        wait_until(lambda: self.proxy.metrics().sum(active) == len(pairs), "all to be connected")
        limit = max(int(name) for name in os.listdir(f"/proc/{self.proxy.process.pid}/fd")) + 1 + 2 * 4
        _, hard = resource.prlimit(self.proxy.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.proxy.process.pid, resource.RLIMIT_NOFILE, (limit, hard))
        flows = [Flow(server, client, 4) for client, server in pairs]
        flows += [Flow(client, server, 2) for client, server in pairs]
        self.assertTrue(all(flow.is_whole() for flow in flows))
        records = self.proxy.wait_access(count=len(pairs))
        self.assertEqual({(r["failure"], r["bytes_sent"]) for r in records}, {(None, 4 << 20)})

    def test_tls_on_one_side_is_copied(self):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="telltale-certificates-"))
        authority = self_signed(directory, "authority", "/CN=authority")
        certificate = issued(directory, "a.example", authority, "DNS:a.example")
        server = self.enterContext(TcpServer())
        tls = {"certificates": [{"certificate": certificate, "key": certificate}]}
        proxy = self.start(config(service(server.address), listeners=[listener(protocol="tcp", tls=tls)]))
        before = pipes_of(proxy)
        raw = socket.create_connection(proxy.address(), timeout=DEADLINE)
        with tls_context(authority=authority).wrap_socket(raw, server_hostname="a.example") as client:
            backend = self.enterContext(server.accept())
            for sender, receiver in ((client, backend), (backend, client)):
                flow = threading.Thread(target=sender.sendall, args=(PIECE,))
                flow.start()
                self.assertEqual(read_exactly(receiver, len(PIECE)), PIECE)
                flow.join(DEADLINE)
        self.assertEqual(pipes_of(proxy), before)


if __name__ == "__main__":
    main()
