"""A raw client: octets out, strictly read responses in."""

import socket

from . import sockets
from .messages import EndOfStream, Stream
from .waiting import DEADLINE


class Client(Stream):
    """One connection. `source` is the local IP address to come from (any of 127.0.0.0/8); `first` is sent at once: a
    PROXY header, for example."""

    def __init__(self, address, *, source=None, first=b"", timeout=DEADLINE, receive_buffer=0, record=True):
        if isinstance(address, str):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        else:
            sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
        super().__init__(sock, record)
        try:
            sock.settimeout(timeout)
            if receive_buffer:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if source:
                # The port is chosen at connect(), by the whole 4-tuple: bind() alone would run out of ports.
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
                sock.bind((source, 0))
            sock.connect(address)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            sock.close()
            raise
        if first:
            self.send(first)

    @property
    def local(self):
        return self.sock.getsockname()

    def send(self, octets):
        self.sock.sendall(octets.encode("latin-1") if isinstance(octets, str) else octets)

    def send_apart(self, *parts):
        """Each part comes to the other end in a read of its own (IPv4)."""
        for part in parts:
            self.send(part)
            sockets.wait_taken(self.sock)

    def request(self, method="GET", target="/", fields=(), body=b"", *, host="test.example", version="HTTP/1.1"):
        """Sends a request; Content-Length is added for a body."""
        lines = [f"{method} {target} {version}"]
        if host is not None:
            lines.append(f"Host: {host}")
        lines += [f"{name}: {value}" for name, value in fields]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)

    def get(self, target="/", fields=(), *, method="GET", body=b"", host="test.example"):
        """One exchange."""
        self.request(method, target, fields, body, host=host)
        return self.read_response(method)

    def finish(self):
        """Half-close: no more will be sent."""
        self.sock.shutdown(socket.SHUT_WR)

    def closed_by_peer(self) -> bytes:
        """Reads until the other end closes (with FIN or RST) and returns what came; a timeout fails."""
        try:
            return self.read_to_end()
        except TimeoutError:
            raise AssertionError("the connection was not closed") from None
        except ConnectionError:
            return self.take(len(self.buffered()))

    def response_or_close(self, method="GET"):
        """A response, or None when the connection ended without a single octet."""
        try:
            return self.read_response(method) if self.peek(1) else None
        except EndOfStream:
            raise
        except ConnectionError:
            return None

    def reset(self):
        sockets.reset(self.sock)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
