"""The signed assertion: made, believed, refused, rotated; from one Telltale to the next, and against Python's hmac."""

import json
import os
import re
import time

from support import config, curl, http_handler, listener, main, proxy_v2, service
from support import assertion
from support.assertion_case import FOREIGN, HOST, KEY, OLD, AssertionTest

TLV = 0xE4


class Signing(AssertionTest):
    def test_every_request_is_signed_for_its_client_and_host(self):
        app = self.backend()
        proxy = self.start(config(service(app, propagate={"assertion": {"key_file": self.keys}})))
        for source, host in (("127.0.0.1", "test.example"), ("127.7.7.7", "Shop.Example:8080")):
            with proxy.client(source=source) as client:
                for _ in range(2):
                    client.get(host=host)
                    said = assertion.verify(app.last().header("x-telltale-client"), "new", KEY)
                    self.assertEqual((said.client, said.authority), (f"{source}:{client.local[1]}", host.lower()))

    def test_a_clients_own_is_removed(self):
        app = self.backend()
        mine = assertion.sign("new", KEY, "198.51.100.7:1", HOST)
        names = ("X-Telltale-Client", "x-telltale-client", "X_Telltale_Client")
        signing = self.start(config(service(app, propagate={"assertion": {"key_file": self.keys}})))
        plain = self.start(config(service(app)))
        for name in names:
            signing.get(fields=[(name, mine)])
            values = [v for n, v in app.last().fields if n.lower().replace("_", "-") == "x-telltale-client"]
            self.assertEqual(len(values), 1)
            self.assertIn(";c=127.0.0.1:", values[0])
            plain.get(fields=[(name, mine)])
            self.assertNotIn("telltale-client", str(app.last().fields).lower().replace("_", "-"))

    def test_it_goes_into_the_proxy_header(self):
        """Each authority has a connection of its own: what was signed for one is not told of another."""
        app = self.backend(http_handler(proxy=True))
        told = {"proxy_protocol": "v2", "assertion": {"key_file": self.keys, "header": False, "tlv": "0xE4"}}
        proxy = self.start(config(service(app, propagate=told), workers=1))
        with proxy.client() as client:
            for host in ("a.example", "b.example", "a.example"):
                client.get(host=host)
                request = app.last()
                self.assertIsNone(request.header("x-telltale-client"))
                said = assertion.verify(dict(request.proxy.tlvs)[TLV].decode(), "new", KEY)
                self.assertEqual((said.client, said.authority), (f"127.0.0.1:{client.local[1]}", host))
        self.assertEqual(len(app.connections), 2)


class Believing(AssertionTest):
    def seen(self, app, proxy, *fields, **options):
        """(client, provenance) as the access log has them, and what the backend was told."""
        response, record = self.logged(proxy, *fields, **options)
        return response.status, record["client"], record["provenance"], app.last().header("x-forwarded-for")

    def test_it_is_believed_from_anywhere(self):
        app = self.backend()
        proxy = self.believing(service(app))
        for key_id, key in (("new", KEY), ("old", OLD)):
            for client in ("198.51.100.7:52110", "[2001:db8::7]:443"):
                text = assertion.sign(key_id, key, client, HOST)
                address = client.rpartition(":")[0].strip("[]")
                self.assertEqual(self.seen(app, proxy, ("X-Telltale-Client", text), source="127.9.9.9"),
                                 (200, address, "assertion", f"{address}, 127.9.9.9"))
        self.assertIsNone(app.last().header("x-telltale-client"))

    def test_it_is_above_proxy_and_header(self):
        app = self.backend()
        proxy = self.believing(service(app), trusted=["127.0.0.0/8", "192.0.2.1"],
                               proxy_protocol=[{"from": ["127.0.0.0/8"], "policy": "accept"}])
        text = assertion.sign("new", KEY, "198.51.100.7:1", HOST)
        fields = (("X-Forwarded-For", "203.0.113.66"), ("X-Telltale-Client", text))
        self.assertEqual(self.seen(app, proxy, *fields)[:3], (200, "198.51.100.7", "assertion"))
        first = proxy_v2(("192.0.2.1", 1), ("203.0.113.1", 80))
        self.assertEqual(self.seen(app, proxy, *fields, first=first),
                         (200, "198.51.100.7", "assertion", "198.51.100.7, 192.0.2.1"))
        self.assertEqual(self.seen(app, proxy, fields[0], first=first)[:3], (200, "203.0.113.66", "header"))

    def test_a_header_that_is_rejected_is_so_beside_a_valid_one(self):
        app = self.backend()
        proxy = self.believing(service(app), trusted=["127.0.0.0/8"], on_invalid="reject")
        valid = ("X-Telltale-Client", assertion.sign("new", KEY, "198.51.100.7:1", HOST))
        self.assertEqual(proxy.get(fields=[valid, ("X-Forwarded-For", "203.0.113.66")]).status, 200)
        self.assertEqual(proxy.get(fields=[valid, ("X-Forwarded-For", "garbage")]).status, 400)
        proxy.wait_access(count=2)
        forged = ("X-Telltale-Client", "garbage")
        self.assertEqual(self.seen(app, proxy, forged, ("X-Forwarded-For", "203.0.113.66"))[:3],
                         (200, "203.0.113.66", "header"))

    def test_what_is_wrong_is_dropped_and_counted(self):
        app = self.backend()
        proxy = self.believing(service(app))
        good = assertion.sign("new", KEY, "198.51.100.7:1", HOST)
        now, begun = time.time(), time.monotonic()
        cases = {
            "malformed": [good + "x", "198.51.100.7", ""],
            "bad_signature": [good.replace("198.51.100.7", "198.51.100.8"),
                              assertion.sign("new", FOREIGN, "198.51.100.7:1", HOST)],
            "unknown_key": [assertion.sign("else", FOREIGN, "198.51.100.7:1", HOST)],
            "other_authority": [assertion.sign("new", KEY, "198.51.100.7:1", "evil.example")],
            "expired": [assertion.sign("new", KEY, "198.51.100.7:1", HOST, at=now - 3600)],
            "not_yet_valid": [assertion.sign("new", KEY, "198.51.100.7:1", HOST, at=now + 3600)],
        }
        for verdict, texts in cases.items():
            for text in texts:
                with self.subTest(verdict, text=text):
                    self.assertEqual(self.seen(app, proxy, ("X-Telltale-Client", text), source="127.5.5.5"),
                                     (200, "127.5.5.5", "socket", "127.5.5.5"))
            with self.subTest("told", verdict=verdict):
                self.assertEqual(proxy.access_log()[-1]["client_refused"], f"assertion_{verdict}")
                line = rf"listener web: a signed assertion from 127\.5\.5\.5:\d+ dropped: .* \(verdict {verdict}\)"
                proxy.log.wait_line(line)
                lines, windows = len(re.findall(line, proxy.log.text())), 1 + (time.monotonic() - begun) // 10
                self.assertLessEqual(lines, windows, "one line for each in 10 s")
        with self.subTest("two lines"):
            fields = [("X-Telltale-Client", good)] * 2
            self.assertEqual(self.seen(app, proxy, *fields)[:3], (200, "127.0.0.1", "socket"))
        self.assertNotIn("198.51.100", proxy.log.text(), "nothing of it is in the log")
        metrics = proxy.metrics()
        counted = {v: metrics.sum("telltale_client_assertions_total", listener="web", verdict=v) for v in cases}
        self.assertEqual(counted, {**{v: len(texts) for v, texts in cases.items()}, "malformed": 4})

    def test_explain_says_what_became_of_it(self):
        """Live, of the request that was; offline, by the same keys."""
        app = self.backend()
        proxy = self.believing(service(app))
        good = assertion.sign("new", KEY, "198.51.100.7:1", HOST)
        other = assertion.sign("new", KEY, "198.51.100.7:1", "evil.example")
        foreign = self.key_file("foreign.keys", assertion.key_line("new", FOREIGN))
        for text, provenance, said, by_foreign in ((good, "assertion", None, "does not fit"),
                                                   (other, "socket", "for another host", "does not fit")):
            with self.subTest(provenance):
                before = len(proxy.access_log())
                proxy.get(fields=[("X-Telltale-Client", text)])
                record = proxy.wait_access(count=before + 1)[-1]
                self.assertEqual(record["provenance"], provenance)
                live = curl("http://%s:%d/explain/%s?format=json" % (*proxy.admin, record["request_id"])).json()
                offline = self.explain(proxy, text)
                for told in (live, offline):
                    self.assertEqual(told["client"]["provenance"], provenance)
                    self.assertEqual([(f["name"], said in f["why"]) for f in told["refused"]],
                                     [("X-Telltale-Client", True)] if said else [])
                self.assertNotIn(text, json.dumps(live))
                told = self.explain(proxy, text, "--assertion-keys", foreign)
                self.assertIn(by_foreign, told["refused"][0]["why"])
                told = self.explain(proxy, text, "--now", "1000000000")
                self.assertEqual(told["client"]["provenance"], "socket")
        os.rename(self.keys, self.keys + ".away")
        told = self.explain(proxy, good)
        self.assertIn("was not judged: key file", told["notes"][0])
        for arguments in (["--assertion-keys", self.keys], ["--now", "yesterday"]):
            done = self.run_telltale("explain", "-c", proxy.file, "--peer", "10.0.0.7", *arguments)
            self.assertEqual(done.returncode, 64, done.stderr)
        plain = self.start(config(service(app)))
        done = self.run_telltale("explain", "-c", plain.file, "--peer", "10.0.0.7", "--assertion-keys", foreign)
        self.assertEqual(done.returncode, 64)
        self.assertIn("believes no assertion", done.stderr)

    def explain(self, proxy, text, *arguments):
        done = self.run_telltale("explain", "-c", proxy.file, "--peer", "127.0.0.1:5", "--host", HOST, "--json",
                                 "--header", f"X-Telltale-Client: {text}", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_from_one_to_the_next(self):
        """The inner one trusts nobody but the signature."""
        app = self.backend()
        inner = self.believing(service(app, propagate={"x_forwarded_for": "replace"}))
        outer = self.start(config(service("{}:{}".format(*inner.address()),
                                          propagate={"assertion": {"key_file": self.keys}})))
        for source in ("127.1.2.3", "127.3.2.1"):
            outer.get(source=source, fields=[("X-Forwarded-For", "9.9.9.9")])
            self.assertEqual(app.last().header("x-forwarded-for"), source)
        inner.get(source="127.4.4.4", fields=[("X-Forwarded-For", "9.9.9.9")])
        self.assertEqual(app.last().header("x-forwarded-for"), "127.4.4.4")
        self.assertEqual(inner.metrics().sum("telltale_client_assertions_total", verdict="valid"), 2)


class Keys(AssertionTest):
    def test_they_are_rotated_while_it_runs(self):
        app = self.backend()
        proxy = self.start(config(service(app, propagate={"assertion": {"key_file": self.keys}}),
                                  listeners=[listener(client_ip={"assertion": {"key_file": self.keys}})]))
        newest = assertion.new_key()

        def signed_with():
            proxy.get()
            return app.last().header("x-telltale-client").split(";")[1]

        def provenance(key_id, key):
            said = assertion.sign(key_id, key, "198.51.100.7:1", HOST)
            return self.logged(proxy, ("X-Telltale-Client", said))[1]["provenance"]

        self.assertEqual(signed_with(), "kid=new")
        self.key_file("edge.keys", assertion.key_line("newest", newest), assertion.key_line("new", KEY))
        # It is said when both workers have them: each gets some of the connections.
        proxy.log.wait_line(r"edge\.keys: read again, keys newest, new")
        for _ in range(8):
            self.assertEqual(signed_with(), "kid=newest")
            assertion.verify(app.last().header("x-telltale-client"), "newest", newest)
            self.assertEqual([provenance("old", OLD), provenance("new", KEY), provenance("newest", newest)],
                             ["socket", "assertion", "assertion"])

        self.key_file("edge.keys", "newest tooshort\n")
        proxy.log.wait_line(r"line 1: the key is not base64 of 32 to 64 octets.*the keys it had stay in use")
        self.assertEqual(signed_with(), "kid=newest")
        text = proxy.log.text()
        for secret in ("tooshort", assertion.key_line("newest", newest).split()[1]):
            self.assertNotIn(secret, text)

    def test_a_start_needs_them(self):
        file = os.path.join(self.directory, "telltale.yaml")
        cases = [
            ("missing", os.path.join(self.directory, "none.keys"), "No such file or directory"),
            ("wrong", self.key_file("wrong.keys", "a b\n"), "line 1: the key is not base64"),
        ]
        for what, path, why in cases:
            with self.subTest(what):
                with open(file, "w", encoding="utf-8") as out:
                    out.write(f"listeners: [{{ listen: '127.0.0.1:0', service: app }}]\nadmin: off\n"
                              f"services: [{{ name: app, endpoints: ['127.0.0.1:9'],\n"
                              f"             propagate: {{ assertion: {{ key_file: '{path}' }} }} }}]\n")
                for command, expected in (("run", 78), ("check", 2)):
                    done = self.run_telltale(command, "-c", file)
                    self.assertEqual(done.returncode, expected, done.stderr)
                    self.assertIn(why, done.stderr)
        self.assertIn("error: services[0].propagate.assertion.key_file: key file", done.stderr)

    def test_everybodys_reading_is_warned_about(self):
        self.key_file("edge.keys", assertion.key_line("new", KEY), mode=0o644)
        proxy = self.start(config(service(self.backend(), propagate={"assertion": {"key_file": self.keys}})))
        self.assertRegex(proxy.log.text(), r"edge\.keys: everybody on this machine may read it")
        done = self.run_telltale("check", "--strict", "-c", proxy.file)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("warning: services[0].propagate.assertion.key_file: everybody on this machine", done.stderr)


class Verify(AssertionTest):
    def verify(self, *arguments):
        done = self.run_telltale("verify", *arguments)
        return done.returncode, done.stdout, done.stderr

    def test_exit_statuses(self):
        now = time.time()
        good = assertion.sign("new", KEY, "198.51.100.7:52110", HOST, at=now)
        keys = ["--key-file", self.keys]
        cases = [
            (0, "valid", [*keys, good]),
            (0, "valid", [*keys, "--authority", "TEST.example", good]),
            (0, "valid", [*keys, "--now", str(int(now) + 1000), "--max-age", "20m", good]),
            (1, "expired", [*keys, "--now", str(int(now) + 1000), good]),
            (1, "not_yet_valid", [*keys, "--now", str(int(now) - 1000), good]),
            (0, "valid", [*keys, "--now", str(int(now) - 1000), "--clock-skew", "20m", good]),
            (1, "other_authority", [*keys, "--authority", "evil.example", good]),
            (1, "bad_signature", [*keys, good.replace("198", "199")]),
            (1, "malformed", [*keys, good + ";"]),
            (1, "not checked", [good]),
        ]
        for status, verdict, arguments in cases:
            with self.subTest(arguments=arguments):
                code, out, err = self.verify(*arguments)
                self.assertEqual((code, err), (status, ""))
                self.assertIn(f"verdict:   {verdict}", out)
        for arguments in ([], [*keys], [*keys, "--max-age", "long", good], [*keys, "--now", "yesterday", good],
                          ["--key-file", self.keys + ".none", good], ["--unknown", good]):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.verify(*arguments)[0], 64)

    def test_a_request_on_the_wire(self):
        app = self.backend()
        proxy = self.start(config(service(app, propagate={"assertion": {"key_file": self.keys}})))
        proxy.get(source="127.8.8.8")
        code, out, _ = self.verify("--key-file", self.keys, "--authority", HOST, app.last().header("x-telltale-client"))
        self.assertEqual(code, 0, out)
        self.assertRegex(out, r"client:    127\.8\.8\.8:\d+\n")


if __name__ == "__main__":
    main()
