"""The PROXY protocol's verdict on any octets, from the specification and the rules of Telltale: accepted with an
address or without one, or refused, and by which rule."""

import dataclasses
import ipaddress
import re
import socket

from support.proxy_header import SIGNATURE, crc32c

MAX_V2_LENGTH = 4096
BLOCKS = {0: 0, 1: 12, 2: 36, 3: 216}


@dataclasses.dataclass(frozen=True)
class Verdict:
    """`reason`: the rule that refused it, or what is special about one that was accepted. `size`: of the header."""

    accepted: bool
    reason: str = ""
    source: str = None  # unmapped
    size: int = 0


def refused(reason) -> Verdict:
    return Verdict(False, reason)


def judge(octets: bytes) -> Verdict:
    if octets.startswith(SIGNATURE):
        return _v2(octets)
    if octets.startswith(b"PROXY "):
        return _v1(octets)
    return refused("no signature")


# Version 1: 2.1 of the specification.


def _v1(octets) -> Verdict:
    end = octets.find(b"\r\n", 0, 107)
    line = octets[:end] if end >= 0 else octets[:107]
    if b"\n" in line or b"\r" in (line if end >= 0 else line[:-1]):
        return refused("v1: lone CR or LF")
    if end < 0:
        return refused("v1: no end within 107 octets")
    size = end + 2
    rest = line[len(b"PROXY ") :]
    if rest == b"UNKNOWN":
        return Verdict(True, "", None, size)
    if rest.startswith(b"UNKNOWN "):
        return Verdict(True, "v1: UNKNOWN with addresses", None, size)
    words = rest.split(b" ")
    if words[0] not in (b"TCP4", b"TCP6"):
        return refused("v1: neither TCP4, TCP6 nor UNKNOWN")
    if len(words) != 5 or b"" in words:
        return refused("v1: not four fields, one space apart")
    version = 4 if words[0] == b"TCP4" else 6
    problems = [_v1_address(w, version) for w in words[1:3]] + [_v1_port(w) for w in words[3:]]
    if any(problems):
        return refused("v1: " + next(p for p in problems if p))
    source = ipaddress.ip_address(words[1].decode())
    return Verdict(True, "", _plain(source), size)


def _plain(address) -> str:
    return str(getattr(address, "ipv4_mapped", None) or address)


def _v1_address(word, version):
    text = word.decode("latin-1")
    try:
        socket.inet_pton(socket.AF_INET if version == 4 else socket.AF_INET6, text)
        return None
    except (OSError, ValueError):
        pass
    if (":" in text) != (version == 6):
        return "an address of the other family"
    if version == 4 and re.fullmatch(r"[0-9]+(\.[0-9]+){3}", text) and max(map(int, text.split("."))) <= 255:
        return "leading zeros in an address"
    return "no address"


def _v1_port(word):
    if not re.fullmatch(b"[0-9]+", word):
        return "no port"
    if int(word) > 65535:
        return "a port over 65535"
    return "leading zeros in a port" if len(word) > 1 and word[:1] == b"0" else None


# Version 2: 2.2.


def _v2(octets) -> Verdict:
    if len(octets) < 16:
        return refused("v2: cut")
    version, command = octets[12] >> 4, octets[12] & 15
    family, transport = octets[13] >> 4, octets[13] & 15
    length = int.from_bytes(octets[14:16], "big")
    local = command == 0
    if version != 2:
        return refused("v2: another version")
    if command > 1:
        return refused("v2: another command")
    if not local and (family > 3 or transport > 2):
        return refused("v2: another family or transport")
    if length > MAX_V2_LENGTH:
        return refused("v2: longer than the limit")
    if not local and length < BLOCKS[family]:
        return refused("v2: shorter than its family")
    whole = octets[: 16 + length]
    if len(whole) < 16 + length:
        return refused("v2: cut")
    if local or family == 0:
        return _v2_without_address(whole, family, local)
    problem = _tlv_problem(whole, 16 + BLOCKS[family])
    if problem:
        return refused("v2: " + problem)
    if transport == 0 or family == 3:
        return Verdict(True, "v2: no address of a stream", None, len(whole))
    half = 4 if family == 1 else 16
    source = _plain(ipaddress.ip_address(whole[16 : 16 + half]))
    if transport == 2:
        return Verdict(True, "v2: a datagram's address", source, len(whole))
    return Verdict(True, _authority(whole, 16 + BLOCKS[family]), source, len(whole))


def _authority(whole, at) -> str:
    while at < len(whole):
        size = int.from_bytes(whole[at + 1 : at + 3], "big")
        if whole[at] == 2 and size > 255:
            return "v2: authority over 255 octets"
        at += 3 + size
    return ""


def _v2_without_address(whole, family, local) -> Verdict:
    """TLVs stand wherever they can be read; that a checksum is wrong there refuses the header."""
    problems = [_tlv_problem(whole, 16 + skip) for skip in (0, BLOCKS.get(family, 0)) if 16 + skip <= len(whole)]
    if all(problems) and "wrong checksum" in problems:
        return refused("v2: wrong checksum")
    if local:
        return Verdict(True, "", None, len(whole))
    return Verdict(True, "v2: no address of a stream", None, len(whole))


def _is_ssl(value) -> bool:
    """2.2.6: flags, 4 octets of verification, then TLVs that fill the rest."""
    at = 5
    while at + 3 <= len(value):
        at += 3 + int.from_bytes(value[at + 1 : at + 3], "big")
    return at == len(value)


def _tlv_problem(whole, at):
    checksum_at = None
    while at < len(whole):
        if at + 3 > len(whole):
            return "a TLV is cut"
        kind, size = whole[at], int.from_bytes(whole[at + 1 : at + 3], "big")
        if at + 3 + size > len(whole):
            return "a TLV is cut"
        if kind == 5 and size > 128:
            return "unique ID over 128 octets"
        if kind == 0x20 and not _is_ssl(whole[at + 3 : at + 3 + size]):
            return "an SSL TLV that is none"
        if kind == 3:
            if size != 4 or checksum_at is not None:
                return "a checksum that is none"
            checksum_at = at + 3
        at += 3 + size
    if checksum_at is not None:
        blank = whole[:checksum_at] + bytes(4) + whole[checksum_at + 4 :]
        if crc32c(blank) != int.from_bytes(whole[checksum_at : checksum_at + 4], "big"):
            return "wrong checksum"
    return None
