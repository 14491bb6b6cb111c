"""TLS by Python: clients over a raw Client's socket, and backends."""

import contextlib
import socket
import ssl

from .backend import Backend, http_handler
from .client import Client


def tls_context(*, authority=None, alpn=(), least=None, most=None, certificate=None) -> ssl.SSLContext:
    """Believes `authority` (a PEM file), or everybody. Proves `certificate`, a PEM file with its key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = authority is not None
    context.verify_mode = ssl.CERT_REQUIRED if authority else ssl.CERT_NONE
    if authority:
        context.load_verify_locations(authority)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if certificate:
        context.load_cert_chain(certificate)
    context.minimum_version = least or ssl.TLSVersion.TLSv1_2
    context.maximum_version = most or ssl.TLSVersion.TLSv1_3
    return context


class TlsClient(Client):
    """A Client that speaks TLS behind `first` (a PROXY header). `sni`: None sends none. An end of the stream without
    close_notify is an ssl.SSLEOFError."""

    def __init__(self, address, *, context=None, sni=None, session=None, **options):
        super().__init__(address, **options)
        context = context or tls_context()
        try:
            self.sock = context.wrap_socket(
                self.sock, server_hostname=sni, session=session, suppress_ragged_eofs=False
            )
        except (OSError, ValueError):
            self.close()
            raise

    def certificate(self) -> bytes:
        """The server's, in DER."""
        return self.sock.getpeercert(binary_form=True)


def client_hello(**options) -> bytes:
    """What a client with such a tls_context() says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = tls_context(**options).wrap_bio(incoming, outgoing, server_hostname="a.test")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def der_of(path) -> bytes:
    """Of the first certificate in a PEM file."""
    with open(path, encoding="ascii") as file:
        text = file.read()
    end = "-----END CERTIFICATE-----"
    return ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERTIFICATE-----") : text.index(end) + len(end)])


def server_context(file, *, authority=None, alpn=(), most=None) -> ssl.SSLContext:
    """Shows the certificate in `file`, and asks for one of `authority`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if authority:
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
    if alpn:
        context.set_alpn_protocols(list(alpn))
    context.maximum_version = most or ssl.TLSVersion.TLSv1_3
    return context


class TlsBackend(Backend):
    """A Backend that speaks TLS; what does not shake hands is closed. Where a handler returns the end is told by a
    close_notify; cut(connection) ends without one. `handshakes` are those that succeeded, True for one that was
    resumed."""

    def __init__(self, handler=None, *, context, **options):
        self.handshakes = []
        inner = handler or http_handler()

        def handle(connection):
            try:
                connection.sock = context.wrap_socket(connection.sock, server_side=True, suppress_ragged_eofs=False)
            except ssl.SSLError:
                return
            self.handshakes.append(connection.sock.session_reused)
            try:
                inner(connection)
            except ssl.SSLError:
                return
            if isinstance(connection.sock, ssl.SSLSocket) and connection.sock.fileno() >= 0:
                with contextlib.suppress(OSError, ValueError):
                    connection.sock.unwrap()

        super().__init__(handle, **options)


def cut(connection):
    """FIN, and no close_notify."""
    raw = socket.socket(fileno=connection.sock.detach())
    raw.shutdown(socket.SHUT_WR)
    connection.sock = raw
