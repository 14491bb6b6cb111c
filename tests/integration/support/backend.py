"""Raw backends: a Python thread for each connection, which can answer, misbehave and remember, octet by octet."""

import contextlib
import json
import socket
import threading

from . import sockets
from .messages import ProtocolError, Stream, respond
from .proxy_header import parse_proxy_header
from .waiting import DEADLINE, wait_until


class Connection(Stream):
    """One accepted connection, as a handler sees it. recv() and send() give up at the deadline."""

    def __init__(self, sock, peer, backend, index):
        super().__init__(sock, backend.record)
        self.peer, self.backend, self.index = peer, backend, index
        self.owner = None  # the thread of its handler
        self.proxy = None  # the ProxyHeader, once read_proxy_header() has
        self.sent = 0
        self.closed = threading.Event()
        self.upgraded = False

    def send(self, octets: bytes):
        for at in range(0, len(octets), 64 * 1024):
            part = octets[at : at + 64 * 1024]
            self.sock.sendall(part)
            self.sent += len(part)

    def read_proxy_header(self, required=True):
        self.proxy = parse_proxy_header(self)
        if required and self.proxy is None:
            raise ProtocolError(f"no PROXY header but {self.peek(16)!r}")
        return self.proxy

    def next_request(self):
        """The next request, also noted in backend.requests; None at the end of the connection."""
        if not self.peek(1):
            return None
        request = self.read_request()
        self.note(request)
        return request

    def note(self, request):
        request.connection, request.proxy = self, self.proxy
        with self.backend.changed:
            self.backend.requests.append(request)
            self.backend.changed.notify_all()

    def reset(self):
        sockets.reset(self.sock)

    def close(self):
        """Any thread may; but only the one that reads closes the descriptor, lest it waits on whoever gets its number."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is self.owner:
            self.sock.close()


def describe(request) -> bytes:
    """The default answer: what the backend was told, as JSON."""
    proxy = request.proxy
    body = {
        "method": request.method,
        "target": request.target,
        "fields": list(request.fields),
        "body": request.body.decode("latin-1"),
        "backend": request.connection.backend.name,
        "connection": request.connection.index,
        "proxy": proxy and {"command": proxy.command, "version": proxy.version, "source": proxy.source},
    }
    return respond(200, json.dumps(body), [("Content-Type", "application/json")])


def http_handler(answer=describe, *, proxy=None):
    """A handler that answers every request with answer(request). An answer is octets; or None, after which the
    connection is the answer function's own business (it sent, closed or reset it); proxy=True wants a PROXY header."""

    def handle(connection):
        if proxy:
            connection.read_proxy_header()
        while (request := connection.next_request()) is not None:
            octets = answer(request)
            if octets is None or connection.sock.fileno() < 0:
                return
            connection.send(octets if request.method != "HEAD" else octets[: octets.index(b"\r\n\r\n") + 4])

    return handle


class Backend:
    """Accepts on a free port (or a Unix socket path) and runs handler(connection) for each connection. When a handler
    returns, its connection is closed. What a handler found wrong fails the test when the backend ends."""

    def __init__(self, handler=None, *, name="backend", address=("127.0.0.1", 0), record=True, send_buffer=0):
        self.handler = handler or http_handler()
        self.name, self.record = name, record
        self.connections, self.requests, self.faults = [], [], []
        self.changed = threading.Condition()
        self.release = threading.Event()  # for handlers that wait until the test says go
        self._threads = []
        if isinstance(address, str):
            self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listening.bind(address)
            self._listening.listen(512)
        else:
            self._listening = sockets.listen_socket(address)
        if send_buffer:
            self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        self.sockname = self._listening.getsockname()
        self.address = sockets.text_of(self.sockname)
        self._open = True
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    @property
    def port(self) -> int:
        return self.sockname[1]

    def _accept(self):
        while self._open:
            try:
                sock, peer = self._listening.accept()
            except OSError:
                return
            if not self._open:
                sock.close()
                return
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(DEADLINE)
            with self.changed:
                connection = Connection(sock, peer, self, len(self.connections))
                self.connections.append(connection)
                self.changed.notify_all()
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection):
        connection.owner = threading.current_thread()
        try:
            self.handler(connection)
        except OSError:
            pass  # the proxy closed, or the test ended: what that means is the test's to say
        except Exception as fault:  # pylint: disable=broad-except
            self.faults.append(f"{self.name}, connection {connection.index}: {type(fault).__name__}: {fault}")
        finally:
            connection.close()
            connection.closed.set()
            with self.changed:
                self.changed.notify_all()

    # What a test asks.

    def received(self) -> bytes:
        """Every octet that ever came, connection after connection."""
        return b"".join(bytes(c.received) for c in list(self.connections))

    def wait_requests(self, count: int) -> list:
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.requests) >= count, DEADLINE):
                raise AssertionError(f"{len(self.requests)} of {count} requests came to {self.name}; {self.faults}")
            return list(self.requests)

    def wait_connection(self, index=0) -> Connection:
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.connections) > index, DEADLINE):
                raise AssertionError(f"connection {index} never came to {self.name}")
            return self.connections[index]

    def wait_closed(self, index=0) -> Connection:
        connection = self.wait_connection(index)
        if not connection.closed.wait(DEADLINE):
            raise AssertionError(f"connection {index} of {self.name} was never closed")
        return connection

    def open_connections(self) -> int:
        return sum(not c.closed.is_set() for c in list(self.connections))

    def last(self):
        """The request that came last."""
        return self.wait_requests(1)[-1]

    def refuse(self):
        """From here on connections are refused; those that are open stay."""
        self._open = False
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)

    def close_connections(self):
        for connection in list(self.connections):
            connection.close()

    def wait_faultless(self):
        """Until every handler is done; then none may have found a fault."""
        wait_until(lambda: self.open_connections() == 0, f"the connections of {self.name} to end")
        self.check()

    def check(self):
        if self.faults:
            raise AssertionError("backend found: " + "; ".join(self.faults))

    def close(self):
        """No new connections, and the open ones are cut."""
        self.refuse()
        self._listening.close()
        self._acceptor.join(DEADLINE)
        self.release.set()
        self.close_connections()
        for thread in self._threads:
            thread.join(DEADLINE)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close()
        if kind is None:
            self.check()
