"""Thousands of random chains through nginx, HAProxy and Telltale: who the client is must be the same, unless one of the
explained deviations in ../README.md makes the difference. The seed is printed when it fails; TELLTALE_SEED sets it."""

import collections
import ipaddress
import os
import random
import unittest

import readings
from contenders import FIELDS, Contenders, ask, proxy_header
from readings import Chain, Reading
from support import main
from support.waiting import SANITIZER

import chains as generator

SEED = int(os.environ.get("TELLTALE_SEED", random.SystemRandom().randrange(1 << 32)))
CONNECTIONS = 10 if SANITIZER else 80  # for each set of rules
REQUESTS = 30  # on each
MAPPED = "the mapped spelling is kept"

DEVIATIONS = {
    "nginx": collections.defaultdict(lambda: readings.NGINX, single=readings.NGINX_SINGLE),
    "haproxy": collections.defaultdict(
        lambda: readings.HAPROXY,
        second=readings.HAPROXY_SECOND,
        single=readings.HAPROXY_SINGLE,
        forwarded=readings.HAPROXY_FORWARDED,
        proxy=readings.HAPROXY_PROXY,
        layers=readings.HAPROXY_PROXY,
    ),
}

# One chain for each deviation, so that each is seen to be there still: rules, contenders, peer, lines (, PROXY source).
NINE, TRUSTED_PEER, STRANGER = "198.51.100.9", "127.0.1.1", "127.0.9.1"
EXAMPLES = [
    ("walk-some", "space separates", [f"{NINE} 10.0.0.1"]),
    ("walk-some", "tab is no white space", [f"{NINE},\t10.0.0.1"]),
    ("walk-some", "an empty element in front ends the walk", [NINE, ", 10.0.0.1"]),
    ("walk-some", "loose IPv4", [f"{NINE}, 10.0..1"]),
    ("walk-some", "255.255.255.255 is no address", ["255.255.255.255"]),
    ("walk-some", "loose IPv6", ["2001:db8::7:"]),
    ("walk-some", "port 0 is none", [f"{NINE}:0"]),
    ("walk-some", "any number of zeros in a port", [f"{NINE}:0000080"]),
    ("walk-some", "brackets want a port", ["[2001:db8::7]"]),
    ("walk-some", "IPv4 in brackets", [f"[{NINE}]:80"]),
    ("walk-some", "the list is not bounded", [", ".join([NINE] + ["10.0.0.1"] * 64)]),
    ("walk-some", "the list is not bounded", [NINE + "," * 8192]),
    ("walk-some", MAPPED, [f"::ffff:{NINE}"]),
    ("walk-some", "quotes hide commas", [f'", {NINE}']),
    ("walk-some", "empty elements count", [f"{NINE}, , 10.0.0.1"]),
    ("walk-some", "leading zeros in IPv4", ["198.051.100.009"]),
    ("walk-some", "brackets are not read", ["[2001:db8::7]"]),
    ("walk-some", "port -0", [f"{NINE}:-0"]),
    ("walk-some", "6to4 and IPv4-compatible are IPv4", [f"{NINE}, 2002:a00:1::7"]),
    ("walk-some", "the last ten only", [", ".join([NINE] + ["10.0.0.1"] * 10)]),
    ("second", "no other entry is looked at", [f"{NINE}, garbage"]),
    ("single", "the first of several lines is taken", [NINE, "198.51.100.8"]),
    ("single", "the last of several lines is taken", [NINE, "198.51.100.8"]),
    ("single", "a single address is a list", [f"198.51.100.8, {NINE}"]),
    ("forwarded", "for is picked out by a pattern", [f"for={NINE};for=_x"]),
    ("proxy", "PROXY is believed from anybody", []),
]


class Chains(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.contenders = cls.enterClassContext(Contenders(generator.RULES))

    def setUp(self):
        self.seen = collections.Counter()  # (contender, deviation)
        self.asked, self.unexplained = 0, []

    def compare(self, name, chains, first=b""):
        """Asks everybody. Telltale must read by the rules; the others by the rules and their deviations."""
        rules = generator.RULES[name]
        for contender, where in self.contenders.where.items():
            if name not in where:
                continue
            for chain, said in zip(chains, ask(where[name], chains, FIELDS[rules.syntax], first)):
                self.asked += 1
                self.judge(contender, name, rules, chain, said)

    def judge(self, contender, name, rules, chain, said):
        expected = Reading().client(chain, rules)
        answer = said if said == readings.REFUSED else str(readings.plain(ipaddress.ip_address(said)))
        if answer == expected and answer == said:
            return
        if contender != "telltale":
            needed = readings.explain(chain, rules, DEVIATIONS[contender][name], answer)
            if needed is not None:
                mapped = {MAPPED} if answer != said else set()
                self.seen.update((contender, deviation) for deviation in needed | mapped)
                return
        self.unexplained.append(f"{contender}, {name}: {said}, not {expected}, for {chain}")

    def finish(self):
        if self.unexplained:
            shown = "\n".join(self.unexplained[:20])
            self.fail(f"{len(self.unexplained)} unexplained (TELLTALE_SEED={SEED}):\n{shown}")

    def test_random_chains(self):
        chance = random.Random(SEED)
        for name, rules in generator.RULES.items():
            for _ in range(CONNECTIONS):
                peer, first, source = generator.peer(chance), b"", None
                if rules.believes_proxy_from:
                    source = generator.address(chance) if chance.random() < 0.9 else None
                    first = proxy_header(source, chance.choice(["v1", "v2", "tlvs"]))
                chains = [generator.chain(chance, rules, peer, source) for _ in range(REQUESTS)]
                self.compare(name, chains, first)
        print(f"{self.asked} answers, seed {SEED}; differences by class:")
        for (contender, deviation), count in sorted(self.seen.items()):
            print(f"  {contender:8} {count:6}  {deviation}")
        self.finish()

    def test_every_deviation_is_still_there(self):
        for name, deviation, lines in EXAMPLES:
            proxied = bool(generator.RULES[name].believes_proxy_from)
            peer, source = (STRANGER, NINE) if proxied else (TRUSTED_PEER, None)
            first = proxy_header(source, "v1") if proxied else b""
            before = {d: self.count(d) for _, d, _ in EXAMPLES}
            self.compare(name, [Chain(peer, tuple(lines), source)], first)
            if self.count(deviation) == before[deviation]:
                self.unexplained.append(f"nobody differs by: {deviation}")
        self.finish()
        wanted = {(who, d) for who, by_rules in DEVIATIONS.items() for d in {MAPPED}.union(*all_of(by_rules))}
        self.assertEqual(set(self.seen), wanted)

    def count(self, deviation) -> int:
        return sum(n for (_, d), n in self.seen.items() if d == deviation)


def all_of(by_rules) -> list:
    return [by_rules.default_factory(), *by_rules.values()]


if __name__ == "__main__":
    main()
