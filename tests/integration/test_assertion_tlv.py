"""The signed assertion in a TLV of a PROXY v2 header: believed for the connection that it opened."""

import json
import time

from support import config, curl, main, proxy_v2, service, wait_until
from support import assertion
from support.assertion_case import FOREIGN, HOST, KEY, OLD, AssertionTest

TLV = 0xE4


class BelievingTlvs(AssertionTest):
    """What a PROXY v2 header brings, for each request of its connection."""

    REPORTED = ("192.0.2.9", 9)  # who the PROXY header says is the client

    def looking(self, *services, **assertion_options):
        rules = [{"from": ["127.0.0.0/8"], "policy": "require"}]
        options = {"key_file": self.keys, "tlv": f"0x{TLV:X}", **assertion_options}
        return self.believing(*services, proxy_protocol=rules, assertion=options)

    def first(self, text):
        return proxy_v2(self.REPORTED, tlvs=[(TLV, text.encode())])

    def one(self, proxy, client, *fields, **options):
        """(client, provenance, why an assertion was refused) of a request on a connection that is there."""
        target = f"/{next(self.numbers)}"
        self.assertEqual(client.get(target, fields, **options).status, 200)
        record = proxy.wait_access(lambda record: record["target"] == target)[0]
        return record["client"], record["provenance"], record["client_refused"]

    def verdicts(self, proxy):
        return {labels["verdict"]: count for name, labels, count in proxy.metrics().samples
                if name == "telltale_client_assertions_total" and count}  # fmt: skip

    def test_a_connection_may_live_longer_than_max_age(self):
        proxy = self.looking(service(self.backend()), max_age="6s")
        signed_at = int(time.time())
        first = self.first(assertion.sign("new", KEY, "198.51.100.7:1", HOST, at=signed_at))
        believed = ("198.51.100.7", "assertion", None)
        with proxy.client(first=first) as client:
            self.assertEqual(self.one(proxy, client), believed)
            wait_until(lambda: time.time() >= signed_at + 8, "the assertion is too old")
            with proxy.client(first=first) as late:
                for _ in range(2):
                    self.assertEqual(self.one(proxy, late), ("192.0.2.9", "proxy_protocol", "assertion_expired"))
            self.assertEqual(self.one(proxy, client), believed)
        self.assertEqual(self.verdicts(proxy), {"valid": 2, "expired": 2})

    def test_what_is_wrong_is_dropped_and_told(self):
        proxy = self.looking(service(self.backend()))
        now = time.time()
        good = assertion.sign("new", KEY, "198.51.100.7:1", HOST)
        cases = {
            "malformed": "198.51.100.7",
            "bad_signature": good.replace("198.51.100.7", "198.51.100.8"),
            "unknown_key": assertion.sign("else", FOREIGN, "198.51.100.7:1", HOST),
            "other_authority": assertion.sign("new", KEY, "198.51.100.7:1", "evil.example"),
            "expired": assertion.sign("new", KEY, "198.51.100.7:1", HOST, at=now - 3600),
            "not_yet_valid": assertion.sign("new", KEY, "198.51.100.7:1", HOST, at=now + 3600),
        }
        for verdict, text in cases.items():
            with self.subTest(verdict), proxy.client(first=self.first(text), source="127.5.5.5") as client:
                self.assertEqual(self.one(proxy, client), ("192.0.2.9", "proxy_protocol", f"assertion_{verdict}"))
                line = proxy.log.wait_line(rf"a signed assertion from 127\.5\.5\.5:\d+ dropped \(PROXY TLV 0xE4\): .*"
                                           rf"\(verdict {verdict}\)")
                self.assertTrue(line)
                for told in self.explained(proxy, proxy.access_log()[-1]["request_id"], self.first(text)):
                    self.assertEqual(told["client"]["provenance"], "proxy_protocol")
                    self.assertEqual([refused["name"] for refused in told["refused"]], ["PROXY TLV 0xE4"])
        self.assertNotIn("198.51.100", proxy.log.text(), "nothing of it is in the log")
        self.assertEqual(self.verdicts(proxy), dict.fromkeys(cases, 1))

    def explained(self, proxy, request_id, first):
        """Live, and offline."""
        yield curl("http://%s:%d/explain/%s?format=json" % (*proxy.admin, request_id)).json()
        done = self.run_telltale("explain", "-c", proxy.file, "--peer", "127.0.0.1:5", "--host", HOST, "--json",
                                 "--proxy-header", "0x" + first.hex())
        self.assertEqual(done.returncode, 0, done.stderr)
        yield json.loads(done.stdout)

    def test_it_is_for_one_host(self):
        proxy = self.looking(service(self.backend()))
        first = self.first(assertion.sign("new", KEY, "198.51.100.7:1", "a.example"))
        with proxy.client(first=first) as client:
            believed, dropped = ("198.51.100.7", "assertion", None), ("192.0.2.9", "proxy_protocol", "assertion_other_authority")
            for host, seen in (("a.example", believed), ("b.example", dropped), ("a.example", believed)):
                self.assertEqual(self.one(proxy, client, host=host), seen)

    def test_the_head_comes_first(self):
        proxy = self.looking(service(self.backend()))
        text = assertion.sign("new", KEY, "198.51.100.7:1", HOST)
        with proxy.client(first=self.first(text)) as client:
            for value, seen in ((assertion.sign("new", KEY, "198.51.100.99:1", HOST), ("198.51.100.99", "assertion", None)),
                                ("garbage", ("198.51.100.7", "assertion", "assertion_malformed"))):
                self.assertEqual(self.one(proxy, client, ("X-Telltale-Client", value)), seen)
            record = proxy.access_log()[-1]
            told = curl("http://%s:%d/explain/%s?format=json" % (*proxy.admin, record["request_id"])).json()
            self.assertEqual(told["client"]["address"], "198.51.100.7")
            self.assertEqual([refused["name"] for refused in told["refused"]], ["X-Telltale-Client"])
            self.assertNotIn(text, json.dumps(told))
        self.assertEqual(self.verdicts(proxy), {"valid": 2, "malformed": 1})

    def test_a_key_that_is_removed_is_believed_no_more(self):
        proxy = self.looking(service(self.backend()))
        with proxy.client(first=self.first(assertion.sign("old", OLD, "198.51.100.7:1", HOST))) as client:
            self.assertEqual(self.one(proxy, client)[1], "assertion")
            self.key_file("edge.keys", assertion.key_line("new", KEY))
            proxy.log.wait_line(r"edge\.keys: read again, keys? new")
            self.assertEqual(self.one(proxy, client), ("192.0.2.9", "proxy_protocol", "assertion_unknown_key"))

    def test_from_one_to_the_next(self):
        """The outer one signs when it connects. The inner one is told the client once, and believes it as long as the
        connection is used."""
        app = self.backend()
        inner = self.looking(service(app), max_age="6s")
        told = {"proxy_protocol": "v2", "assertion": {"key_file": self.keys, "header": False, "tlv": f"0x{TLV:X}"}}
        outer = self.start(config(service("{}:{}".format(*inner.address()), propagate=told), workers=1))
        with outer.client(source="127.1.2.3") as client:
            began = time.time()

            def both_hosts():
                for host in ("a.example", "b.example"):
                    client.get(host=host, fields=[("X-Telltale-Client", "garbage"), ("X-Forwarded-For", "9.9.9.9")])
                    self.assertEqual(app.last().header("x-forwarded-for"), "127.1.2.3")

            both_hosts()
            wait_until(lambda: time.time() >= began + 9, "what was signed is too old")
            both_hosts()
        seen = {(record["client"], record["provenance"]) for record in inner.wait_access(count=4)}
        self.assertEqual(seen, {("127.1.2.3", "assertion")})
        self.assertEqual(self.verdicts(inner), {"valid": 4})
        self.assertEqual(outer.metrics().sum("telltale_upstream_connections_opened_total"), 2)


if __name__ == "__main__":
    main()
