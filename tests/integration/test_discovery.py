"""Backends that come and go: by DNS, from the real dnsmasq, and in a file."""

import collections
import contextlib
import json
import os
import signal
import tempfile
import threading

from support import Backend, Dnsmasq, ProxyTest, config, http_handler, listener, main, respond, service, wait_until
from support.config import to_text
from support.process import Process
from support.waiting import binary_path

HOSTS = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
# The timeout is longer than a server that is there needs, however busy the machine.
FAST = {"min_ttl": "100ms", "max_ttl": "1s", "timeout": "5s", "attempts": 1, "retry": "200ms"}


class Discovery(ProxyTest):
    def backends(self, hosts=HOSTS):
        """One on each address, all at one port; each answers with its address."""
        while True:
            port, found = 0, []
            with contextlib.ExitStack() as stack:
                try:
                    for host in hosts:
                        handler = http_handler(lambda request, host=host: respond(200, host))
                        found.append(stack.enter_context(Backend(handler, name=host, address=(host, port))))
                        port = found[0].port
                except OSError:
                    continue  # somebody has that port on another address
                self.addCleanup(stack.pop_all().close)
                return found

    def dnsmasq(self, *args, **options) -> Dnsmasq:
        return self.enterContext(Dnsmasq(*args, **options))

    def serve(self, dns, app, *, workers=2, **dns_fields):
        self.proxy = self.start(config(app, workers=workers, dns={"servers": [dns.address], **FAST, **dns_fields}))
        return self.proxy

    def counts(self, requests=40):
        """Who answered how often, or which status."""
        answers = (self.proxy.get("/") for _ in range(requests))
        return collections.Counter(r.body.decode() if r.status == 200 else r.status for r in answers)

    def wait_endpoints(self, *addresses):
        def listed():
            return {e["address"] for e in self.proxy.services()["app"]["endpoints"]} == set(addresses)

        wait_until(listed, f"the endpoints {addresses}")

    def name_status(self):
        return self.proxy.services()["app"]["discovery"]["names"][0]

    def log_lines(self, part):
        return [line for line in self.proxy.log.lines() if part in line]

    def assert_log_lines(self, part, count):
        """So many lines, once they are here, and no more."""
        wait_until(lambda: len(self.log_lines(part)) >= count, f"line {count} with {part!r}")
        self.assertEqual(len(self.log_lines(part)), count, self.log_lines(part))


class Addresses(Discovery):
    def test_traffic_goes_where_the_name_leads(self):
        a, b, c = self.backends()
        dns = self.dnsmasq([(HOSTS[0], "app.test")])
        self.serve(dns, service(f"app.test:{a.port}"), workers=1)  # each takes turns by itself
        self.assertEqual(set(self.counts()), {HOSTS[0]}, "known before the first request")
        dns.replace_hosts([(HOSTS[1], "app.test"), (HOSTS[2], "app.test")])
        self.wait_endpoints(b.address, c.address)
        seen = len(a.requests)
        self.assertEqual(set(self.counts()), {HOSTS[1], HOSTS[2]})
        self.assertEqual(len(a.requests), seen, "nothing goes to the old address any more")
        names = {e["name"] for e in self.proxy.services()["app"]["endpoints"]}
        self.assertEqual(names, {f"app.test:{a.port}/{host}" for host in HOSTS[1:]})

    def test_both_families(self):
        a, b = self.backends([HOSTS[0], "::1"])
        dns = self.dnsmasq([(HOSTS[0], "app.test"), ("::1", "app.test")])
        self.serve(dns, service(f"app.test:{a.port}"))
        self.assertEqual(set(self.counts()), {HOSTS[0], "::1"})
        dns.replace_hosts([("::1", "app.test")])
        self.wait_endpoints(b.address)
        self.assertEqual(set(self.counts()), {"::1"})

    def test_names_beside_addresses_and_nodes(self):
        a, b, c = self.backends()
        dns = self.dnsmasq([(HOSTS[0], "app.test"), (HOSTS[1], "node.test")])
        nodes = [{"name": "node-a", "address": "node.test", "port": a.port, "zone": "z"}]
        self.serve(dns, service(f"app.test:{a.port}", c.address, nodes=nodes))
        self.assertEqual(set(self.counts()), set(HOSTS))
        node = self.proxy.services()["app"]["nodes"][0]
        self.assertEqual((node["name"], node["address"], node["zone"]), ("node-a", HOSTS[1], "z"))

    def test_a_node_of_several_addresses_is_our_node(self):
        a, b, c = self.backends()
        dns = self.dnsmasq([(HOSTS[0], "node.test"), (HOSTS[1], "node.test")])
        nodes = [
            {"name": "n1", "address": "node.test", "port": a.port},
            {"name": "n2", "address": HOSTS[2], "port": c.port},
        ]
        app = service(nodes=nodes, external_traffic_policy="local")
        self.proxy = self.start(config(app, node_name="n1", dns={"servers": [dns.address], **FAST}))
        self.assertEqual(set(self.counts()), {HOSTS[0], HOSTS[1]}, "both, and nobody else")
        shown = {f"n1/{host}" for host in HOSTS[:2]}
        self.assertEqual({n["name"] for n in self.proxy.services()["app"]["nodes"]}, shown | {"n2"})
        self.assertEqual({record["node"] for record in self.proxy.wait_access(count=40)}, shown)
        dns.replace_hosts([(HOSTS[1], "node.test")])
        self.wait_endpoints(b.address, c.address)
        self.assertEqual(self.counts(), {HOSTS[1]: 40})
        self.assertEqual(set(self.proxy.endpoint_states()), {"n1", "n2"})
        dns.replace_hosts([(host, "node.test") for host in HOSTS[:2]])
        self.wait_endpoints(a.address, b.address, c.address)
        self.assertEqual(set(self.counts()), {HOSTS[0], HOSTS[1]})
        dns.replace_hosts([])
        self.wait_endpoints(c.address)
        self.assertEqual(self.counts(), {503: 40}, "the other node does not stand in for ours")

    def test_a_failing_server_leaves_the_last_good_answer(self):
        a, b, _ = self.backends()
        dns = self.dnsmasq([(HOSTS[0], "app.test")])
        self.serve(dns, service(f"app.test:{a.port}"), timeout="2s")
        for fail in (dns.stop, dns.freeze):
            with self.subTest(fail.__name__):
                before = len(self.log_lines("the last good answer stays in force"))
                fail()
                wait_until(lambda: self.name_status()["state"] == "stale", "the failure to be noticed")
                metrics = self.proxy.metrics()
                lookups = metrics.sum("telltale_dns_lookups_total")
                wait_until(lambda: self.proxy.metrics().sum("telltale_dns_lookups_total") >= lookups + 3, "more lookups")
                self.assertEqual(self.counts(), {HOSTS[0]: 40})
                self.assertEqual(self.name_status()["addresses"], [HOSTS[0]])
                self.assert_log_lines("the last good answer stays in force", before + 1)  # once an outage
                self.assertEqual(self.proxy.metrics().sum("telltale_dns_names", state="stale"), 1)
                if fail == dns.stop:
                    dns.start()
                else:
                    dns.thaw()
                wait_until(lambda: self.name_status()["state"] == "answered", "an answer")
                self.assertIsNone(self.name_status()["error"])
                self.assert_log_lines("answered again, after ", before + 1)
        dns.replace_hosts([(HOSTS[1], "app.test")])
        self.wait_endpoints(b.address)

    def test_a_name_that_vanishes_drains(self):
        release = threading.Event()

        def slow(request):
            if request.target == "/slow":
                request.connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nbegin")
                release.wait()
                return b"-end!"
            return respond(200, "app")

        app = self.backend(http_handler(slow), address=(HOSTS[0], 0))
        dns = self.dnsmasq([(HOSTS[0], "app.test")])
        self.serve(dns, service(f"app.test:{app.port}"))
        self.addCleanup(release.set)
        with self.proxy.client() as client:
            client.request("GET", "/slow")
            wait_until(lambda: app.requests, "the slow request to be there")
            dns.replace_hosts([])
            self.wait_endpoints()
            response = self.proxy.get("/")
            self.assertEqual(response.status, 503)
            self.assertTrue(response.header("retry-after"))
            self.assertEqual(self.name_status()["state"], "gone")
            release.set()
            slow_response = client.read_response("GET")
            self.assertEqual((slow_response.status, slow_response.body), (200, b"begin-end!"))
        self.assert_log_lines("if that is said again", 1)
        self.assert_log_lines("there is no such name; nobody serves by this name", 1)
        dns.replace_hosts([(HOSTS[0], "app.test")])
        self.wait_endpoints(app.address)
        self.assertEqual(self.proxy.get("/").status, 200)

    def test_one_name_of_two_vanishes(self):
        a, b, _ = self.backends()
        dns = self.dnsmasq([(HOSTS[0], "a.test"), (HOSTS[1], "b.test")])
        self.serve(dns, service(f"a.test:{a.port}", f"b.test:{a.port}"))
        self.assertEqual(set(self.counts()), set(HOSTS[:2]))
        dns.replace_hosts([(HOSTS[1], "b.test")])
        self.wait_endpoints(b.address)
        self.assertEqual(self.counts(), {HOSTS[1]: 40})

    def test_changes_under_load_without_a_failed_request(self):
        a, b, c = self.backends()
        every = [(host, "app.test") for host in HOSTS]
        dns = self.dnsmasq(every)
        self.serve(dns, service(f"app.test:{a.port}"), max_ttl="100ms")
        with Load(self.proxy) as load:
            for n in range(6):
                dns.replace_hosts([every[n % 3]])
                self.wait_endpoints((a, b, c)[n % 3].address)
            dns.replace_hosts(every)
            self.wait_endpoints(a.address, b.address, c.address)
            load.wait_done(100)
        self.assertEqual(load.problems, [])

    def test_a_name_that_cannot_be_asked_for_at_the_start(self):
        a, b, _ = self.backends()
        dns = self.dnsmasq([(HOSTS[0], "app.test")])
        dns.stop()
        other = service(b, name="other")
        conf = config(
            service(f"app.test:{a.port}"),
            other,
            listeners=[listener(), listener("other", service="other")],
            dns={"servers": [dns.address], **FAST, "timeout": "1s"},
        )
        self.proxy = self.start(conf)
        self.assertEqual(self.proxy.get("/").status, 503)
        self.assertEqual(self.proxy.get("/", listener="other").body.decode(), HOSTS[1], "the rest is served")
        self.assert_log_lines("nobody serves by this name yet", 1)
        dns.start()
        self.wait_endpoints(a.address)
        self.assertEqual(self.proxy.get("/").body.decode(), HOSTS[0])

    def test_a_silent_server_does_not_keep_the_rest_from_being_served(self):
        a, b, _ = self.backends()
        dns = self.dnsmasq([(HOSTS[0], "app.test")])
        dns.freeze()
        conf = config(
            service(f"app.test:{a.port}"),
            service(b, name="other"),
            listeners=[listener(), listener("other", service="other")],
            dns={"servers": [dns.address], **FAST, "timeout": "60s"},
        )
        self.proxy = self.start(conf)
        self.assertEqual(self.name_status()["state"], "waiting")
        self.assertEqual(self.proxy.get("/").status, 503)
        self.assertEqual(self.proxy.get("/", listener="other").body.decode(), HOSTS[1])
        dns.thaw()
        self.wait_endpoints(a.address)
        self.assertEqual(self.proxy.get("/").body.decode(), HOSTS[0])

    def test_ends_while_it_waits_for_names(self):
        dns = self.dnsmasq([(HOSTS[0], "app.test")])
        dns.freeze()
        conf = config(service("app.test:80"), dns={"servers": [dns.address], **FAST, "timeout": "60s"})
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(to_text(conf))
            file.flush()
            for number in (signal.SIGTERM, signal.SIGINT):
                process = Process([binary_path(), "run", "-c", file.name])
                process.stderr.wait_line("admin on")
                process.send_signal(number)
                self.assertEqual(process.wait(), 0)
                self.assertFalse([line for line in process.stderr.lines() if "ready: " in line])

    def test_what_is_found_is_probed(self):
        a, b, _ = self.backends()
        dns = self.dnsmasq([(HOSTS[0], "app.test"), (HOSTS[1], "app.test"), (HOSTS[2], "app.test")])
        health = {"http": "/healthz", "interval": "50ms", "timeout": "5s"}
        self.serve(dns, service(f"app.test:{a.port}", health=health))
        c_name = f"app.test:{a.port}/{HOSTS[2]}"
        wait_until(lambda: set(self.proxy.endpoint_states().values()) == {"healthy"}, "all to be healthy")
        dns.replace_hosts([(HOSTS[0], "app.test"), ("127.0.0.5", "app.test")])
        dead = f"app.test:{a.port}/127.0.0.5"
        wait_until(lambda: self.proxy.endpoint_states().get(dead) == "unhealthy", "the new one to be probed")
        self.assertNotIn(c_name, self.proxy.endpoint_states())
        self.assertEqual(self.counts(), {HOSTS[0]: 40})


class Srv(Discovery):
    RECORD = "_http._tcp.app.test"

    def serve_records(self, backends, records, **fields):
        """records: (backend, priority, weight)."""
        hosts = [(b.sockname[0], f"host-{i}.test") for i, b in enumerate(backends)]
        srv = [(self.RECORD, f"host-{backends.index(b)}.test", b.port, p, w) for b, p, w in records]
        dns = self.dnsmasq(hosts, srv=srv)
        self.serve(dns, service({"srv": self.RECORD}, **fields))
        return dns

    def named_backend(self, host):
        return self.backend(http_handler(lambda request: respond(200, host)), address=(host, 0))

    def test_ports_weights_and_priorities(self):
        a, b, c = (self.named_backend(host) for host in HOSTS)
        health = {"tcp": True, "interval": "50ms", "timeout": "5s"}
        self.serve_records((a, b, c), [(a, 1, 30), (b, 1, 10), (c, 2, 10)], health=health)
        wait_until(lambda: set(self.proxy.endpoint_states().values()) == {"healthy"}, "all to be healthy")
        counts = self.counts(80)
        self.assertEqual(sum(counts.values()), 80)
        self.assertNotIn(HOSTS[2], counts, "while any of the smaller number can")
        self.assertTrue(56 <= counts[HOSTS[0]] <= 64, counts)
        found = {(e["address"], e["weight"], e["priority"]) for e in self.proxy.services()["app"]["endpoints"]}
        self.assertEqual(found, {(a.address, 30, 1), (b.address, 10, 1), (c.address, 10, 2)})
        a.close()
        b.close()
        wait_until(lambda: sorted(self.proxy.endpoint_states().values()) == ["healthy", "unhealthy", "unhealthy"], "two to fail")
        self.assertEqual(self.counts(), {HOSTS[2]: 40})

    def test_records_that_change(self):
        a, b, _ = (self.named_backend(host) for host in HOSTS)
        dns = self.serve_records((a, b), [(a, 0, 0)])
        self.assertEqual(self.counts(), {HOSTS[0]: 40})
        dns.stop()
        dns.start([(self.RECORD, "host-1.test", b.port, 0, 0)])
        self.wait_endpoints(b.address)
        self.assertEqual(self.counts(), {HOSTS[1]: 40})
        dns.stop()
        dns.start()
        self.wait_endpoints()
        self.assertEqual(self.proxy.get("/").status, 503)
        status = self.name_status()
        self.assertEqual((status["kind"], status["state"], status["addresses"]), ("srv", "gone", []))

    def test_a_target_that_moves(self):
        a, b, _ = self.backends()
        dns = self.serve_records((a,), [(a, 0, 5)])
        dns.replace_hosts([(HOSTS[1], "host-0.test")])
        self.wait_endpoints(b.address)
        self.assertEqual(self.name_status()["addresses"], [f"{b.address} priority 0 weight 5"])
        self.assertEqual(self.counts(), {HOSTS[1]: 40})


class File(Discovery):
    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="telltale-test-"))
        self.file = os.path.join(self.directory, "endpoints.json")

    def replace(self, content):
        """As one is to do it."""
        with open(self.file + ".new", "w", encoding="utf-8") as out:
            out.write(content if isinstance(content, str) else json.dumps(content, indent=1) + "\n")
        os.rename(self.file + ".new", self.file)

    def serve_file(self, *endpoints, **top):
        self.replace({"endpoints": list(endpoints)})
        self.proxy = self.start(config(service(endpoints_file=self.file), **top))

    def test_replaced_under_load_without_a_failed_request(self):
        backends = self.backends()
        addresses = [backend.address for backend in backends]
        self.serve_file(*addresses)
        with Load(self.proxy) as load:
            for n in range(6):
                self.replace({"endpoints": addresses[n % 3 : n % 3 + 1], "nodes": []})
                self.wait_endpoints(addresses[n % 3])
            self.replace({"endpoints": addresses})
            self.wait_endpoints(*addresses)
            load.wait_done(100)
        self.assertEqual(load.problems, [])
        self.assertEqual(self.proxy.metrics().sum("telltale_endpoints_file_loads_total", result="loaded"), 7)

    def test_yaml_and_json_nodes_and_endpoints(self):
        a, b, c = self.backends()
        self.serve_file(a.address)
        self.replace(
            "# as YAML\n"
            f"nodes:\n  - {{ name: n, address: {HOSTS[1]}, port: {b.port}, zone: z }}\n"
            f"endpoints:\n  - {{ address: '{c.address}', weight: 3 }}\n"
        )
        self.wait_endpoints(b.address, c.address)
        counts = self.counts()
        self.assertEqual(set(counts), {HOSTS[1], HOSTS[2]})
        self.assertGreater(counts[HOSTS[2]], counts[HOSTS[1]])

    def test_a_bad_file_leaves_the_last_good_list(self):
        a, b, _ = self.backends()
        self.serve_file(a.address)
        cases = [
            ('{ "endpoints": [\n  "10.0.0.300:80"\n] }\n', f'{self.file}:2:3: endpoints[0]: "10.0.0.300:80"'),
            ('{ "endpoints": [ "127.0.0.9:80"', f"{self.file}: the file ends within a line"),
            ('{ "endpoint": [] }\n', f'{self.file}:1:3: endpoint: unknown field "endpoint"'),
            ("", f"{self.file}: the file is empty"),
        ]
        for n, (text, problem) in enumerate(cases):
            with self.subTest(text=text):
                self.replace(text)
                self.assert_log_lines("the last good list stays in force", n + 1)
                wait_until(lambda problem=problem: self.log_lines(problem), problem)
                self.assertEqual(self.counts(), {HOSTS[0]: 40})
                file = self.proxy.services()["app"]["discovery"]["file"]
                self.assertEqual((file["path"], file["endpoints"]), (self.file, 1))
                self.assertTrue(file["problems"])
                self.assertEqual(self.proxy.metrics().sum("telltale_endpoints_files_not_in_force"), 1)
        os.remove(self.file)
        wait_until(lambda: self.log_lines("No such file or directory"), "the error")
        self.assertEqual(self.counts(), {HOSTS[0]: 40})
        self.replace({"endpoints": [b.address]})
        self.wait_endpoints(b.address)
        self.assertEqual(self.counts(), {HOSTS[1]: 40})
        self.assertEqual(self.proxy.metrics().sum("telltale_endpoints_files_not_in_force"), 0)

    def test_nobody_said_expressly(self):
        a, _, _ = self.backends()
        self.serve_file(a.address)
        self.replace({"endpoints": []})
        self.wait_endpoints()
        self.assertEqual(self.proxy.get("/").status, 503)

    def test_names_in_a_file(self):
        a, b, c = self.backends()
        dns = self.dnsmasq([(HOSTS[1], "app.test")])
        self.serve_file(a.address, dns={"servers": [dns.address], **FAST})
        with Load(self.proxy) as load:
            self.replace({"endpoints": [f"app.test:{a.port}"]})
            self.wait_endpoints(b.address)
        self.assertEqual(load.problems, [], "the old list serves until the new names are known")
        dns.replace_hosts([(HOSTS[2], "app.test")])
        self.wait_endpoints(c.address)

    def test_must_be_good_at_the_start(self):
        self.replace('{ "endpoints": [ "127.0.0.300:80" ] }\n')
        with self.assertRaises(AssertionError) as failed:
            self.start(config(service(endpoints_file=self.file)))
        self.assertIn(f"{self.file}:1:18: endpoints[0]:", str(failed.exception))


class Load:
    """Clients that ask without a pause, each on a connection for ten requests."""

    def __init__(self, proxy, clients=4):
        self.proxy, self.problems, self.done = proxy, [], 0
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def _run(self):
        while not self._stop.is_set():
            try:
                with self.proxy.client() as client:
                    responses = [client.get("/") for _ in range(10)]
            except Exception as problem:  # whatever goes wrong is what the test is about
                responses = []
                with self._lock:
                    self.problems.append(repr(problem))
            with self._lock:
                self.done += len(responses)
                self.problems += [r.status for r in responses if r.status != 200]

    def wait_done(self, count):
        wait_until(lambda: self.done >= count or self.problems, f"{count} requests")

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


if __name__ == "__main__":
    main()
