"""How the client is read from a chain: the rules of Telltale, and each peer's deviations from them by name.

A deviation is a small rule of its own that can be switched on and off, so that a difference between two answers is
explained by the fewest deviations that together make it, and by nothing else. The table in ../README.md says why each
is there.
"""

import dataclasses
import ipaddress
import re
import socket

REFUSED = "400"
MAX_ENTRIES, MAX_OCTETS = 64, 8192  # of the believed header

NGINX = (
    "space separates",
    "tab is no white space",
    "an empty element in front ends the walk",
    "loose IPv4",
    "255.255.255.255 is no address",
    "loose IPv6",
    "port 0 is none",
    "any number of zeros in a port",
    "brackets want a port",
    "IPv4 in brackets",
    "the list is not bounded",
)
NGINX_SINGLE = (*NGINX, "the first of several lines is taken", "a single address is a list")
HAPROXY = (
    "quotes hide commas",
    "empty elements count",
    "leading zeros in IPv4",
    "brackets are not read",
    "port -0",
    "any number of zeros in a port",
    "6to4 and IPv4-compatible are IPv4",
    "the last ten only",
    "the list is not bounded",
)
HAPROXY_SECOND = (*HAPROXY, "no other entry is looked at")
HAPROXY_SINGLE = (*HAPROXY, "the last of several lines is taken", "a single address is a list")
HAPROXY_FORWARDED = (*HAPROXY, "for is picked out by a pattern")
HAPROXY_PROXY = (*HAPROXY, "PROXY is believed from anybody")


@dataclasses.dataclass(frozen=True)
class Chain:
    """One request as it arrives: who connects, what its PROXY header says (None: no header, or no address in it), and
    the lines of the believed field."""

    peer: str
    lines: tuple = ()
    proxy_source: str = None

    def octets(self) -> int:
        return sum(map(len, self.lines)) + 2 * (len(self.lines) - 1) if self.lines else 0


@dataclasses.dataclass(frozen=True)
class Rules:
    """What the contenders are configured with. `count`: the entry from the right that is the client (trusted_hops);
    0 walks by `trusted`. `syntax`: plain, forwarded or single."""

    trusted: tuple
    count: int = 0
    syntax: str = "plain"
    believes_proxy_from: tuple = ()

    def networks(self):
        return _networks(self.trusted)


_cache = {}


def _networks(ranges):
    if ranges not in _cache:
        _cache[ranges] = [ipaddress.ip_network(r) for r in ranges]
    return _cache[ranges]


def plain(address):
    """Unmapped (RFC 4291 2.5.5.2)."""
    return getattr(address, "ipv4_mapped", None) or address


def contains(ranges, address) -> bool:
    address = plain(address)
    return any(address.version == n.version and address in n for n in _networks(ranges))


class Reading:
    def __init__(self, deviations=()):
        self.deviations = frozenset(deviations)

    def has(self, name) -> bool:
        return name in self.deviations

    # The client.

    def client(self, chain: Chain, rules: Rules) -> str:
        """The address, unmapped, or REFUSED."""
        hop = ipaddress.ip_address(chain.peer)
        believed = self.has("PROXY is believed from anybody") or contains(rules.believes_proxy_from, hop)
        if chain.proxy_source and believed:
            hop = self.address(chain.proxy_source) or hop
        if chain.lines and self.trusts(rules, hop):
            found = self.single(chain) if rules.syntax == "single" else self.walk(chain, rules)
            if found == REFUSED:
                return REFUSED
            hop = found or hop
        return str(plain(hop))

    def walk(self, chain, rules):
        elements = self.elements(chain, rules.syntax == "forwarded")
        bounded = not self.has("the list is not bounded")
        if bounded and (len(elements) > MAX_ENTRIES or chain.octets() > MAX_OCTETS):
            return REFUSED
        if self.has("the last ten only"):
            elements = elements[:10]
        if rules.count and self.has("no other entry is looked at"):
            if len(elements) < rules.count:
                return None
            return self.entry(elements[rules.count - 1])
        hop = None
        for taken, element in enumerate(elements, 1):
            address = self.node(element) if rules.syntax == "forwarded" else self.entry(element)
            if address is None:
                break
            hop = address
            if taken == rules.count if rules.count else not self.trusts(rules, address):
                break
        return hop

    def single(self, chain):
        lines = chain.lines
        if self.has("the first of several lines is taken"):
            lines = lines[:1]
        elif self.has("the last of several lines is taken"):
            lines = lines[-1:]
        if len(lines) != 1:
            return None
        if not self.has("a single address is a list"):
            return self.entry(lines[0].strip(" \t"))
        elements = self.elements(Chain(chain.peer, lines))
        return self.entry(elements[0]) if elements else None

    def trusts(self, rules, address) -> bool:
        if contains(rules.trusted, address):
            return True
        if address.version == 6 and self.has("6to4 and IPv4-compatible are IPv4"):
            inner = address.sixtofour
            if int(address) >> 32 == 0:
                inner = ipaddress.IPv4Address(int(address))
            return inner is not None and contains(rules.trusted, inner)
        return False

    # The list, from the right. An element that nobody could read is "".

    def elements(self, chain, quoted=False) -> list:
        out = []
        for line in reversed(chain.lines):
            out += self.elements_of_line(line, quoted)
        return out

    def elements_of_line(self, line, quoted) -> list:
        white = " " if self.has("tab is no white space") else " \t"
        line = line.strip(white)
        if self.has("quotes hide commas"):
            parts = _split_quoted_from_left(line)
        elif quoted:
            parts = _split_quoted_from_right(line)
        else:
            parts = re.split("[ ,]" if self.has("space separates") else ",", line)
        parts = [p.strip(white) for p in parts]
        if not self.has("empty elements count"):
            parts = [p for p in parts if p]
            if line[:1] in ("", ",") and self.has("an empty element in front ends the walk"):
                if line[1:2] in ("", ",", " "):
                    parts.insert(0, "")
                else:
                    parts[0] = "," + parts[0]  # what it cuts begins with the comma
        return parts[::-1]

    # One entry of X-Forwarded-For.

    def entry(self, text):
        address = self.address(text)
        if address is not None:
            return address
        if text.startswith("["):
            return self.bracketed(text)
        host, colon, port = text.partition(":")
        return self.address(host, (4,)) if colon and self.is_port(port) else None

    def bracketed(self, text):
        if self.has("brackets are not read"):
            return None
        inside, close, rest = text[1:].partition("]")
        if not close or (rest and not (rest[0] == ":" and self.is_port(rest[1:]))):
            return None
        if not rest and self.has("brackets want a port"):
            return None
        return self.address(inside, (4, 6) if self.has("IPv4 in brackets") and rest else (6,))

    def is_port(self, text) -> bool:
        if text == "-0":
            return self.has("port -0")
        if not re.fullmatch("[0-9]+", text) or int(text) > 65535:
            return False
        if int(text) == 0 and self.has("port 0 is none"):
            return False
        return len(text) <= 5 or self.has("any number of zeros in a port")

    def address(self, text, versions=(4, 6)):
        value = None
        if ":" in text:
            value = self.ipv6(text) if 6 in versions else None
        elif 4 in versions:
            value = self.ipv4(text)
        return value

    def ipv4(self, text):
        if self.has("loose IPv4"):
            octets = _loose_ipv4(text)
        elif self.has("leading zeros in IPv4") and re.fullmatch(r"[0-9]+(\.[0-9]+){3}", text):
            octets = [int(o) for o in text.split(".")]
        elif re.fullmatch(r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3}", text):
            octets = [int(o) for o in text.split(".")]
        else:
            octets = None
        if not octets or max(octets) > 255:
            return None
        if octets == [255] * 4 and self.has("255.255.255.255 is no address"):
            return None
        return ipaddress.IPv4Address(bytes(octets))

    def ipv6(self, text):
        octets = _loose_ipv6(text) if self.has("loose IPv6") else _strict_ipv6(text)
        return ipaddress.IPv6Address(octets) if octets else None

    # One element of Forwarded.

    def node(self, element):
        """The address in its `for`, or None."""
        if self.has("for is picked out by a pattern"):
            match = FOR_PATTERN.match(element)
            return self.address(match[1]) if match else None
        value = _forwarded_for(element)
        if value is None:
            return None
        match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}|_[A-Za-z0-9._-]+))?", value)
        if not match or (match[2] and match[2][0] != "_" and int(match[2]) > 65535):
            return None
        if match[1].startswith("["):
            return self.address(match[1][1:-1], (6,))
        return self.address(match[1], (4,))


# What one writes for HAProxy before 2.8, which brought converters for RFC 7239.
FOR_PATTERN_TEXT = r'^(?:.*;)?[ \t]*for="?\[?([0-9a-f.:]*?)\]?(?::[0-9]+)?"?[ \t]*(?:;.*)?$'
FOR_PATTERN = re.compile(FOR_PATTERN_TEXT, re.IGNORECASE)


def _strict_ipv6(text):
    try:
        return socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return None


def _loose_ipv4(text):
    """Each of the four octets in decimal, of any length, or nothing at all."""
    if not re.fullmatch(r"[0-9.]+", text) or text.count(".") != 3:
        return None
    return [int(o or "0") for o in text.split(".")]


def _loose_ipv6(text):
    """A single colon may lead; after `::` one may trail and stands for a zero group; a final `::` takes two groups."""
    text = text.removeprefix(":") if not text.startswith("::") else text
    head, dot_tail = text, ""
    if "." in text:
        head, colon, dotted = text.rpartition(":")
        quad = _loose_ipv4(dotted)
        if not colon or not quad or not re.match("[0-9]", dotted) or max(quad) > 255 or quad == [255] * 4:
            return None
        dot_tail = ":%x:%x" % (quad[0] << 8 | quad[1], quad[2] << 8 | quad[3])
        head += dot_tail
    if re.search("::.*[^:]:$", head):
        head += "0"
    if head.endswith("::") and head.count(":") == 8:
        return None
    return _strict_ipv6(head)


def _split_quoted_from_left(line) -> list:
    parts, begin, quoted, at = [], 0, False, 0
    while at < len(line):
        if quoted and line[at] == "\\":
            at += 1
        elif line[at] == '"':
            quoted = not quoted
        elif line[at] == "," and not quoted:
            parts.append(line[begin:at])
            begin = at + 1
        at += 1
    return [*parts, line[begin:]]


def _split_quoted_from_right(line) -> list:
    """What the right wrote is read first: an open quote on the left must not reach it."""
    parts, end, quoted = [], len(line), False
    for at in range(len(line) - 1, -1, -1):
        if line[at] == '"':
            backslashes = len(line[:at]) - len(line[:at].rstrip("\\"))
            quoted = not quoted or backslashes % 2 == 1
        elif line[at] == "," and not quoted:
            parts.append(line[at + 1 : end])
            end = at
    return [*parts, line[:end]][::-1]


_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*)"'
_PAIR = re.compile(rf"[ \t]*(?:({_TOKEN})=(?:({_TOKEN})|{_QUOTED}))?[ \t]*(;|$)")


def _forwarded_for(element):
    """RFC 7239 4, whole; None when it is not that, when a parameter comes twice, or without `for`."""
    at, seen = 0, {}
    while True:
        match = _PAIR.match(element, at)
        if not match:
            return None
        if match[1]:
            name = match[1].lower()
            if name.replace("_", "-") in seen:
                return None
            seen[name.replace("_", "-")] = match[2] if match[2] is not None else re.sub(r"\\(.)", r"\1", match[3])
        at = match.end()
        if match[4] == "":
            return seen.get("for")


def explain(chain, rules, deviations, answer):
    """The fewest deviations that make this answer of the reading, or None when all of them do not."""
    if Reading(deviations).client(chain, rules) != answer:
        return None
    needed = set(deviations)
    for name in deviations:
        if Reading(needed - {name}).client(chain, rules) == answer:
            needed.remove(name)
    return needed
