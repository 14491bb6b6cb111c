"""The command line: exit statuses, diagnostics, and the commands that need no configuration."""

import json
import os
import re
import signal
import subprocess
import tempfile

from support import Client, Echo, ProxyTest, curl, main, proxy_v1, proxy_v2, wait_until
from support.process import Process
from support.telltale import ENVIRONMENT
from support.waiting import DEADLINE, binary_path

OK, WARNINGS, ERRORS, USAGE, OS_ERROR, CONFIG = 0, 1, 2, 64, 71, 78

GOOD = """listeners: [{ listen: "127.0.0.1:0", service: shop }]
services:
  - name: shop
    endpoints: ["127.0.0.1:9"]
admin: off
"""
BROKEN = """listeners:
  - name: web
    lisen: "127.0.0.1:0"
    listen: "127.0.0.1:99999"
    service: shopp
services:
  - name: shop
    external_traffic_policy: locale
    nodes:
      - { name: node-a, address: 10.0.0.300 }
    health: { interval: fast }
"""


class CommandLine(ProxyTest):
    def run_telltale(self, *arguments, **environment):
        argv = [binary_path(), *arguments]
        done = subprocess.run(
            argv, capture_output=True, check=False, timeout=DEADLINE, text=True, env={**os.environ, **ENVIRONMENT, **environment}
        )
        self.assertNotRegex(done.stderr, r"ERROR: \w+Sanitizer|runtime error:")
        return done

    def file(self, text):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="telltale-test-"))
        path = os.path.join(directory, "telltale.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def check(self, text, *arguments, **environment):
        return self.run_telltale("check", "-c", self.file(text), *arguments, **environment)

    # check

    def test_a_good_file_is_0(self):
        done = self.check(GOOD)
        self.assertEqual((done.returncode, done.stderr), (OK, done.stderr))

    def test_every_error_is_told_with_its_place(self):
        done = self.check(BROKEN)
        text = done.stdout + done.stderr
        self.assertEqual(done.returncode, ERRORS)
        for line, what in [(3, "lisen"), (4, "99999"), (5, "shopp"), (8, "locale"), (10, "10.0.0.300"), (11, "fast")]:
            self.assertRegex(text, rf"telltale\.yaml:{line}:\d+: error: .*", f"line {line}: {what}")
            self.assertIn(what, text)
        self.assertEqual(len(re.findall(r"telltale\.yaml:\d+:\d+: error: ", text)), 6)
        self.assertIn("services[0].nodes[0].address", text)
        self.assertIn("listen", re.search("did you mean.*", text, re.I)[0])
        self.assertGreaterEqual(text.count("^"), 6, "a caret for each")

    def test_yaml_that_is_none(self):
        for text in ("listeners: [", "\t- x", "a: b: c", "just text", ""):
            with self.subTest(text=text):
                done = self.check(text)
                self.assertEqual(done.returncode, ERRORS)
                self.assertIn("error", done.stdout + done.stderr)

    def test_missing_file(self):
        done = self.run_telltale("check", "-c", "/nonexistent/telltale.yaml")
        self.assertEqual(done.returncode, ERRORS)
        self.assertIn("/nonexistent/telltale.yaml", done.stdout + done.stderr)

    def test_warnings_count_under_strict(self):
        risky = GOOD.replace("service: shop }", 'service: shop, client_ip: { trusted: ["0.0.0.0/0"] } }')
        plain, strict = self.check(risky), self.check(risky, "--strict")
        self.assertEqual((plain.returncode, strict.returncode), (OK, WARNINGS))
        self.assertIn("warning", plain.stdout + plain.stderr)

    def test_environment_is_expanded(self):
        text = GOOD.replace("127.0.0.1:9", "${TEST_ADDRESS}").replace("name: shop", "name: ${TEST_NAME:-shop}")
        self.assertEqual(self.check(text, TEST_ADDRESS="127.0.0.1:9").returncode, OK)
        self.assertEqual(self.check(text, TEST_ADDRESS="nonsense:x:y").returncode, ERRORS)
        self.assertEqual(self.check(text).returncode, ERRORS, "not set, and no default")

    def test_expand_prints_what_it_understood(self):
        done = self.check(GOOD, "--expand")
        self.assertEqual(done.returncode, OK)
        self.assertIn("shop", done.stdout)

    def test_hostile_files_end_in_diagnostics(self):
        for text in ["a" * 100_000, "[" * 5000, "&a [*a]", "x: &a [1,2]\ny: *a\n", "\x00\x01", "listeners: " + "- " * 3000]:
            with self.subTest(text=text[:20]):
                self.assertEqual(self.check(text).returncode, ERRORS)

    # run

    def test_run_with_a_bad_file_is_78(self):
        done = self.run_telltale("run", "-c", self.file(BROKEN))
        self.assertEqual(done.returncode, CONFIG)
        self.assertRegex(done.stderr, r"telltale\.yaml:10:\d+: error: ")

    def test_run_without_its_file_is_78(self):
        self.assertEqual(self.run_telltale("run", "-c", "/nonexistent.yaml").returncode, CONFIG)

    def test_run_on_a_port_that_is_taken_is_71(self):
        backend = self.backend()
        done = self.run_telltale("run", "-c", self.file(GOOD.replace("127.0.0.1:0", backend.address)))
        self.assertEqual(done.returncode, OS_ERROR)
        self.assertIn(backend.address, done.stderr)

    def test_bad_usage_is_64(self):
        for arguments in (["nonsense"], ["run", "--nonsense"], ["check", "-c"], [], ["echo", "--listen", "nonsense"]):
            with self.subTest(arguments=arguments):
                done = self.run_telltale(*arguments)
                self.assertEqual(done.returncode, USAGE)
                self.assertTrue(done.stderr)

    # schema, version, help

    def test_schema_is_json_that_names_every_field(self):
        done = self.run_telltale("schema")
        self.assertEqual(done.returncode, OK)
        schema = json.loads(done.stdout)
        self.assertIn("2020-12", schema["$schema"])
        self.assertLessEqual({"listeners", "services", "workers", "admin", "drain"}, set(schema["properties"]))
        for field in ("external_traffic_policy", "trusted_hops", "proxy_header_timeout", "max_idle_identities"):
            self.assertIn(f'"{field}"', done.stdout)

    def test_version_and_help(self):
        for arguments in (["version"], ["--version"]):
            done = self.run_telltale(*arguments)
            self.assertEqual(done.returncode, OK)
            self.assertRegex(done.stdout, r"\d+\.\d+\.\d+")
        for arguments in (["help"], ["--help"], ["run", "--help"]):
            done = self.run_telltale(*arguments)
            self.assertEqual(done.returncode, OK)
            self.assertIn("run", done.stdout)


class EchoCommand(ProxyTest):
    def test_text_reads_like_echoserver_1_4(self):
        with Echo() as echo:
            host, port = echo.sockname
            result = curl(f"http://{host}:{port}/a/b?c=d", "-H", "X-Own: 1")
        lines = result.body.decode().splitlines()
        self.assertEqual(lines[0], "CLIENT VALUES:")
        for line in ("client_address=127.0.0.1", "command=GET", "request_version=1.1", "x-own=1", "accept=*/*",
                     f"host={host}:{port}", "SERVER VALUES:", "HEADERS RECEIVED:", "BODY:", "-no body in request-"):  # fmt: skip
            self.assertIn(line, lines)
        self.assertRegex(result.body.decode(), r"real path=/a/b")
        self.assertRegex(result.body.decode(), r"server_version=telltale \d+\.\d+\.\d+")
        self.assertNotIn("PROXY PROTOCOL:", lines)
        order = [lines.index(t) for t in ("CLIENT VALUES:", "SERVER VALUES:", "HEADERS RECEIVED:", "BODY:")]
        self.assertEqual(order, sorted(order))

    def test_json(self):
        with Echo() as echo, Client(echo.sockname) as client:
            fields = [("Accept", "application/json"), ("X-Two", "a"), ("X-Two", "b")]
            told = client.get("/a?b=c", fields, method="POST", body=b"hello").json()
            self.assertEqual((told["client_address"], told["client_port"]), ("127.0.0.1", client.local[1]))
            self.assertEqual((told["method"], told["path"], told["query"], told["version"]), ("POST", "/a", "b=c", "1.1"))
            self.assertEqual(told["headers"]["x-two"], ["a", "b"])
            self.assertIsNone(told["proxy_protocol"])
            self.assertEqual(told["body"], "hello")

    def test_proxy_header_is_shown(self):
        for first, version in [(proxy_v1(("198.51.100.79", 52110)), 1), (proxy_v2(("198.51.100.79", 52110), crc=True), 2)]:
            with Echo("--proxy-protocol") as echo:
                with Client(echo.sockname, first=first) as client:
                    text = client.get("/").body.decode()
                    told = client.get("/", [("Accept", "application/json")]).json()
            self.assertIn(f"version={version} command=PROXY source=198.51.100.79:52110 destination=203.0.113.140:80", text)
            self.assertIn("client_address=127.0.0.1", text, "the socket's peer: that is the point of the tutorial")
            header = told["proxy_protocol"]
            self.assertEqual((header["version"], header["command"], header["source"]), (version, "PROXY", "198.51.100.79:52110"))

    def test_required_proxy_header(self):
        with Echo("--proxy-protocol=require") as echo, Client(echo.sockname) as client:
            client.request("GET", "/")
            self.assertFalse(client.closed_by_peer().startswith(b"HTTP/1.1 200"))

    def test_healthz_answers_as_a_node(self):
        with Echo() as echo, Client(echo.sockname) as client:
            response = client.get("/healthz")
            self.assertEqual(response.status, 200)
            self.assertIn("localEndpoints", response.json())


class Demo(ProxyTest):
    def test_run_demo_end_to_end(self):
        demo = Process([binary_path(), "run", "--demo"], env=ENVIRONMENT)
        try:
            demo.stderr.wait_line(r'(^|[\s"])ready\b')
            everything = lambda: demo.stdout.text() + "\n" + demo.stderr.text()  # noqa: E731
            url = wait_until(lambda: re.search(r"http://127\.0\.0\.1:\d+", everything()), "a URL to try")[0]
            told = curl(url + "/tutorial").body.decode()
            self.assertIn("CLIENT VALUES:", told)
            self.assertIn("real path=/tutorial", told)
            forged = curl("-H", "X-Forwarded-For: 9.9.9.9", url + "/forged").body.decode()
            self.assertNotIn("9.9.9.9", forged)
            self.assertIn("127.0.0.1", forged)
            self.assertRegex(everything(), r"curl .*X-Forwarded-For", "it prints what to try")
            wait_until(lambda: "/forged" in everything(), "a line for the request")
            demo.send_signal(signal.SIGINT)
            self.assertEqual(demo.wait(), 0)
        finally:
            demo.kill()


if __name__ == "__main__":
    main()
