"""Plain TCP, held by the test."""

import socket

from .sockets import listen_socket, text_of
from .waiting import DEADLINE


class TcpServer:
    """A TCP server whose connections the test holds. `receive_buffer`: of each, in the kernel."""

    def __init__(self, receive_buffer=0):
        self.listening = listen_socket()
        if receive_buffer:
            self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.listening.settimeout(DEADLINE)
        self.address = text_of(self.listening.getsockname())
        self.port = self.listening.getsockname()[1]

    def accept(self) -> socket.socket:
        connection, _ = self.listening.accept()
        connection.settimeout(DEADLINE)
        return connection

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listening.close()


def read_all(sock) -> bytes:
    octets = bytearray()  # appending to `bytes` would copy megabytes again and again
    while piece := sock.recv(65536):
        octets += piece
    return bytes(octets)


def read_exactly(sock, count) -> bytes:
    octets = bytearray()
    while len(octets) < count:
        piece = sock.recv(min(count - len(octets), 1 << 20))
        if not piece:
            raise AssertionError(f"ended after {len(octets)} octets: {bytes(octets[-100:])!r}")
        octets += piece
    return bytes(octets)
