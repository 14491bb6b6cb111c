"""A strict HTTP/1 reader and writer of the tests' own: whatever the proxy sends to either side must pass it."""

import dataclasses
import json
import re
import socket

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (\S+) (HTTP/1\.[01])\Z")
_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([1-9][0-9][0-9]) ([\x20-\x7e\x80-\xff]*)\Z")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*\Z")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(;[\t\x20-\x7e\x80-\xff]*)?\Z")


class ProtocolError(AssertionError):
    """The other end broke HTTP/1 (or the PROXY protocol)."""


class EndOfStream(ConnectionError):
    """The other end closed where more was due."""


class Fields(list):
    """(name, value) pairs in the order they came."""

    def all(self, name: str) -> list:
        return [value for key, value in self if key.lower() == name.lower()]

    def one(self, name: str):
        """The value of a field that must not be repeated; None when it is absent."""
        values = self.all(name)
        if len(values) > 1:
            raise ProtocolError(f"{name} came {len(values)} times: {values}")
        return values[0] if values else None

    def names(self) -> list:
        return [key.lower() for key, _ in self]

    def lists(self, name: str, token: str) -> bool:
        """Whether a comma-separated field holds this token, in any case."""
        return token in [part.strip().lower() for value in self.all(name) for part in value.split(",")]


@dataclasses.dataclass
class Message:
    fields: Fields = dataclasses.field(default_factory=Fields)
    body: bytes = b""
    trailers: Fields = dataclasses.field(default_factory=Fields)
    raw_head: bytes = b""
    version: str = "HTTP/1.1"

    def header(self, name: str):
        return self.fields.one(name)

    def json(self):
        return json.loads(self.body)


@dataclasses.dataclass
class Request(Message):
    method: str = "GET"
    target: str = "/"
    proxy: object = None  # the ProxyHeader of the connection, if one came
    connection: object = None  # the backend's Connection


@dataclasses.dataclass
class Response(Message):
    status: int = 200
    reason: str = ""
    interim: list = dataclasses.field(default_factory=list)  # 1xx responses that came before

    def closes(self) -> bool:
        return self.fields.lists("connection", "close")


def parse_fields(lines) -> Fields:
    fields = Fields()
    for line in lines:
        name, colon, value = line.partition(b":")
        value = value.strip(b" \t")
        if not colon or not _TOKEN.match(name) or not _VALUE.match(value):
            raise ProtocolError(f"bad field line {line!r}")
        fields.append((name.decode("ascii"), value.decode("latin-1")))
    return fields


def _head_lines(head: bytes) -> list:
    lines = head[: -len(b"\r\n\r\n")].split(b"\r\n")
    if any(b"\r" in line or b"\n" in line or b"\0" in line for line in lines):
        raise ProtocolError(f"bare CR, LF or NUL in {head!r}")
    return lines


def parse_request_head(head: bytes) -> Request:
    lines = _head_lines(head)
    match = _REQUEST_LINE.match(lines[0])
    if not match:
        raise ProtocolError(f"bad request line {lines[0]!r}")
    method, target, version = (part.decode("ascii") for part in match.groups())
    return Request(parse_fields(lines[1:]), raw_head=head, version=version, method=method, target=target)


def parse_response_head(head: bytes) -> Response:
    lines = _head_lines(head)
    match = _STATUS_LINE.match(lines[0])
    if not match:
        raise ProtocolError(f"bad status line {lines[0]!r}")
    version, status, reason = (part.decode("latin-1") for part in match.groups())
    return Response(parse_fields(lines[1:]), raw_head=head, version=version, status=int(status), reason=reason)


class Stream:
    """A socket with a read buffer. `received` keeps every octet that came, unless `record` is off."""

    def __init__(self, sock: socket.socket, record=True):
        self.sock = sock
        self.record = record
        self.received = bytearray()
        self.ended = False
        self._buffer = bytearray()

    def _fill(self) -> bool:
        octets = b"" if self.ended else self.sock.recv(256 * 1024)
        if not octets:
            self.ended = True
            return False
        if self.record:
            self.received += octets
        self._buffer += octets
        return True

    def take(self, count: int) -> bytes:
        octets = bytes(self._buffer[:count])
        del self._buffer[:count]
        return octets

    def peek(self, count: int) -> bytes:
        """The next octets without taking them; fewer only at the end of the stream."""
        while len(self._buffer) < count and self._fill():
            pass
        return bytes(self._buffer[:count])

    def buffered(self) -> bytes:
        return bytes(self._buffer)

    def read_some(self) -> bytes:
        """Whatever there is, at least one octet; empty at the end."""
        if not self._buffer:
            self._fill()
        return self.take(len(self._buffer))

    def read_exact(self, count: int) -> bytes:
        while len(self._buffer) < count:
            if not self._fill():
                raise EndOfStream(f"{len(self._buffer)} of {count} octets: {bytes(self._buffer[:200])!r}")
        return self.take(count)

    def read_until(self, marker: bytes, limit=1 << 20) -> bytes:
        start = 0
        while (at := self._buffer.find(marker, start)) < 0:
            if len(self._buffer) > limit:
                raise ProtocolError(f"no {marker!r} within {limit} octets")
            start = max(0, len(self._buffer) - len(marker))
            if not self._fill():
                raise EndOfStream(f"before {marker!r}: {bytes(self._buffer[:200])!r}")
        return self.take(at + len(marker))

    def read_to_end(self) -> bytes:
        while self._fill():
            pass
        return self.take(len(self._buffer))

    def discard(self, count: int) -> int:
        """Drops `count` octets (or all until the end, for a negative count) without keeping them."""
        done = len(self.take(len(self._buffer) if count < 0 else count))
        scratch = bytearray(1 << 20)
        while count < 0 or done < count:
            size = self.sock.recv_into(scratch, len(scratch) if count < 0 else min(len(scratch), count - done))
            if size == 0:
                self.ended = True
                break
            done += size
        return done

    def read_chunked(self):
        """(body, trailers)"""
        body = bytearray()
        while True:
            line = self.read_until(b"\r\n", 4096)[:-2]
            match = _CHUNK_SIZE.match(line)
            if not match:
                raise ProtocolError(f"bad chunk size line {line!r}")
            size = int(match[1], 16)
            if size == 0:
                break
            body += self.read_exact(size)
            if (end := self.read_exact(2)) != b"\r\n":
                raise ProtocolError(f"chunk ends with {end!r}")
        lines = []
        while line := self.read_until(b"\r\n", 64 * 1024)[:-2]:
            lines.append(line)
        return bytes(body), parse_fields(lines)

    def _read_framed(self, message: Message) -> bool:
        """Reads the body that the fields announce; False when they announce none."""
        codings, length = message.fields.all("transfer-encoding"), message.fields.one("content-length")
        if codings:
            if [c.lower() for c in codings] != ["chunked"] or length is not None or message.version != "HTTP/1.1":
                raise ProtocolError(f"ambiguous framing: {message.raw_head!r}")
            message.body, message.trailers = self.read_chunked()
        elif length is not None:
            if not re.fullmatch("[0-9]+", length):
                raise ProtocolError(f"bad Content-Length {length!r}")
            message.body = self.read_exact(int(length))
        return bool(codings) or length is not None

    def read_request_head(self) -> Request:
        return parse_request_head(self.read_until(b"\r\n\r\n"))

    def read_request(self) -> Request:
        request = self.read_request_head()
        self._read_framed(request)
        return request

    def read_response_head(self) -> Response:
        return parse_response_head(self.read_until(b"\r\n\r\n"))

    def read_response(self, method="GET") -> Response:
        """One final response with its body; interim ones are gathered in `interim`. 101 is final here."""
        interim = []
        while 100 <= (response := self.read_response_head()).status < 200 and response.status != 101:
            interim.append(response)
        response.interim = interim
        if method == "HEAD" or response.status in (101, 204, 304):
            return response
        if not self._read_framed(response):
            response.body = self.read_to_end()
        return response


def respond(status=200, body=b"", fields=(), *, chunked=False, version="HTTP/1.1", trailers=(), length=True) -> bytes:
    """The octets of a response."""
    if isinstance(body, str):
        body = body.encode()
    lines = [f"{version} {status} Status"]
    lines += [f"{name}: {value}" for name, value in fields]
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    elif length and status not in (204, 304):
        lines.append(f"Content-Length: {len(body)}")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    return head + (chunks(body, trailers) if chunked else body)


def chunks(body: bytes, trailers=(), size=4096) -> bytes:
    """A chunked body, whole."""
    out = bytearray()
    for at in range(0, len(body), size):
        part = body[at : at + size]
        out += b"%x\r\n" % len(part) + part + b"\r\n"
    out += b"0\r\n" + b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in trailers) + b"\r\n"
    return bytes(out)
