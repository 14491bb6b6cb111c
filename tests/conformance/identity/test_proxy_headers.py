"""Thousands of PROXY headers, right ones and changed ones, through nginx, HAProxy and Telltale: taken or refused alike,
with the same client, unless a class in ../README.md explains why not. The seed is printed when it fails; TELLTALE_SEED
sets it."""

import collections
import contextlib
import ipaddress
import os
import random
import unittest

from contenders import Contenders
from readings import Rules, plain
from support import Client, main
from support.proxy_header import LOCAL, PROXY, TLV_AUTHORITY, TLV_CRC32C, TLV_UNIQUE_ID, proxy_v2_raw, tlv
from support.waiting import SANITIZER

import headers
from proxy_reading import judge

SEED = int(os.environ.get("TELLTALE_SEED", random.SystemRandom().randrange(1 << 32)))
SHOWN = 20
COUNT = 1000 if SANITIZER else 6000
MAPPED = "the mapped spelling is kept"
PEER = "127.0.1.1"
REQUEST = b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
EVERYBODY = {"proxy": Rules((), believes_proxy_from=("127.0.0.0/8",))}


class Answer(collections.namedtuple("Answer", "accepted client")):
    def __str__(self):
        return f"takes it: {self.client}" if self.accepted else "refuses"


REFUSES = Answer(False, None)

V1, V1_6 = b"PROXY TCP4 198.51.100.7 203.0.113.140 4711 80", b"PROXY TCP6 2001:db8::7 2001:db8::80 4711 80"
BLOCK = bytes([198, 51, 100, 7, 203, 0, 113, 140, 0x12, 0x67, 0, 80])

# What is at work, who differs, and a header that shows it.
CLASSES = [
    ("v1: an address of the other family", ("nginx",), b"PROXY TCP4 2001:db8::7 203.0.113.140 4711 80\r\n"),
    ("v1: leading zeros in a port", ("nginx", "haproxy"), V1.replace(b" 80", b" 0080") + b"\r\n"),
    ("v1: leading zeros in an address", ("nginx", "haproxy"), V1.replace(b"100.7", b"100.007") + b"\r\n"),
    ("v1: lone CR or LF", ("nginx",), b"PROXY UNKNOWN x\n\r\n"),
    ("v1: neither TCP4, TCP6 nor UNKNOWN", ("nginx",), b"PROXY UNKNOWNx\r\n"),
    ("v1: no address", ("nginx", "haproxy"), V1.replace(b"203.0.113.140", b"203.0.113") + b"\r\n"),
    ("v1: no end within 107 octets", ("haproxy",), V1_6 + b" " * 100 + b"\r\n"),
    ("v1: no end within 107 octets", ("nginx",), b"PROXY UNKNOWN" + b" " * 100 + b"\r\n"),
    ("v1: no port", ("haproxy",), V1_6 + b"\0x\r\n"),
    ("v1: not four fields, one space apart", ("haproxy",), V1_6 + b" x\r\n"),
    ("v1: not four fields, one space apart", ("nginx", "haproxy"), b"PROXY TCP4 198.51.100.7  4711 80\r\n"),
    ("v1: a port over 65535", ("haproxy",), V1 + b"000\r\n"),
    ("v1: UNKNOWN with addresses", ("haproxy",), b"PROXY UNKNOWN 2001:db8::7 2001:db8::80 4711 80\r\n"),
    ("v2: another command", ("nginx",), proxy_v2_raw(2, 0x11, BLOCK)),
    ("v2: another family or transport", ("nginx",), proxy_v2_raw(PROXY, 0x41, BLOCK)),
    ("v2: shorter than its family", ("nginx",), proxy_v2_raw(PROXY, 0x12, BLOCK[:-1])),
    ("v2: a TLV is cut", ("nginx",), proxy_v2_raw(PROXY, 0x11, BLOCK + b"\x01\0\x05")),
    ("v2: a checksum that is none", ("nginx",), proxy_v2_raw(PROXY, 0x11, BLOCK + tlv(TLV_CRC32C, b"abc"))),
    ("v2: wrong checksum", ("nginx",), proxy_v2_raw(PROXY, 0x11, BLOCK + tlv(TLV_CRC32C, b"abcd"))),
    ("v2: wrong checksum", ("nginx", "haproxy"), proxy_v2_raw(LOCAL, 0x11, BLOCK + tlv(TLV_CRC32C, b"abcd"))),
    ("v2: unique ID over 128 octets", ("nginx",), proxy_v2_raw(PROXY, 0x11, BLOCK + tlv(TLV_UNIQUE_ID, b"x" * 129))),
    ("v2: an SSL TLV that is none", ("nginx", "haproxy"), proxy_v2_raw(PROXY, 0x11, BLOCK + tlv(0x20, b"abcdefg"))),
    ("v2: authority over 255 octets", ("haproxy",), proxy_v2_raw(PROXY, 0x11, BLOCK + tlv(TLV_AUTHORITY, b"x" * 256))),
    ("v2: longer than the limit", ("haproxy",), proxy_v2_raw(PROXY, 0x11, BLOCK + tlv(0xE0, b"x" * 4096))),
    ("v2: a datagram's address", ("nginx", "haproxy"), proxy_v2_raw(PROXY, 0x12, BLOCK)),
    ("v2: no address of a stream", ("haproxy",), proxy_v2_raw(PROXY, 0x31, b"/run/a".ljust(108, b"\0") * 2)),
    (MAPPED, ("nginx", "haproxy"), b"PROXY TCP6 ::ffff:198.51.100.7 2001:db8::80 4711 80\r\n"),
]  # fmt: skip
KNOWN = {(contender, reason) for reason, contenders, _ in CLASSES for contender in contenders}


class ProxyHeaders(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.contenders = cls.enterClassContext(Contenders(EVERYBODY))

    def setUp(self):
        self.seen = collections.Counter()
        self.unexplained = []

    def ask(self, contender, octets, complete) -> Answer:
        address = self.contenders.where[contender]["proxy"]
        with Client(address, source=PEER, first=octets + REQUEST, record=False) as client:
            if not complete:  # nothing more will come: who waits for it must give up
                with contextlib.suppress(OSError):  # it may have done so already
                    client.finish()
            response = client.response_or_close()
            if response is None or response.status != 200:
                return REFUSES
            return Answer(True, response.body.decode())

    def compare(self, octets):
        verdict = judge(octets + REQUEST)
        if verdict.accepted and verdict.size != len(octets):
            return  # the header is right, but the request behind it is not
        expected = Answer(True, verdict.source or PEER) if verdict.accepted else REFUSES
        for contender in self.contenders.where:
            said = self.ask(contender, octets, verdict.accepted)
            answer = said
            if said.accepted:
                answer = Answer(True, str(plain(ipaddress.ip_address(said.client))))
            if answer != said:
                self.seen[(contender, MAPPED)] += 1
            if answer == expected:
                continue
            if (contender, verdict.reason) in KNOWN:
                self.seen[(contender, verdict.reason)] += 1
            else:
                self.unexplained.append(f"{contender} {answer}, not {expected} ({verdict.reason}): {octets!r}")

    def finish(self):
        if self.unexplained:
            shown = "\n".join(self.unexplained[:SHOWN])
            self.fail(f"{len(self.unexplained)} unexplained (TELLTALE_SEED={SEED}):\n{shown}")

    def test_random_headers(self):
        chance = random.Random(SEED)
        for _ in range(COUNT):
            octets = headers.valid(chance)
            self.compare(octets if chance.random() < 0.2 else headers.changed(chance, octets))
        print(f"{COUNT} headers, seed {SEED}; differences by class:")
        for (contender, reason), count in sorted(self.seen.items()):
            print(f"  {contender:8} {count:6}  {reason}")
        self.finish()

    def test_every_class_is_still_there(self):
        for reason, contenders, octets in CLASSES:
            before = self.seen.copy()
            self.compare(octets)
            differ = {c for (c, r), n in (self.seen - before).items() if r == reason}
            if differ != set(contenders):
                self.unexplained.append(f"{reason}: {sorted(differ)} differ, not {sorted(contenders)}")
        self.finish()


if __name__ == "__main__":
    main()
