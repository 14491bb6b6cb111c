"""Sockets with special manners."""

import contextlib
import socket
import struct

from .waiting import wait_until


def listen_socket(address=("127.0.0.1", 0), backlog=512) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(address)
    listening.listen(backlog)
    return listening


def text_of(address) -> str:
    """(host, port, …) or a path, as the configuration writes it."""
    if isinstance(address, str):
        return address if address.startswith("unix:") else "unix:" + address
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_address(text: str):
    """The configuration's spelling, as connect() takes it: (host, port) or a path."""
    if text.startswith("unix:"):
        return text[len("unix:") :]
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), int(port))


def reset(sock: socket.socket):
    """Closes with RST instead of FIN."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@contextlib.contextmanager
def refused_address(host="127.0.0.1"):
    """An address where nobody listens, and nobody else can: bound, never listening."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as held:
        held.bind((host, 0))
        yield text_of(held.getsockname())


@contextlib.contextmanager
def black_hole(host="127.0.0.1"):
    """An address where a connect() neither succeeds nor fails: a listening socket whose queue is full."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(listen_socket((host, 0), backlog=0))
        address = listening.getsockname()
        while True:
            filler = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            filler.settimeout(1)
            try:
                filler.connect(address)
            except TimeoutError:
                break
        yield text_of(address)


def unread_octets(server, client) -> int:
    """Octets that the server's end of an IPv4 loopback connection holds unread in the kernel, or -1 when there is no
    such connection (yet, or any more). Both are (host, port); from /proc/net/tcp."""

    def spell(address):
        return socket.inet_aton(address[0])[::-1].hex().upper() + f":{address[1]:04X}"

    wanted = (spell(server), spell(client))
    with open("/proc/net/tcp", encoding="ascii") as table:
        next(table)
        for row in table:
            fields = row.split()
            if (fields[1], fields[2]) == wanted:
                return int(fields[4].split(":")[1], 16)
    return -1


def wait_taken(sock: socket.socket):
    """Until the other end has received all that was sent: what is sent next comes to it in another read."""
    try:
        server, client = sock.getpeername(), sock.getsockname()
    except OSError:
        return  # it has closed already
    wait_until(lambda: unread_octets(server, client) <= 0, f"{server} to read what {client} sent")
