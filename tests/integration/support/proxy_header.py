"""The PROXY protocol, written again from its specification, so that the tests do not lean on the code they test."""

import dataclasses
import ipaddress
import struct

from .messages import ProtocolError

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LOCAL, PROXY = 0, 1
UNSPEC, INET, INET6, UNIX = 0, 1, 2, 3
TLV_ALPN, TLV_AUTHORITY, TLV_CRC32C, TLV_NOOP, TLV_UNIQUE_ID, TLV_SSL, TLV_NETNS = 1, 2, 3, 4, 5, 0x20, 0x30


def _crc32c_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
        table.append(n)
    return table


_TABLE = _crc32c_table()


def crc32c(octets: bytes) -> int:
    crc = 0xFFFFFFFF
    for octet in octets:
        crc = _TABLE[(crc ^ octet) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@dataclasses.dataclass
class ProxyHeader:
    version: int
    command: str  # "PROXY" or "LOCAL" (v1 UNKNOWN is LOCAL)
    source: tuple = None  # (address text, port)
    destination: tuple = None
    tlvs: list = dataclasses.field(default_factory=list)  # (type, octets)
    raw: bytes = b""

    def tlv(self, kind: int):
        values = [value for t, value in self.tlvs if t == kind]
        if len(values) > 1:
            raise ProtocolError(f"TLV {kind} came {len(values)} times")
        return values[0] if values else None

    def source_ip(self):
        """Unmapped."""
        if self.source is None:
            return None
        address = ipaddress.ip_address(self.source[0])
        return str(getattr(address, "ipv4_mapped", None) or address)


def proxy_v1(source, destination=("203.0.113.140", 80)) -> bytes:
    """`PROXY TCP4|TCP6 …`, or `PROXY UNKNOWN` for source None."""
    if source is None:
        return b"PROXY UNKNOWN\r\n"
    family = "TCP6" if ":" in source[0] else "TCP4"
    return f"PROXY {family} {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n".encode()


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def ssl_tlv(client: int, verify: int, sub_tlvs=()) -> tuple:
    """(type, value) of the SSL TLV: client flags, verify field, sub-TLVs."""
    return TLV_SSL, struct.pack("!BI", client, verify) + b"".join(tlv(t, v) for t, v in sub_tlvs)


def proxy_v2_raw(command, family_transport, payload, length=None, version=2) -> bytes:
    """Octets as told, right or wrong."""
    announced = len(payload) if length is None else length
    return SIGNATURE + struct.pack("!BBH", version << 4 | command, family_transport, announced) + payload


def proxy_v2(source, destination=("203.0.113.140", 80), *, command=PROXY, tlvs=(), crc=False) -> bytes:
    """STREAM over INET, INET6 or (for a source that is bytes, a path) UNIX; UNSPEC for source None."""
    if source is None:
        kind, block = UNSPEC << 4, b""
    elif isinstance(source, bytes):
        kind, block = UNIX << 4 | 1, source.ljust(108, b"\0") + b"".ljust(108, b"\0")
    else:
        addresses = [ipaddress.ip_address(a[0]) for a in (source, destination)]
        kind = (INET if addresses[0].version == 4 else INET6) << 4 | 1
        block = b"".join(a.packed for a in addresses) + struct.pack("!HH", source[1], destination[1])
    section = b"".join(tlv(t, v) for t, v in tlvs)
    if not crc:
        return proxy_v2_raw(command, kind, block + section)
    blank = proxy_v2_raw(command, kind, block + section + tlv(TLV_CRC32C, bytes(4)))
    return blank[:-4] + struct.pack("!I", crc32c(blank))


def _parse_tlvs(octets: bytes) -> list:
    tlvs, at = [], 0
    while at < len(octets):
        if at + 3 > len(octets):
            raise ProtocolError("cut TLV")
        kind, size = struct.unpack_from("!BH", octets, at)
        value = octets[at + 3 : at + 3 + size]
        if len(value) != size:
            raise ProtocolError("TLV past the header's end")
        tlvs.append((kind, value))
        at += 3 + size
    return tlvs


def _check_crc(raw: bytes, header: ProxyHeader):
    wanted = header.tlv(TLV_CRC32C)
    if wanted is None:
        return
    at = raw.index(tlv(TLV_CRC32C, wanted)) + 3
    if crc32c(raw[:at] + bytes(4) + raw[at + 4 :]) != int.from_bytes(wanted, "big"):
        raise ProtocolError("wrong CRC32C")


def _parse_v2(stream) -> ProxyHeader:
    fixed = stream.read_exact(16)
    version_command, kind, length = fixed[12], fixed[13], int.from_bytes(fixed[14:16], "big")
    if version_command >> 4 != 2 or version_command & 15 > 1:
        raise ProtocolError(f"bad version or command {version_command:#x}")
    payload = stream.read_exact(length)
    size = {INET: 12, INET6: 36, UNIX: 216}.get(kind >> 4, 0)
    header = ProxyHeader(2, "PROXY" if version_command & 15 else "LOCAL", raw=fixed + payload)
    if kind >> 4 in (INET, INET6) and len(payload) >= size:
        if kind & 15 != 1:
            raise ProtocolError(f"not a stream: {kind:#x}")
        half = (size - 4) // 2
        ports = struct.unpack_from("!HH", payload, size - 4)
        header.source = (str(ipaddress.ip_address(payload[:half])), ports[0])
        header.destination = (str(ipaddress.ip_address(payload[half : 2 * half])), ports[1])
    elif header.command == "PROXY" and kind != 0:
        raise ProtocolError(f"unexpected family {kind:#x} of {len(payload)} octets")
    header.tlvs = _parse_tlvs(payload[size:])
    _check_crc(header.raw, header)
    return header


def _parse_v1(stream) -> ProxyHeader:
    raw = stream.read_until(b"\r\n", 107)
    words = raw[:-2].decode("ascii").split(" ")
    if words[1] == "UNKNOWN":
        return ProxyHeader(1, "LOCAL", raw=raw)
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6") or len(raw) > 107:
        raise ProtocolError(f"bad v1 header {raw!r}")
    version = 4 if words[1] == "TCP4" else 6
    for address in words[2:4]:
        if ipaddress.ip_address(address).version != version:
            raise ProtocolError(f"{address} in a {words[1]} header")
    return ProxyHeader(1, "PROXY", (words[2], int(words[4])), (words[3], int(words[5])), raw=raw)


def parse_proxy_header(stream):
    """Takes a PROXY header off the stream; None, and nothing taken, when it does not begin with one."""
    start = stream.peek(12) if stream.peek(1) == b"\r" else stream.peek(6)
    if start == SIGNATURE:
        return _parse_v2(stream)
    if start == b"PROXY ":
        return _parse_v1(stream)
    return None
