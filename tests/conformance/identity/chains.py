"""Random chains: who connects, and what the believed field says. Honest ones, careless ones, and hostile ones."""

import ipaddress

from readings import Chain, Rules

# Hops that a configuration may trust, and strangers; each spelt in many ways.
# fmt: off
TRUSTED_RANGES = {
    "some": ("127.0.1.0/24", "10.0.0.0/8", "192.0.2.128/25", "2001:db8:1::/48"),
    "most": ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.0.2.0/24", "198.51.100.0/25", "fd00::/8",
             "2001:db8::/32"),
    "other": ("192.0.2.0/24", "2001:db8:1::/48"),
}
# fmt: on
RULES = {
    **{f"walk-{name}": Rules(ranges) for name, ranges in TRUSTED_RANGES.items()},
    "last": Rules(TRUSTED_RANGES["some"], count=1),
    "second": Rules(TRUSTED_RANGES["some"], count=2),
    "single": Rules(TRUSTED_RANGES["some"], syntax="single"),
    "forwarded": Rules(TRUSTED_RANGES["some"], syntax="forwarded"),
    "proxy": Rules((), believes_proxy_from=("127.0.1.0/24",)),
    "layers": Rules(
        ("10.0.0.0/8", "127.0.1.128/25", "192.0.2.128/25", "2001:db8:1::/48"), believes_proxy_from=("127.0.1.0/24",)
    ),
}

GARBAGE = (
    "unknown", "_hidden", "garbage", "unix:", "-", "127.1", "0x7f.0.0.1", "2130706433", "10.0.0.300", "10.0.0",
    "10.0.0.1.2", "1..2.3", "10.0.0.1/8", "10.0.0.1;", "localhost", "fe80::1%eth0", "2001:db8", ":::1", "1::2::3",
    "2001:db8::g", "12345::1", "1:2:3:4:5:6:7:8::", "[10.0.0.7", "[2001:db8:1::7", "2001:db8:1::7]", "[]", "[]:80",
    "[::1%lo]:80", "]", "10.0.0.7:x", "10.0.0.7:-1", "10.0.0.7:", "10.0.0.7:65536", "10.0.0.7:80:80",
    "[2001:db8:1::7]x", "[2001:db8:1::7]:", "[2001:db8:1::7]:70000", '"10.0.0.7"', '"', '10.0.0.7"', '"10.0.0.7', "\\",
    "(x)", "for=10.0.0.7",
)  # fmt: skip
BAD_NODES = (
    '"', '""', "10.0.0.1:80", "[2001:db8::1]", '"2001:db8::1"', '"[10.0.0.1]"', '"10.0.0.1:x"', "010.0.0.1", "127.1",
)  # fmt: skip
PAIRS = (
    "proto=https", 'host="a.example:80"', "by=203.0.113.43", 'by="_x"', 'host="a,b"', 'x="\\"q"', "ext=1",
)  # fmt: skip
SEPARATORS = (", ",) * 8 + (",", " , ", ",\t", " ,", ",,", ", ,", ",  ")


def address(chance) -> str:
    kind = chance.randrange(12)
    n, m = chance.randrange(1, 255), chance.randrange(1, 255)
    if kind < 4:
        return f"10.{n}.0.{m}"
    if kind < 6:
        return f"198.51.100.{n}"
    return chance.choice([
        f"192.0.2.{n}", f"203.0.113.{n}", f"172.16.{n}.{m}", f"127.0.1.{n}",
        f"2001:db8:1::{n:x}", f"2001:db8:2::{n:x}", f"fd00:{n:x}::{m:x}", f"2002:a{n:02x}:1::{m:x}", f"::10.{n}.0.{m}",
        f"::ffff:10.{n}.0.{m}", f"::ffff:198.51.100.{n}", "::1", "0.0.0.0", "255.255.255.255", f"{n:x}:2:3:4:5:6:7:8",
    ])  # fmt: skip


def _port(chance):
    return chance.choice(["80", "443", str(chance.randrange(1, 65536)), "0", "00080", "0000080", "-0"])


def _spell(chance, text):
    """One of the many ways to write an address, most of them right."""
    v6 = ":" in text
    choice = chance.randrange(16)
    if choice < 7:
        return text
    if v6 and choice == 7:
        return chance.choice([text.upper(), ipaddress.ip_address(text).exploded])
    if choice < 10:
        return f"[{text}]" if v6 or chance.random() < 0.1 else text
    if choice < 13:
        port = chance.choice([str(chance.randrange(1, 65536)), _port(chance)])
        return f"[{text}]:{port}" if v6 or chance.random() < 0.1 else f"{text}:{port}"
    if choice == 13:
        if v6:
            return chance.choice([":1:2:3:4:5:6:7:8", "2001:db8:1::7:", "2001:db8:1:2:3:4:5::", "::2:3:4:5:6:7:8"])
        return ".".join(chance.choice([o, o.zfill(3)]) for o in text.split("."))
    return text


def _entry(chance):
    if chance.random() < 0.08:
        return chance.choice(GARBAGE)
    if chance.random() < 0.02:
        return f"{address(chance)} {address(chance)}"
    return _spell(chance, address(chance))


def _node(chance):
    """The `for` of a Forwarded element, quoted where it must be, and sometimes where it need not."""
    choice = chance.randrange(20)
    if choice == 0:
        return chance.choice(["unknown", "_hidden", '"_hidden:_port"', '"unknown:80"', "Unknown"])
    if choice == 1:
        return chance.choice(BAD_NODES)
    node = address(chance)
    port = f":{chance.randrange(65536)}" if chance.random() < 0.3 else ""
    if port and chance.random() < 0.1:
        port = ":_p"
    if ":" in node:
        return f'"[{node}]{port}"'
    if chance.random() < 0.05:
        return '"' + node.replace(".", "\\.") + '"'
    return f'"{node}{port}"' if port or chance.random() < 0.2 else node


def _element(chance):
    pairs = [chance.choice(["for", "For", "FOR"]) + "=" + _node(chance)]
    for _ in range(chance.choice([0, 0, 1, 2])):
        pairs.append(chance.choice(PAIRS))
    if chance.random() < 0.03:
        pairs.append(chance.choice(["for=10.9.9.9", "", "proto", "=x", "proto=", 'host="', "bad name=1"]))
    chance.shuffle(pairs)
    return chance.choice([";", ";", ";", "; ", " ;"]).join(pairs)


def _line(chance, element, most):
    out = ""
    for n in range(chance.randrange(1, most + 1)):
        out += (chance.choice(SEPARATORS) if n else "") + element(chance)
    if chance.random() < 0.02:
        out = chance.choice([",", ", ", ",,"]) + out
    if chance.random() < 0.02:
        out += chance.choice([",", " ,", ",,"])
    return out.strip(" \t") if chance.random() < 0.95 else "\t" + out + " "


def chain(chance, rules: Rules, peer, proxy_source=None) -> Chain:
    element = _element if rules.syntax == "forwarded" else _entry
    if rules.syntax == "single":
        count, most = chance.choice([1] * 8 + [2]), chance.choice([1] * 6 + [2])
    else:
        count, most = chance.choice([0] + [1] * 12 + [2, 2, 3]), chance.choice([1, 2, 3, 3, 4, 6, 12])
    lines = [_line(chance, element, most) for _ in range(count)]
    if lines and chance.random() < 0.02:
        lines[chance.randrange(len(lines))] = chance.choice(["", ",", " "])
    return Chain(peer, tuple(lines), proxy_source)


def peer(chance) -> str:
    """Half of them trusted by `some`."""
    return f"127.0.{chance.choice([1, 9])}.{chance.randrange(1, 255)}"
