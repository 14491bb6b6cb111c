"""Random PROXY headers: right ones of every kind, and what becomes of them when something in them is changed."""

import ipaddress
import struct

from support.proxy_header import INET, INET6, LOCAL, PROXY, UNIX, UNSPEC, proxy_v1, proxy_v2, proxy_v2_raw, tlv

SOURCES = ("198.51.100.7", "10.0.0.1", "203.0.113.255", "2001:db8::7", "::ffff:198.51.100.7", "fd00::1", "127.0.0.9")


def _tlvs(chance) -> bytes:
    out = b""
    for _ in range(chance.choice([0, 0, 1, 2, 3])):
        kind = chance.choice([1, 2, 4, 5, 0x20, 0x30, 0xE0, 0xEA, 0xEE, 0xFF])
        value = chance.randbytes(chance.choice([0, 1, 4, 23, 60, 128]))
        if kind == 0x20 and chance.random() < 0.9:
            value = b"\1\0\0\0\0" + tlv(0x21, b"TLSv1.3") + tlv(0x22, value)
        out += tlv(kind, value)
    return out


def valid(chance) -> bytes:
    source = (chance.choice(SOURCES), chance.randrange(65536))
    destination = ("2001:db8::80" if ":" in source[0] else "203.0.113.140", chance.randrange(65536))
    kind = chance.randrange(12)
    if kind < 4:
        return proxy_v1(source, destination)
    if kind == 4:
        return b"PROXY UNKNOWN" + chance.choice([b"", b" x", b" ffff:f:f:f:f:f:f:f 2001:db8::1 1 2"]) + b"\r\n"
    if kind < 8:
        tlvs = [(1, b"h2"), (2, b"a.example")] if kind == 7 else ()
        return proxy_v2(source, destination, tlvs=tlvs, crc=chance.random() < 0.4)
    return _raw(chance, source, destination)


def _raw(chance, source, destination) -> bytes:
    """By its parts, unusual ones too."""
    addresses = [ipaddress.ip_address(a[0]).packed for a in (source, destination)]
    family = INET if len(addresses[0]) == 4 else INET6
    block = b"".join(addresses) + struct.pack("!HH", source[1], destination[1])
    family, block = chance.choice([(family, block)] * 4 + [(UNIX, b"/run/a".ljust(108, b"\0") * 2), (UNSPEC, b"")])
    command = chance.choice([PROXY, PROXY, PROXY, LOCAL])
    if command == LOCAL and chance.random() < 0.5:
        block = b""
    transport = chance.choice([1, 1, 1, 1, 1, 0, 2])
    return proxy_v2_raw(command, family << 4 | transport, block + _tlvs(chance))


def _change_octet(chance, octets):
    at = chance.randrange(len(octets))
    octet = chance.choice([octets[at] ^ 1 << chance.randrange(8), chance.randrange(256)])
    return octets[:at] + bytes([octet]) + octets[at + 1 :]


def _remove(chance, octets):
    at = chance.randrange(len(octets))
    return octets[:at] + octets[at + chance.choice([1, 1, 2, 5]) :]


def _insert(chance, octets):
    at = chance.randrange(len(octets) + 1)
    more = chance.choice([b" ", b"0", b"\0", b"\t", b":", b"\r", b"\n", chance.randbytes(3)])
    return octets[:at] + more + octets[at:]


def _change_word(chance, octets):
    """v1: one word for another."""
    words = octets.removesuffix(b"\r\n").split(b" ")
    at = chance.randrange(len(words))
    words[at] = chance.choice([
        b"0" + words[at], words[at] + b".", words[at].lower(), b"+1", b"-1", b"65536", b"99999999999", b"00080", b"",
        b"TCP5", b"TCP4", b"TCP6", b"UNKNOWN", b"198.51.100.7", b"198.51.100", b"198.51.100.007", b"198.51.100.300",
        b"2001:db8::7", b"2001:db8::7:", b"::ffff:198.51.100.7", b"fe80::1%lo", b"[2001:db8::7]", b"abc",
        words[at] + b" 1",
    ])  # fmt: skip
    return b" ".join(words) + b"\r\n"


def _change_end(chance, octets):
    """v1: what ends the line."""
    ends = [b"\n", b"\r", b" \r\n", b"\r\r\n", b"\n\r\n", b" 1\r\n", b" " * 100 + b"\r\n"]
    return octets.removesuffix(b"\r\n") + chance.choice(ends)


def _change_length(chance, octets):
    """v2: the declared length."""
    if len(octets) < 16:
        return octets
    lengths = [0, 1, 11, 12, 35, 36, 215, 216, 4096, 4097, 65535, len(octets) - 15, max(0, len(octets) - 17)]
    return octets[:14] + struct.pack("!H", chance.choice(lengths)) + octets[16:]


def _change_kind(chance, octets):
    """v2: version, command, family or transport."""
    if len(octets) < 16:
        return octets
    if chance.random() < 0.5:
        return octets[:12] + bytes([chance.choice([0x20, 0x21, 0x22, 0x2F, 0x11, 0x31])]) + octets[13:]
    kind = chance.choice([0, 1, 2, 3, 0x10, 0x12, 0x13, 0x20, 0x22, 0x31, 0x32, 0x41, 0xFF])
    return octets[:13] + bytes([kind]) + octets[14:]


def _add_bad_tlv(chance, octets):
    """v2: one more TLV that breaks a rule, inside a length that is right."""
    if len(octets) < 16:
        return octets
    payload = octets[16:] + chance.choice([
        b"\x01", b"\x01\0", b"\x01\0\x05abc", tlv(3, b"\0\0\0\0"), tlv(3, b"abc"), tlv(3, b"\0" * 4) * 2,
        tlv(5, b"x" * 129), tlv(5, b"x" * 128), tlv(2, b"x" * 256), tlv(4, b""), tlv(0xE0, b"x" * 5000),
    ])  # fmt: skip
    return octets[:14] + struct.pack("!H", len(payload)) + payload


def changed(chance, octets) -> bytes:
    v1 = octets.startswith(b"PROXY ")
    own = [_change_word] * 3 + [_change_end] if v1 else [_change_length, _change_kind, _add_bad_tlv]
    return chance.choice([*own, _change_octet, _remove, _insert])(chance, octets)
