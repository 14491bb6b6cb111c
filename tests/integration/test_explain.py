"""`telltale explain` and the admin page `/explain`: they say what really happens, because the same code decides."""

import json
import os
import re
import subprocess
import tempfile

from support import HAProxy, ProxyTest, config, curl, http_handler, listener, main, proxy_v1, proxy_v2, service, wait_until
from support.config import to_text
from support.telltale import ENVIRONMENT
from support.waiting import DEADLINE, binary_path

USAGE, CONFIG = 64, 78
REQUIRE, ACCEPT, UNLISTED = "127.0.1.1", "127.0.2.1", "127.0.9.1"
CLIENT_IP = {
    "proxy_protocol": [{"from": ["127.0.1.0/24"], "policy": "require"}, {"from": ["127.0.2.0/24"], "policy": "accept"}],
    "trusted": ["127.0.2.0/24", "192.0.2.7"],
}
HEADERS = [
    ("X-Forwarded-For", "6.6.6.6, 198.51.100.1, 192.0.2.7"),
    ("X-Real-IP", "6.6.6.6"),
    ("X-Forwarded-Proto", "https"),
    ("Accept", "text/html"),
]
V4 = ("198.51.100.79", 52110)
V6 = ("2001:db8::79", 52110)
DESTINATION = {4: ("203.0.113.140", 80), 6: ("2001:db8::140", 80)}

# (what it is, who connects, PROXY header, that header as --proxy-header, fields)
SCENES = [
    ("a client", UNLISTED, b"", None, []),
    ("a client that forges", UNLISTED, b"", None, HEADERS),
    ("a trusted hop", ACCEPT, b"", None, HEADERS),
    ("a trusted hop with garbage", ACCEPT, b"", None, [("X-Forwarded-For", "1.2.3.4, unknown, 192.0.2.7")]),
    ("v1", REQUIRE, proxy_v1(V4), "PROXY TCP4 198.51.100.79 203.0.113.140 52110 80", []),
    ("v2", REQUIRE, proxy_v2(V4), "198.51.100.79:52110 203.0.113.140:80", HEADERS),
    ("v2 over IPv6", REQUIRE, proxy_v2(V6, DESTINATION[6]), "[2001:db8::79]:52110 -> [2001:db8::140]:80", []),
    ("v2 that names a trusted hop", REQUIRE, proxy_v2(("192.0.2.7", 9)), "v2 192.0.2.7:9 203.0.113.140:80", HEADERS),
    ("v2 LOCAL", REQUIRE, proxy_v2(None, command=0), "LOCAL", []),
    ("hexadecimal", REQUIRE, proxy_v2(V4), proxy_v2(V4).hex(), []),
]


def run(*arguments, stdin=None):
    argv = [binary_path(), *arguments]
    return subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=DEADLINE, text=True, env={**os.environ, **ENVIRONMENT})


class Explaining(ProxyTest):
    def explain(self, proxy, source, header, fields, *more, port=5):
        arguments = ["explain", "-c", proxy.file, "--listener", "web", "--peer", f"{source}:{port}", "--host", "test.example"]
        arguments += ["--local", "%s:%d" % proxy.address()]
        arguments += ["--proxy-header", header] if header else []
        for name, value in fields:
            arguments += ["--header", f"{name}: {value}"]
        done = run(*arguments, *more)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def explain_json(self, *arguments, **options):
        return json.loads(self.explain(*arguments, "--json", **options))


class Offline(Explaining):
    PROPAGATES = [
        {},
        {"x_forwarded_for": "replace", "forwarded": {"mode": "append", "parameters": ["for", "by", "host", "proto"], "ports": True}},
        {"x_forwarded_for": "pass", "x_forwarded_proto": True, "x_forwarded_host": True, "x_forwarded_port": True, "x_real_ip": True},
        {"proxy_protocol": "v1", "x_forwarded_for": "remove", "via": False},
        {"proxy_protocol": "v2", "tlvs": ["authority", "alpn", "crc32c"]},
    ]

    def test_it_says_octet_for_octet_what_a_backend_is_really_told(self):
        for propagate in self.PROPAGATES:
            with_proxy = "proxy_protocol" in propagate
            app = self.backend(http_handler(proxy=with_proxy))
            proxy = self.start(config(service(app, propagate=propagate), listeners=[listener(client_ip=CLIENT_IP)]))
            for what, source, octets, written, fields in SCENES:
                with self.subTest(what=what, propagate=propagate):
                    with proxy.client(source=source, first=octets) as client:
                        port = client.local[1]
                        self.assertEqual(client.get("/", fields).status, 200)
                    told = self.explain_json(proxy, source, written, fields, port=port)["told"]
                    real = app.last()
                    self.assertEqual(told["lines"][0], "GET / HTTP/1.1")
                    self.assertEqual(told["lines"][1:], [f"{name}: {value}" for name, value in real.fields])
                    self.assertEqual(told["proxy_header"] and told["proxy_header"]["hex"], real.proxy.raw.hex() if with_proxy else None)
            proxy.stop()

    def test_what_is_closed_is_told_with_the_label_that_counts_it(self):
        proxy = self.start(config(service(self.backend()), listeners=[listener(client_ip=CLIENT_IP)]))
        cases = [
            ("no header", REQUIRE, None, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "plain_http"),
            ("from an unlisted peer", UNLISTED, "LOCAL", proxy_v2(None, command=0), "not_listed"),
            ("malformed", REQUIRE, "PROXY TCP4 nonsense", b"PROXY TCP4 nonsense\r\n", "malformed"),
        ]
        for what, source, written, octets, cause in cases:
            with self.subTest(what=what):
                with proxy.client(source=source, first=octets) as client:
                    self.assertEqual(client.closed_by_peer(), b"")
                self.assertEqual(proxy.metrics().sum("telltale_proxy_protocol_failures_total", cause=cause), 1)
                told = self.explain_json(proxy, source, written, [])
                self.assertEqual((told["outcome"], told["cause"], told["told"]), ("closed", cause, None))
                proxy.log.wait_line(re.escape(told["why"]))  # the log says the same

    def test_text_is_for_people(self):
        proxy = self.start(config(service(self.backend()), listeners=[listener(client_ip=CLIENT_IP)]))
        text = self.explain(proxy, REQUIRE, "192.0.2.7:9", HEADERS)
        for said in (
            r"(?s)client +198\.51\.100\.1 .*hop +192\.0\.2\.7:9 .*peer +127\.0\.1\.1:5 .*telltale",
            r"client_ip\.proxy_protocol\[0\] \(127\.0\.1\.0/24, require\)",
            r"in client_ip\.trusted \(192\.0\.2\.7/32\)",
            r"client: 198\.51\.100\.1, known by header",
            r"(?s)refused:\n.*6\.6\.6\.6\n +left of the client",
            r"X-Real-IP: 6\.6\.6\.6\n +only x-forwarded-for is believed",
            r"(?s)each backend is told:.*X-Forwarded-For: 6\.6\.6\.6, 198\.51\.100\.1, 192\.0\.2\.7, 192\.0\.2\.7\n",
        ):
            self.assertRegex(text, said)

    def file(self, text, mode="w"):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="telltale-test-"))
        path = os.path.join(directory, "file")
        with open(path, mode) as out:
            out.write(text)
        return path

    def test_several_headers_and_headers_from_a_file(self):
        client_ip = {"proxy_protocol": [{"from": ["10.0.0.0/8"], "policy": "require"}], "proxy_header_count": 2}
        path = self.file(to_text(config(service("127.0.0.1:9"), listeners=[listener(client_ip=client_ip)])))
        octets = self.file(proxy_v1(V4), "wb")
        common = ["explain", "-c", path, "--peer", "10.0.0.7", "--json"]
        for arguments in (
            ["--proxy-header", "10.0.0.8:1", "--proxy-header", "198.51.100.79:52110"],
            ["--proxy-header", "10.0.0.8:1", "--proxy-header-file", octets],
        ):
            done = run(*common, *arguments)
            self.assertEqual(done.returncode, 0, done.stderr)
            told = json.loads(done.stdout)
            self.assertEqual(told["client"]["address"], V4[0])
            self.assertEqual(len(told["proxy_headers"]), 2)

    def test_options_that_make_no_sense_are_64(self):
        path = self.file(to_text(config(service("127.0.0.1:9"), listeners=[listener(), listener("other")])))
        common = ["explain", "-c", path, "--listener", "web", "--peer", "10.0.0.7"]
        cases = [
            (["explain", "-c", path, "--peer", "10.0.0.7"], "there are several, say which: web, other"),
            (["explain", "-c", path, "--peer", "10.0.0.7", "--listener", "othr"], "did you mean"),
            (["explain", "-c", path, "--listener", "web"], "--peer"),
            (["explain", "-c", path, "--listener", "web", "--peer", "host.example"], "is neither ADDRESS"),
            ([*common, "--local", "10.0.0.1"], "is not ADDRESS:PORT"),
            ([*common, "--proxy-header", "banana"], "is not an address"),
            ([*common, "--proxy-header-file", "/nonexistent"], "cannot read"),
            ([*common, "--header", "no colon"], "not of the form"),
            ([*common, "--header", "X-A: b\r\nX-Forwarded-For: 1.2.3.4"], "without line breaks"),
            ([*common, "--path", "/a b"], "no blanks"),
            ([*common, "--nonsense"], "--nonsense"),
        ]
        for arguments, said in cases:
            with self.subTest(arguments=arguments):
                done = run(*arguments)
                self.assertEqual((done.returncode, done.stdout), (USAGE, ""))
                self.assertIn(said, done.stderr)

    def test_a_configuration_that_cannot_be_used_is_78(self):
        for path in (self.file("listeners: ["), "/nonexistent.yaml"):
            done = run("explain", "-c", path, "--peer", "10.0.0.7")
            self.assertEqual((done.returncode, done.stdout), (CONFIG, ""))
            self.assertIn("error", done.stderr)


class Live(Explaining):
    def live(self, proxy, path, *arguments):
        return curl(*arguments, "http://%s:%d%s" % (*proxy.admin, path))

    def test_the_id_of_the_access_log_finds_the_request(self):
        app = self.backend()
        proxy = self.start(config(service(app), listeners=[listener(client_ip=CLIENT_IP)]))
        for n in range(5):
            proxy.get(f"/{n}?token=secret", HEADERS + [("Cookie", "secret")], source=ACCEPT)
        record = proxy.wait_access(lambda r: r["target"].startswith("/3"))[0]
        told = self.live(proxy, "/explain/" + record["request_id"], "-H", "Accept: application/json").json()
        self.assertEqual((told["request_id"], told["request"], told["status"]), (record["request_id"], "GET /3", 200))
        self.assertEqual(told["client"]["address"], record["client"])
        self.assertEqual(told["endpoint"], app.address)
        real = app.requests[3].fields
        for name, value in real:
            if name in ("X-Forwarded-For", "X-Forwarded-Proto", "Via"):
                self.assertIn(f"{name}: {value}", told["told"]["lines"])
        offline = self.explain_json(proxy, ACCEPT, None, HEADERS[:3], "--path", "/3", port=int(record["peer"].rsplit(":", 1)[1]))
        for same in ("client", "hops", "refused", "removed", "told", "route", "service", "outcome"):
            self.assertEqual(told[same], offline[same], same)
        self.assertNotIn("secret", json.dumps(told))

    def test_the_last_ones_of_all_workers_newest_first(self):
        proxy = self.start(config(service(self.backend()), workers=3))
        for n in range(30):
            proxy.get(f"/{n}")
            proxy.wait_access(count=n + 1)  # newest is what ended last, and a client has its answer a little before that
        newest = self.live(proxy, "/explain?last=30&format=json").json()
        self.assertEqual([e["request"] for e in newest], [f"GET /{n}" for n in reversed(range(30))])
        self.assertEqual(len(self.live(proxy, "/explain?format=json").json()), 10)
        text = self.live(proxy, "/explain?last=2").body.decode()
        self.assertEqual((text.count("listener web"), text.count("\n----\n")), (2, 1), "curl gets text")

    def test_closed_connections_and_refused_heads(self):
        proxy = self.start(config(service(self.backend()), listeners=[listener(client_ip=CLIENT_IP)], workers=1))
        with proxy.client(source=UNLISTED, first=proxy_v2(V4)) as client:
            client.closed_by_peer()
        with proxy.client(source=UNLISTED) as client:
            client.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
            self.assertEqual(client.read_response().status, 400)
        wait_until(lambda: len(proxy.access_log()) == 1, "the access log")
        refused, closed = self.live(proxy, "/explain?last=2&format=json").json()
        self.assertEqual((closed["outcome"], closed["cause"], closed["told"]), ("closed", "not_listed", None))
        proxy.log.wait_line(re.escape(closed["why"]))
        self.assertEqual((refused["outcome"], refused["status"]), ("answered", 400))

    def test_only_so_many_are_kept_and_none_when_it_is_off(self):
        admin = {"listen": "127.0.0.1:0", "explain_requests": 3}
        proxy = self.start(config(service(self.backend()), workers=1, admin=admin))
        for n in range(10):
            proxy.get(f"/{n}")
        wait_until(lambda: len(proxy.access_log()) == 10, "the access log")
        kept = self.live(proxy, "/explain?last=100&format=json").json()
        self.assertEqual([e["request"] for e in kept], ["GET /9", "GET /8", "GET /7"])
        lost = proxy.access_log()[0]["request_id"]
        self.assertEqual(self.live(proxy, "/explain/" + lost).status, 404)
        off = self.start(config(service(self.backend()), admin={**admin, "explain_requests": 0}))
        self.assertEqual(self.live(off, "/explain").status, 404)

    def test_haproxy_in_front(self):
        client_ip = {"proxy_protocol": [{"from": ["127.0.0.1"], "policy": "require"}], "trusted": ["127.0.0.1"]}
        app = self.backend()
        proxy = self.start(config(service(app), listeners=[listener(client_ip=client_ip)]))
        text = "frontend f\n  bind {bind0}\n  option forwardfor\n  default_backend b\nbackend b\n  server s %s:%d send-proxy-v2\n"
        front = self.enterContext(HAProxy(text % proxy.address()))
        self.assertEqual(curl("-H", "X-Real-IP: 6.6.6.6", f"http://{front.address}/by-haproxy").status, 200)
        record = proxy.wait_access()[0]
        told = self.live(proxy, "/explain/" + record["request_id"] + "?format=json").json()
        self.assertEqual([hop["said_by"] for hop in told["hops"]], ["socket", "PROXY header", "x-forwarded-for"])
        self.assertIn("X-Forwarded-For: " + app.last().header("x-forwarded-for"), told["told"]["lines"])
        self.assertEqual([field["name"].lower() for field in told["removed"]], ["x-real-ip", "x-forwarded-for"])
        page = self.live(proxy, "/explain/" + record["request_id"]).body.decode()
        self.assertRegex(page, r"client_ip\.proxy_protocol\[0\] \(127\.0\.0\.1/32, require\)")


if __name__ == "__main__":
    main()
