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

    def test_a_port_that_is_taken_is_71_and_named(self):
        taken = self.backend().address
        for arguments in (["--listen", taken], ["--listen", "127.0.0.1:0", "--health-listen", taken]):
            done = subprocess.run([binary_path(), "echo", *arguments], capture_output=True, check=False, timeout=DEADLINE, text=True)
            self.assertEqual(done.returncode, OS_ERROR)
            self.assertIn(taken, done.stderr)

    def test_healthz_answers_as_a_node(self):
        with Echo() as echo, Client(echo.sockname) as client:
            response = client.get("/healthz")
            self.assertEqual(response.status, 200)
            self.assertIn("localEndpoints", response.json())


class Demo(ProxyTest):
    """What a newcomer sees. The commands are those that it prints."""

    def demo(self, port):
        demo = Process([binary_path(), "run", "--demo", "--demo-port", str(port)], env=ENVIRONMENT)
        self.addCleanup(demo.kill)
        demo.stdout.wait_line("^Ctrl-C ends")
        return demo

    def commands(self, demo):
        return [line.strip() for line in demo.stdout.lines() if re.match("  (curl|printf) ", line)]

    def type(self, command):
        done = subprocess.run(["sh", "-c", command], capture_output=True, check=False, timeout=DEADLINE, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def end(self, demo):
        demo.send_signal(signal.SIGINT)
        self.assertEqual(demo.wait(), 0)
        self.assertEqual(demo.stdout.lines()[-1], "Ended.")

    def test_each_command_that_it_prints_shows_what_it_says(self):
        demo = self.demo(0)
        plain, forged, proxied, fail = self.commands(demo)
        self.assertIn("CLIENT VALUES:", self.type(plain))
        demo.stdout.wait_line(
            r"^GET / -> 200  127\.0\.0\.1:\d+ connected; the client is 127\.0\.0\.1 \(it is who connected\); "
            r"picked node-[ab] at 127\.0\.0\.1:\d+, which was told: X-Forwarded-For: 127\.0\.0\.1, Forwarded: for=127\.0\.0\.1;"
        )
        told = self.type(forged)
        self.assertIn("x-forwarded-for=127.0.0.1\n", told)
        self.assertNotIn("203.0.113.9", told)
        demo.stdout.wait_line(r'"203\.0\.113\.9" in a header is not believed')
        told = self.type(proxied)
        self.assertIn("x-forwarded-for=198.51.100.79\n", told)
        demo.stdout.wait_line(r"the client is 198\.51\.100\.79 \(its load balancer's PROXY header said so\)")

        def picked_next(count):
            seen = len(demo.stdout.lines())
            for _ in range(count):
                self.type(plain)
            return set(re.findall(r"picked (\S+)", "\n".join(
                demo.stdout.wait_for(lambda lines: len(lines) >= seen + count and lines[seen:], "a line for each"))))

        self.type(fail)
        demo.stderr.wait_line("node-a .*is draining")
        wait_until(lambda: picked_next(4) == {"node-b"}, "node-b to be picked alone")
        self.type(fail.replace("/fail", "/ok"))
        demo.stderr.wait_line("node-a .*is healthy, was draining")
        wait_until(lambda: picked_next(4) == {"node-a", "node-b"}, "both to be picked")
        self.end(demo)

    def test_another_port_when_its_own_is_taken(self):
        taken = self.backend().port
        demo = self.demo(taken)
        self.assertRegex(demo.stdout.lines()[0], rf"^Port {taken} is taken \(.+\); another one then\.$")
        self.assertNotIn(f":{taken}/", demo.stdout.text())
        self.assertIn("CLIENT VALUES:", self.type(self.commands(demo)[0]))
        self.end(demo)

    def test_ctrl_c_lets_a_request_in_flight_finish(self):
        demo = self.demo(0)
        host, port = re.search(r"http://(127\.0\.0\.1):(\d+)/", demo.stdout.text()).groups()
        with Client((host, int(port))) as client:
            client.request("POST", "/late", [("Content-Length", "10"), ("Expect", "100-continue")])
            self.assertEqual(client.read_response_head().status, 100, "the backend has it")
            demo.send_signal(signal.SIGINT)
            demo.stderr.wait_line("ending: requests in flight finish")
            client.send(b"0123456789")
            self.assertEqual(client.read_response().status, 200)
        self.assertEqual(demo.wait(), 0)


if __name__ == "__main__":
    main()
