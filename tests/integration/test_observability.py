"""What can be seen from outside: the access log, the log, and the admin server's pages."""

import json
import os
import pathlib
import re
import signal
import tempfile

from support import Client, ProxyTest, config, curl, http_handler, listener, local_node, main, respond, service, wait_until
from support.backend import describe

FIELDS = """time request_id client client_port provenance peer listener route service node endpoint method host target
protocol status bytes_received bytes_sent duration_ms connect_ms response_ms tries reused user_agent failure_side
failure_phase failure client_refused reason ended_by""".split()


class AccessLog(ProxyTest):
    def setUp(self):
        self.app = self.backend()
        routes = [{"match": {"path": "/fixed"}, "respond": {"body": "x"}, "name": "fixed"}, {"service": "app", "name": "rest"}]
        self.conf = config(service(self.app), listeners=[listener(routes=routes)], workers=1)

    def test_one_json_line_with_every_field_for_each_request(self):
        proxy = self.start(self.conf)
        with proxy.client(source="127.0.0.9") as client:
            port = client.local[1]
            client.get("/a?b=c", [("User-Agent", "test/1")], method="POST", body=b"12345", host="Shop.example:81")
            client.get("/again")
            client.get("/fixed")
        first, second, fixed = proxy.wait_access(count=3)
        for record in (first, second, fixed):
            self.assertEqual(list(record), FIELDS)
            self.assertRegex(record["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")
            self.assertRegex(record["request_id"], "^[0-9a-f]{32}$")
            self.assertEqual((record["client"], record["client_port"]), ("127.0.0.9", port))
            self.assertEqual((record["provenance"], record["peer"]), ("socket", f"127.0.0.9:{port}"))
            self.assertEqual((record["listener"], record["protocol"]), ("web", "HTTP/1.1"))
            self.assertIsNone(record["failure"])
            self.assertIsNone(record["failure_side"])
            self.assertGreaterEqual(record["duration_ms"], 0)
        self.assertEqual((first["method"], first["target"], first["status"]), ("POST", "/a?b=c", 200))
        self.assertEqual(first["host"].lower(), "shop.example:81")
        self.assertEqual((first["route"], first["service"], first["endpoint"]), ("rest", "app", self.app.address))
        self.assertEqual(first["bytes_received"], 5)
        self.assertEqual(first["user_agent"], "test/1")
        self.assertEqual((first["tries"], first["reused"], second["reused"]), (1, False, True))
        self.assertGreater(first["bytes_sent"], 100)
        self.assertGreater(first["connect_ms"], 0)
        self.assertIsNone(second["connect_ms"], "a pooled connection")
        self.assertEqual((fixed["route"], fixed["service"], fixed["endpoint"]), ("fixed", None, None))
        self.assertEqual(len({r["request_id"] for r in (first, second, fixed)}), 3)

    def test_every_field_is_documented_in_order(self):
        text = (pathlib.Path(__file__).resolve().parents[2] / "conf/README.md").read_text()
        section = text.split("## The access log\n")[1].split("\n## ")[0]
        rows = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]
        self.assertEqual(re.findall(r"`(\w+)`", " ".join(rows)), [*FIELDS, "tls", "tlvs"])

    def test_refused_requests_are_logged_with_their_failure(self):
        proxy = self.start(self.conf)
        with proxy.client() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: h\r\nBad Field: x\r\n\r\n")
            client.closed_by_peer()
        record = proxy.wait_access()[0]
        self.assertEqual((record["status"], record["failure_side"], record["failure_phase"]), (400, "downstream", "request_head"))
        self.assertTrue(record["failure"])

    def test_text_template(self):
        conf = {**self.conf, "access_log": {"format": "text", "text": '${client} "${method} ${target}" ${status} ${service}|${failure}'}}
        proxy = self.start(conf)
        proxy.get("/x%20y")
        proxy.get("/fixed")
        proxy.output.wait_line("/x%20y")
        proxy.output.wait_line("/fixed")
        self.assertEqual(proxy.output.lines(), ['127.0.0.1 "GET /x%20y" 200 app|-', '127.0.0.1 "GET /fixed" 200 -|-'])

    def test_nothing_when_it_is_off(self):
        proxy = self.start({**self.conf, "access_log": "off"})
        proxy.get("/")
        proxy.stop()
        self.assertEqual(proxy.output.lines(), [])

    def test_file_and_its_rotation(self):
        proxy_file = os.path.join(self.enterContext(temporary()), "access.log")
        proxy = self.start({**self.conf, "access_log": {"format": "json", "file": proxy_file}})
        proxy.get("/before")
        wait_until(lambda: targets(proxy_file) == ["/before"], "the record in the file")
        os.rename(proxy_file, proxy_file + ".1")
        proxy.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: os.path.exists(proxy_file), "the new file")
        wait_until(lambda: proxy.get("/after") and "/after" in targets(proxy_file), "a record in the new file")
        self.assertEqual(proxy.output.lines(), [])

    def test_log_injection(self):
        """Whatever a client sends, a record is one line and its fields are what was sent."""
        proxy = self.start(self.conf)
        agent = 'x"}\\u000a{"client": "9.9.9.9"}\ty'
        for fields in ([("User-Agent", agent)], [("User-Agent", "\xff\xfe\xc3\xa9 \x80")], [("User-Agent", "a" * 5000)]):
            proxy.get("/inject?a=%0a%0d%22'", fields)
        records = proxy.wait_access(count=3)
        self.assertEqual(records[0]["user_agent"], agent)
        self.assertEqual({r["target"] for r in records}, {"/inject?a=%0a%0d%22'"})
        self.assertEqual({r["client"] for r in records}, {"127.0.0.1"})

    def test_log_injection_into_text(self):
        conf = {**self.conf, "access_log": {"format": "text", "text": '"${user_agent}" ${client}'}}
        proxy = self.start(conf)
        proxy.get("/", [("User-Agent", '" 9.9.9.9 "')])
        line = proxy.output.wait_line("127.0.0.1").string
        self.assertNotIn('"" 9.9.9.9', line)
        self.assertEqual(len(re.findall(r'(?<!\\)"', line)), 2)

    def test_octets_of_refused_requests_stay_out_of_the_logs(self):
        proxy = self.start(self.conf)
        with proxy.client() as client:
            client.send(b"GET /\x1b[31m\nFORGED LINE HTTP/1.1\r\n\r\n")
            client.closed_by_peer()
        proxy.get("/fence")
        proxy.wait_access(lambda r: r["target"] == "/fence")
        everything = proxy.log.text() + proxy.output.text()
        self.assertNotIn("\x1b", everything)
        self.assertFalse(any(line.startswith("FORGED") for line in everything.splitlines()))


def temporary():
    return tempfile.TemporaryDirectory(prefix="telltale-test-")


def targets(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line)["target"] for line in lines]


class Log(ProxyTest):
    def test_json_lines(self):
        proxy = self.start(config(service(self.backend()), log={"format": "json", "level": "debug"}))
        proxy.get("/")
        proxy.stop()
        for line in proxy.log.lines():
            self.assertIsInstance(json.loads(line), dict)

    def test_no_colours(self):
        noisy = self.start(config(service(self.backend()), log={"level": "debug"}))
        noisy.get("/")
        self.assertFalse([line for line in noisy.log.lines() if "\x1b" in line], "no colours into a pipe")


class Admin(ProxyTest):
    @classmethod
    def setUpClass(cls):
        cls.app = cls.class_backend(http_handler(cls.answer))
        node = local_node("node-a", cls.app, cls.app, zone="z1")
        services = [service(cls.app), service(name="nodes", nodes=[node], external_traffic_policy="local")]
        listeners = [listener(), listener("nodes", service="nodes")]
        cls.proxy = cls.class_start(config(*services, listeners=listeners))

    @staticmethod
    def answer(request):
        return respond(404, "no") if request.target == "/404" else describe(request)

    def test_pages(self):
        for path, status, kind in [
            ("/livez", 200, "text/plain"),
            ("/healthz", 200, "text/plain"),
            ("/readyz", 200, "text/plain"),
            ("/metrics", 200, "text/plain; version=0.0.4"),
            ("/services", 200, "application/json"),
            ("/", 200, "text/html"),
            ("/nothing", 404, "text/plain"),
        ]:
            with self.subTest(path=path):
                response = self.proxy.ask_admin(path)
                self.assertEqual(response.status, status)
                self.assertTrue(response.header("content-type").startswith(kind))
                head = self.proxy.ask_admin(path, "HEAD")
                self.assertEqual((head.status, head.body), (status, b""))

    def test_nothing_but_get_and_head(self):
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            self.assertEqual(self.proxy.ask_admin("/livez", method).status, 405)

    def test_by_curl(self):
        host, port = self.proxy.admin
        self.assertEqual(curl(f"http://{host}:{port}/readyz").status, 200)
        self.assertIn(b"telltale_requests_total", curl(f"http://{host}:{port}/metrics").body)

    def test_a_name_that_points_at_us_is_refused(self):
        """DNS rebinding: a page in a browser reaches loopback under a name of its own."""
        with Client(self.proxy.admin) as client:
            self.assertEqual(client.get("/services", host="evil.example").status, 421)

    def test_big_requests_are_refused(self):
        with Client(self.proxy.admin) as client:
            client.request("GET", "/livez", [("X", "a" * 100_000)], host="localhost")
            response = client.response_or_close()
            self.assertIn(response and response.status, (None, 431, 400))

    def test_admin_is_on_loopback_and_not_on_the_listeners(self):
        self.assertEqual(self.proxy.admin[0], "127.0.0.1")
        told = self.proxy.get("/metrics").json()
        self.assertEqual(told["target"], "/metrics", "a listener's paths all belong to its routes")

    def test_services_page(self):
        services = self.proxy.services()
        self.assertEqual(services["app"]["external_traffic_policy"], "cluster")
        endpoint = services["app"]["endpoints"][0]
        self.assertEqual((endpoint["address"], endpoint["node"], endpoint["state"]), (self.app.address, None, "healthy"))
        node = services["nodes"]["nodes"][0]
        self.assertEqual((node["name"], node["address"], node["zone"]), ("node-a", "127.0.0.1", "z1"))
        self.assertEqual(services["nodes"]["external_traffic_policy"], "local")
        self.assertEqual(services["nodes"]["endpoints"][0]["node"], "node-a")

    def test_requests_are_counted_by_service_and_class(self):
        def count(code_class):
            return self.proxy.metrics().sum("telltale_requests_total", service="app", code_class=code_class)

        ok, missing = count("2xx"), count("4xx")
        for _ in range(5):
            self.proxy.get("/")
        self.proxy.get("/404")
        wait_until(lambda: (count("2xx"), count("4xx")) == (ok + 5, missing + 1), "the counters")

    def test_histograms_are_whole(self):
        self.proxy.get("/")
        metrics = self.proxy.metrics()
        name = "telltale_request_duration_seconds"
        buckets = [(s[1]["le"], s[2]) for s in metrics.samples if s[0] == name + "_bucket" and s[1]["service"] == "app"]
        self.assertEqual(buckets[-1][0], "+Inf")
        self.assertEqual([b[1] for b in buckets], sorted(b[1] for b in buckets), "cumulative")
        self.assertEqual(buckets[-1][1], metrics.sum(name + "_count", service="app"))
        self.assertGreater(metrics.sum(name + "_sum", service="app"), 0)

    def test_every_family_has_its_type_and_help_and_no_sample_is_repeated(self):
        metrics = self.proxy.metrics()
        types = re.findall(r"^# TYPE (\S+) (counter|gauge|histogram)$", metrics.text, re.M)
        helps = re.findall(r"^# HELP (\S+) ", metrics.text, re.M)
        self.assertEqual([name for name, _ in types], helps)
        self.assertEqual(len(types), len(dict(types)))
        for name in metrics.names():
            self.assertTrue(name in dict(types) or re.sub("_(bucket|sum|count)$", "", name) in dict(types), name)
        series = [(name, tuple(sorted(labels.items()))) for name, labels, _ in metrics.samples]
        self.assertEqual(len(series), len(set(series)))

    def test_connections_and_pool_are_shown(self):
        with self.proxy.client() as client:
            client.get("/")
            metrics = self.proxy.metrics()
            self.assertGreaterEqual(metrics.sum("telltale_listener_connections_active", listener="web"), 1)
            idle = lambda: self.proxy.metrics().sum("telltale_upstream_connections_idle", service="app")  # noqa: E731
            wait_until(lambda: idle() >= 1, "the connection to be idle")
            opened = metrics.sum("telltale_upstream_connections_opened_total", service="app")
            reused = metrics.sum("telltale_upstream_connections_reused_total", service="app")
            self.assertGreaterEqual(opened, 1)
            client.get("/")
            self.assertEqual(self.proxy.metrics().sum("telltale_upstream_connections_reused_total", service="app"), reused + 1)
        wait_until(
            lambda: self.proxy.metrics().sum("telltale_listener_connections_active", listener="web") == 0, "zero connections"
        )

    def test_admin_on_a_unix_socket(self):
        path = os.path.join(self.enterContext(temporary()), "admin.sock")
        proxy = self.start({**config(service(self.app)), "admin": {"listen": "unix:" + path}})
        with Client(path) as client:
            self.assertEqual(client.get("/readyz", host="localhost").status, 200)
        self.assertTrue(isinstance(proxy.admin, str))

    def test_admin_off(self):
        proxy = self.start({**config(service(self.app)), "admin": "off"})
        self.assertIsNone(proxy.admin)
        self.assertEqual(proxy.get("/").status, 200)

    def test_slow_admin_clients_do_not_stop_the_others(self):
        clients = [self.enterContext(Client(self.proxy.admin)) for _ in range(20)]
        for client in clients:
            client.send(b"GET /livez HT")
        self.assertEqual(self.proxy.ask_admin("/livez").status, 200)
        self.assertEqual(self.proxy.get("/").status, 200)


if __name__ == "__main__":
    main()
