"""Every row of the table in protocol/forwarding/README.md, "What becomes of a header that is wrong": its outcome, what
counts it, what the log says and what `telltale explain` and `/explain` say are what really happens."""

import os
import pathlib
import re
import struct
import subprocess
import tempfile
import time

from support import ProxyTest, assertion, config, curl, listener, main, proxy_v1, proxy_v2, service, wait_until
from support.messages import chunks
from support.proxy_header import INET, LOCAL, PROXY, SIGNATURE, proxy_v2_raw
from support.telltale import ENVIRONMENT
from support.waiting import DEADLINE, binary_path

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOST = "test.example"

# Where each policy holds.
REQUIRE, TRUSTED, IGNORE, ONLY_V1, ONLY_V2, STRANGER = (f"127.0.{n}.1" for n in (1, 2, 3, 4, 5, 9))
RULES = [
    {"from": ["127.0.1.0/24"], "policy": "require"},
    {"from": ["127.0.3.0/24"], "policy": "ignore"},
    {"from": ["127.0.4.0/24"], "policy": "require", "version": "v1"},
    {"from": ["127.0.5.0/24"], "policy": "require", "version": "v2"},
]
CLIENT = ("198.51.100.79", 52110)
ADDRESSES = struct.pack("!4s4sHH", bytes([198, 51, 100, 79]), bytes([203, 0, 113, 140]), 52110, 80)
GET = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
TLS = bytes.fromhex("16030100c8010000c40303") + bytes(50)
KEY, FOREIGN = assertion.new_key(), assertion.new_key()


def v1(line):
    return b"PROXY " + line + b"\r\n"


def v2(command=PROXY, family=INET << 4 | 1, addresses=ADDRESSES, **raw):
    return proxy_v2_raw(command, family, addresses, **raw)


def signed(client="198.51.100.7:1", host=HOST, key=KEY, key_id="edge", at=None):
    return "X-Telltale-Client", assertion.sign(key_id, key, client, host, at=at)


def xff(value):
    return "X-Forwarded-For", value


class Case:
    """One thing that comes, and who the client is then. `header`: the believed one. `ends`: what the client does after
    `first` instead of a request: "silent" waits, "half" closes its side, "close" goes."""

    def __init__(self, fields=(), *, source=TRUSTED, header="x-forwarded-for", first=b"", client=None, ends=None, trailers=()):
        self.fields, self.source, self.header, self.first, self.ends = list(fields), source, header, first, ends
        self.client, self.trailers = client or source, trailers


def closes(first, source=REQUIRE, **how):
    return Case(first=first, source=source, **how)


def in_tlv(*texts, kind=0xE4, source=REQUIRE, client=CLIENT[0]):
    """Assertions in the TLVs of a PROXY header that is believed."""
    tlvs = [(kind, text.encode()) for text in texts]
    return Case(source=source, first=proxy_v2(CLIENT, tlvs=tlvs), client=client)


# The first cell of each row -> what comes. Everything else is read from the row.
CASES = {
    "the header, from a hop that is not in `trusted`": [Case([xff("6.6.6.6")], source=STRANGER)],
    "any other header that claims an identity, but `X-Forwarded-{Proto,Host,Port}` beside the believed one": [Case([("X-Real-IP", "6.6.6.6"), ("Forwarded", "for=6.6.6.6")])],
    "the name of such a header with `_` for `-`": [Case([("X_Forwarded_For", "6.6.6.6")])],
    "such a header in a trailer": [Case(trailers=[("X-Forwarded-For", "6.6.6.6"), ("X_Real_IP", "6.6.6.6")])],
    "an empty header; empty entries": [Case([xff("")]), Case([xff(" , ,")])],
    "anything left of the first untrusted address": [
        Case([xff("garbage, 198.51.100.7")], client="198.51.100.7"),
        Case([("Forwarded", "for=6.6.6.6, for=198.51.100.7")], header="forwarded", client="198.51.100.7"),
    ],
    "an open quote or a backslash in there": [
        Case([("Forwarded", 'for="6.6.6.6\\, for=198.51.100.7')], header="forwarded", client="198.51.100.7"),
        Case([xff('"6.6.6.6, 198.51.100.7')], client="198.51.100.7"),
    ],
    "an entry that is no address (`unknown`, `_id`, a name, a zone, `010.0.0.1`)": [
        Case([xff(f"198.51.100.7, {bad}")])
        for bad in ("unknown", "_id", "host.example", "fe80::1%eth0", "010.0.0.1", "0x7f.1", "10.0.0.300", "1.2.3.4:99999")
    ],
    "a `Forwarded` element without `for`, or whose `for` is no address": [
        Case([("Forwarded", f"for=198.51.100.7, {bad}")], header="forwarded")
        for bad in ("proto=http", "for=unknown", 'for="_id"', 'for="[::1"')
    ],
    "a `Forwarded` element against the grammar, or with a parameter twice": [
        Case([("Forwarded", f"for=198.51.100.7, {bad}")], header="forwarded")
        for bad in ("for=1.1.1.1;for=2.2.2.2", "for 1.1.1.1", "for=", "for=[2001:db8::7]", 'for="1.1.1.1')
    ],
    "a single-address header that holds no address, or more than one": [
        Case([("CF-Connecting-IP", bad)], header="cf-connecting-ip") for bad in ("garbage", "", "1.1.1.1, 2.2.2.2")
    ],
    "a single-address header on two lines": [
        Case([("CF-Connecting-IP", "198.51.100.7")] * 2, header="cf-connecting-ip"),
    ],
    "more than 64 entries, or 8 KiB": [
        Case([xff(", ".join(["127.0.2.9"] * 65))]),
        Case([xff("1" * 8193)]),
        Case([("Forwarded", ", ".join(["for=127.0.2.9"] * 65))], header="forwarded"),
    ],
    "`Connection` that nominates an identity header": [
        Case([("Connection", "close, x-forwarded-for")], source=STRANGER),
        Case([("Connection", "X_Real_IP")]),
    ],
    "no PROXY header where one is required: plain HTTP": [closes(GET)],
    "no PROXY header where one is required: a TLS ClientHello": [closes(TLS)],
    "no PROXY header where one is required: anything else": [closes(b"SSH-2.0-x\r\n")],
    "no PROXY header where one is required: no octet, then a close (a bare probe)": [closes(b"", ends="close")],
    "no octet, or half a PROXY header, until `proxy_header_timeout`": [
        closes(b"PROXY TCP4 198.51", ends="silent"), closes(SIGNATURE, ends="silent"), closes(b"", ends="silent")],
    "half a PROXY header, then a close": [closes(SIGNATURE, ends="half")],
    "a PROXY header from a peer without a rule, or with `forbid`": [
        closes(proxy_v2(CLIENT) + GET, STRANGER), closes(proxy_v1(CLIENT) + GET, TRUSTED)],
    "a PROXY header beyond `proxy_header_count`, or reported by a hop without a rule": [
        closes(proxy_v1(CLIENT) * 2 + GET), closes(proxy_v2(CLIENT) + proxy_v1(CLIENT) + GET)],
    "PROXY v1 where the rule allows only v2": [closes(proxy_v1(CLIENT) + GET, ONLY_V2)],
    "PROXY v2 where the rule allows only v1": [closes(proxy_v2(CLIENT) + GET, ONLY_V1)],
    "PROXY v1: not TCP4, TCP6 or UNKNOWN; not one space apart; not ended by CRLF": [
        closes(octets + GET) for octets in (
            v1(b"UDP4 198.51.100.3 203.0.113.1 1 2"), v1(b"TCP4  198.51.100.3 203.0.113.1 1 2"), v1(b"TCP4"),
            b"PROXY TCP4 198.51.100.3 203.0.113.1 1 2\n")],
    "PROXY v1: no CRLF in 107 octets": [closes(v1(b"UNKNOWN " + b"x" * 200) + GET)],
    "PROXY v1: what is no address or port, or of the other family": [
        closes(v1(line) + GET) for line in (
            b"TCP4 198.51.100.300 203.0.113.1 1 2", b"TCP4 198.051.100.3 203.0.113.1 1 2",
            b"TCP4 2001:db8::1 2001:db8::2 1 2", b"TCP4 198.51.100.3 203.0.113.1 65536 2",
            b"TCP4 198.51.100.3 203.0.113.1 +1 2")],
    "PROXY v2: another version": [closes(v2(version=3) + GET)],
    "PROXY v2: a command other than LOCAL and PROXY": [closes(v2(2) + GET)],
    "PROXY v2: an unassigned family or transport": [closes(v2(family=0x41) + GET), closes(v2(family=INET << 4 | 3) + GET)],
    "PROXY v2: shorter than its family": [closes(v2(addresses=ADDRESSES[:11]) + GET)],
    "PROXY v2: longer than `proxy_max_header_bytes`": [closes(proxy_v2(CLIENT, tlvs=[(4, bytes(5000))]) + GET)],
    "PROXY v2: a TLV that runs past the end; a checksum of other than 4 octets, or two; a unique ID over 128; an SSL TLV that is none": [
        closes(v2(addresses=ADDRESSES + b"\x02\x00\x10abc") + GET),
        closes(v2(addresses=ADDRESSES + b"\x02\x00") + GET),
        *(closes(proxy_v2(CLIENT, tlvs=tlvs) + GET) for tlvs in (
            [(3, b"\1\2\3")], [(5, bytes(129))], [(0x20, b"\1\0\0\0")], [(0x20, b"\1\0\0\0\0\x22\0\x05name"), (2, b"h")]))],
    "PROXY v2: a wrong checksum": [closes(proxy_v2(CLIENT, tlvs=[(3, b"\1\2\3\4")]) + GET)],
    "a PROXY header under `policy: ignore`": [Case(source=IGNORE, first=proxy_v2(CLIENT))],
    "PROXY v2: LOCAL, with TLVs that cannot be read": [
        Case(source=REQUIRE, first=v2(LOCAL, addresses=ADDRESSES + b"\x02\x00\x10abc"))],
    "PROXY v2: a TLV of a cloud's type that has not its form (a link ID of 5 octets)": [
        Case(source=REQUIRE, first=proxy_v2(CLIENT, tlvs=[(0xEE, b"\1\2\3\4\5\6")]), client=CLIENT[0])],
    "PROXY v2: a TLV twice; the nearest hop's first one counts": [
        Case(source=REQUIRE, first=proxy_v2(CLIENT, tlvs=[(2, b"first.example"), (2, b"second.example")]), client=CLIENT[0])],
    "an assertion: malformed, or two of them": [
        Case([("X-Telltale-Client", "198.51.100.7")], source=STRANGER), Case([signed()] * 2, source=STRANGER),
        Case([("X-Telltale-Client", signed()[1] + "=")], source=STRANGER),
        in_tlv("198.51.100.7"), in_tlv(signed()[1], signed()[1]), in_tlv(signed()[1] + "="), in_tlv("")],
    "an assertion: by a key that has none of our ids": [
        Case([signed(key_id="else", key=FOREIGN)], source=STRANGER), in_tlv(signed(key_id="else", key=FOREIGN)[1])],
    "an assertion: a signature that does not fit": [
        Case([signed(key=FOREIGN)], source=STRANGER),
        Case([("X-Telltale-Client", signed()[1].replace("198.51.100.7", "198.51.100.8"))], source=STRANGER),
        in_tlv(signed(key=FOREIGN)[1]), in_tlv(signed()[1].replace("198.51.100.7", "198.51.100.8"))],
    "an assertion: for another host": [
        Case([signed(host="evil.example")], source=STRANGER), in_tlv(signed(host="evil.example")[1])],
    "an assertion: older than `max_age`": [
        Case([signed(at=time.time() - 3600)], source=STRANGER), in_tlv(signed(at=time.time() - 3600)[1])],
    "an assertion: from the future by more than `clock_skew`": [
        Case([signed(at=time.time() + 3600)], source=STRANGER), in_tlv(signed(at=time.time() + 3600)[1])],
    "an assertion: where `client_ip.assertion` is not set; in a TLV, where its `tlv` is not that type, or under `policy: ignore`": [
        Case([signed()], source=STRANGER, header="no assertion"),
        in_tlv(signed()[1], kind=0xE5), in_tlv(signed()[1], source=IGNORE, client=IGNORE)],
}  # fmt: skip

METRICS = {"reason": "telltale_client_header_refusals_total", "cause": "telltale_proxy_protocol_failures_total",
           "verdict": "telltale_client_assertions_total"}  # fmt: skip


class Row:
    def __init__(self, cells):
        self.what, self.outcome, counted, self.log, self.explain = cells
        labels = dict(re.findall(r'(\w+)="(\w+)"', counted))
        self.counted = [(METRICS[next(iter(labels))], labels)] if labels else []
        if "telltale_bad_requests_total" in counted:
            self.counted.append(("telltale_bad_requests_total", {}))


def documented_rows():
    text = (ROOT / "protocol/forwarding/README.md").read_text()
    section = text.split("## What becomes of a header that is wrong\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| what came")]
    return [Row([cell.strip() for cell in line.strip("|").split(" | ")]) for line in lines]


ROWS = documented_rows()


class BadInput(ProxyTest):
    @classmethod
    def setUpClass(cls):
        cls.app = cls.class_backend()
        directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="telltale-test-"))
        keys = os.path.join(directory, "keys")
        assertion.write_keys(keys, assertion.key_line("edge", KEY))
        listeners = []
        # Each case has a listener of its own: the log has a line for each listener and cause in a while.
        for name, case, on_invalid in cls.all_cases():
            client_ip = {"trusted": ["127.0.2.0/24"], "proxy_protocol": RULES, "on_invalid": on_invalid,
                         "proxy_header_timeout": "1s" if case.ends == "silent" else "5m"}  # fmt: skip
            if case.header == "no assertion":
                client_ip["trusted"] = []
            else:
                client_ip |= {"header": case.header, "assertion": {"key_file": keys, "tlv": "0xE4"}}
            listeners.append(listener(name, client_ip=client_ip))
        cls.proxy = cls.class_start(config(service(cls.app, propagate={"x_real_ip": True}), listeners=listeners, workers=1))

    @staticmethod
    def all_cases():
        for n, cases in enumerate(CASES.values()):
            for k, case in enumerate(cases):
                yield f"row{n}-{k}", case, "stop"
                yield f"row{n}-{k}-reject", case, "reject"

    def test_every_row_has_a_case_and_every_case_a_row(self):
        self.assertEqual([row.what for row in ROWS], list(CASES))

    def test_every_row_is_true(self):
        for n, (row, cases) in enumerate(zip(ROWS, CASES.values())):
            for k, case in enumerate(cases):
                with self.subTest(row.what, case=k):
                    outcome = row.outcome.split(";")[0]
                    self.check(row, case, f"row{n}-{k}", outcome)
                    if "`on_invalid: reject`" in row.outcome:
                        self.check(row, case, f"row{n}-{k}-reject", "400")

    def check(self, row, case, name, outcome):
        before = len(self.proxy.access_log()), len(self.app.requests)
        self.assertEqual(self.counts(row, name), [0] * len(row.counted))
        record = self.close(case, name) if outcome == "close" else self.serve(case, name, outcome, before[0])
        self.assertEqual(len(self.app.requests) - before[1], int(outcome in ("drop", "stop")), "requests at the backend")
        if row.counted:
            wait_until(lambda: self.counts(row, name) == [1] * len(row.counted), f"counted as {row.counted}")
        else:
            self.assertEqual(self.failures(name), 0, "nothing is counted")
        self.check_log(row, name, record)
        self.check_explain(row, case, name, record)

    def counts(self, row, name):
        metrics = self.proxy.metrics()
        return [metrics.sum(metric, listener=name, **labels) for metric, labels in row.counted]

    def failures(self, name):
        metrics = self.proxy.metrics()
        counted = [*METRICS.values(), "telltale_bad_requests_total"]
        return sum(metrics.sum(metric, listener=name) for metric in counted)

    def serve(self, case, name, outcome, records):
        """A request; its record in the access log. A backend that gets it is told who the client is, and only once."""
        with self.proxy.client(name, source=case.source, first=case.first) as client:
            if case.trailers:
                client.request("POST", "/", [*case.fields, ("Transfer-Encoding", "chunked")])
                client.send(chunks(b"body", case.trailers))
            else:
                client.request("GET", "/", case.fields)
            status = client.read_response().status
        self.assertEqual(status, 400 if outcome == "400" else 200)
        record = self.proxy.wait_access(count=records + 1)[-1]
        if outcome != "400":
            told = self.app.last()
            self.assertEqual((told.header("x-real-ip"), record["client"]), (case.client, case.client))
            self.assertNotIn("6.6.6.6", [v for n, v in told.fields if n.lower() != "x-forwarded-for"])
            self.assertEqual(told.trailers.names() if told.trailers else [], [])
        return record

    def close(self, case, name):
        with self.proxy.client(name, source=case.source) as client:
            if case.ends == "close":
                return None
            try:
                client.send(case.first)
                if case.ends == "half":
                    client.finish()
            except ConnectionError:
                pass
            self.assertEqual(client.closed_by_peer(), b"")
        return None

    def check_log(self, row, name, record):
        told = dict(part.strip("`").split(": ", 1) for part in row.log.split("; ") if part != "–")
        if "line" in told:
            self.proxy.log.wait_line(rf"listener {name}: .*{re.escape(told['line'])}")
        else:
            self.assertNotIn(f"listener {name}: ", self.proxy.log.text())
        if record is None:
            return
        for field in ("client_refused", "failure"):
            if field in told:
                self.assertTrue((record[field] or "").startswith(told[field]), record[field])
        if "client_refused" not in told:
            self.assertIsNone(record["client_refused"])
        if row.outcome in ("drop", "stop"):
            self.assertIsNone(record["failure"])

    def check_explain(self, row, case, name, record):
        said, _, where = row.explain.strip("`").partition("` ")
        if said == "–":
            return
        if where != "(live)":
            self.assertIn(said, self.explain(case, name))
        if where != "(offline)":
            path = f"/explain/{record['request_id']}" if record else "/explain?last=1"
            self.assertIn(said, curl("http://%s:%d%s" % (*self.proxy.admin, path)).body.decode())

    def explain(self, case, name):
        arguments = ["explain", "-c", self.proxy.file, "--listener", name, "--peer", case.source + ":5", "--host", HOST]
        if case.first and case.first not in (GET, TLS, b"SSH-2.0-x\r\n"):
            arguments += ["--proxy-header", "0x" + case.first.removesuffix(GET).hex()]
        elif case.first not in (GET, b""):
            arguments += ["--proxy-header", "0x" + case.first.hex()]
        for field in case.fields:
            arguments += ["--header", ": ".join(field)]
        done = subprocess.run([binary_path(), *arguments], capture_output=True, check=False, text=True, timeout=DEADLINE,
                              env={**os.environ, **ENVIRONMENT})  # fmt: skip
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout


if __name__ == "__main__":
    main()
