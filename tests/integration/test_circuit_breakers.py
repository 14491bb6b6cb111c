"""Limits of a service: requests, connections, who waits for one; with many workers, under load, and to the last count."""

import concurrent.futures
import contextlib
import json
import os
import re
import socket
import subprocess
import tempfile
import threading

from support import (
    DEADLINE,
    Echo,
    Nginx,
    ProxyTest,
    chance,
    config,
    http_handler,
    listener,
    main,
    respond,
    service,
    wait_until,
)
from support.process import find_program
from support.waiting import SANITIZER

WELL = "listen {listen}; location / { return 200 'well'; }"
# Whoever asks for /held gets an octet a second.
HELD = " location /held { limit_rate 1; return 200 '%s'; }" % ("x" * 1000)
CLOSES = "listen {listen}; location / { return 444; }"


class Limits(ProxyTest):
    def serve(self, *endpoints, workers=1, breakers=None, listeners=None, access_log=None, **fields):
        """Whoever waits does so for longer than any test, unless `breakers` say otherwise."""
        app = service(*endpoints, circuit_breakers={"pending_timeout": "5m", **(breakers or {})}, **fields)
        top = {"access_log": access_log} if access_log else {}
        return self.start(config(app, workers=workers, listeners=listeners, **top))

    def in_use(self, proxy, limit) -> int:
        return int(proxy.metrics().sum("telltale_circuit_breaker_in_use", service="app", limit=limit))

    def wait_in_use(self, proxy, limit, count):
        wait_until(lambda: self.in_use(proxy, limit) == count, f"{count} of {limit} to be in use")

    def pending(self, proxy) -> int:
        return int(proxy.metrics().sum("telltale_requests_pending", service="app"))

    def wait_pending(self, proxy, count):
        wait_until(lambda: self.pending(proxy) == count, f"{count} requests to wait")

    def failures(self, proxy, reason) -> int:
        return int(proxy.metrics().sum("telltale_request_failures_total", service="app", reason=reason))

    def asking(self, proxy, target="/", **options):
        """A client whose request was sent."""
        client = self.enterContext(proxy.client(**options))
        client.request("GET", target)
        return client

    def holding(self):
        """A backend that answers only when it is released."""

        def answer(request):
            app.release.wait()
            return respond(200, request.target)

        app = self.backend(http_handler(answer))
        return app

    def refused(self, proxy, reason, target="/refused"):
        response = proxy.get(target)
        self.assertEqual((response.status, response.header("retry-after")), (503, "5"))
        self.assertEqual(response.body, b"503 Service Unavailable\n")
        record = proxy.wait_access(lambda r: r["target"] == target)[0]
        self.assertEqual((record["reason"], record["failure_side"], record["endpoint"]), (reason, "proxy", None))
        self.assertEqual(self.failures(proxy, reason), 1, "counted before it is logged")

    # Requests.

    def test_requests_beyond_the_limit_are_refused_at_once_in_any_worker(self):
        app = self.holding()
        proxy = self.serve(app, workers=4, breakers={"max_requests": 3})
        clients = [self.asking(proxy, f"/{n}") for n in range(3)]
        app.wait_requests(3)
        self.assertEqual(self.in_use(proxy, "max_requests"), 3)
        self.refused(proxy, "max_requests")
        self.assertEqual(len(app.requests), 3)
        app.release.set()
        self.assertEqual([c.read_response().status for c in clients], [200] * 3)
        self.wait_in_use(proxy, "max_requests", 0)
        self.assertEqual(proxy.get("/after").status, 200)

    def test_a_client_that_leaves_makes_room(self):
        app = self.holding()
        proxy = self.serve(app, breakers={"max_requests": 1})
        client = self.asking(proxy)
        app.wait_requests(1)
        client.reset()
        self.wait_in_use(proxy, "max_requests", 0)

    # Connections, and who waits.

    def test_who_finds_no_connection_waits_for_one_in_order(self):
        app = self.holding()
        proxy = self.serve(app, breakers={"max_connections": 1})
        first = self.asking(proxy, "/first")
        app.wait_requests(1)
        others = []
        for n in range(5):
            others.append(self.asking(proxy, f"/{n}"))
            self.wait_pending(proxy, n + 1)
        self.assertEqual(self.in_use(proxy, "max_pending"), 5)
        app.release.set()
        self.assertEqual(first.read_response().body, b"/first")
        self.assertEqual([c.read_response().body for c in others], [b"/%d" % n for n in range(5)])
        self.assertEqual([r.target for r in app.requests], ["/first"] + [f"/{n}" for n in range(5)])
        self.assertEqual(len(app.connections), 1)
        self.wait_pending(proxy, 0)
        self.wait_in_use(proxy, "max_pending", 0)
        self.wait_in_use(proxy, "max_requests", 0)
        self.assertEqual(self.in_use(proxy, "max_connections"), 1, "an idle one counts")

    def test_who_waits_is_woken_by_a_connection_that_breaks(self):
        app = self.backend(lambda c: (c.next_request(), c.backend.release.wait(), c.reset()))
        proxy = self.serve(app, breakers={"max_connections": 1})
        clients = [self.asking(proxy, "/0")]
        app.wait_requests(1)
        clients.append(self.asking(proxy, "/1"))
        self.wait_pending(proxy, 1)
        app.release.set()
        self.assertEqual([c.read_response().status for c in clients], [502, 502])
        self.assertEqual(len(app.connections), 2)
        self.wait_in_use(proxy, "max_connections", 0)

    def test_no_more_wait_than_max_pending(self):
        app = self.holding()
        proxy = self.serve(app, workers=4, breakers={"max_connections": 1, "max_pending": 2})
        self.asking(proxy)
        app.wait_requests(1)
        for _ in range(2):
            self.asking(proxy)
        self.wait_pending(proxy, 2)
        self.refused(proxy, "max_pending")

    def test_nobody_waits_longer_than_pending_timeout(self):
        app = self.holding()
        proxy = self.serve(app, breakers={"max_connections": 1, "pending_timeout": "300ms"})
        first = self.asking(proxy, "/first")
        app.wait_requests(1)
        self.refused(proxy, "pending_timeout")
        record = proxy.wait_access(lambda r: r["target"] == "/refused")[0]
        self.assertGreater(record["duration_ms"], 290)
        self.assertLess(record["duration_ms"], 5000, "the default")
        app.release.set()
        self.assertEqual(first.read_response().status, 200)

    def test_a_client_that_leaves_the_line_is_no_obstacle(self):
        app = self.holding()
        proxy = self.serve(app, breakers={"max_connections": 1})
        first = self.asking(proxy, "/first")
        app.wait_requests(1)
        leaving = self.asking(proxy, "/leaving")
        self.wait_pending(proxy, 1)
        last = self.asking(proxy, "/last")
        self.wait_pending(proxy, 2)
        leaving.reset()
        self.wait_pending(proxy, 1)
        app.release.set()
        self.assertEqual(first.read_response().body, b"/first")
        self.assertEqual(last.read_response().body, b"/last")
        self.assertEqual([r.target for r in app.requests], ["/first", "/last"])
        record = proxy.wait_access(lambda r: r["target"] == "/leaving")[0]
        self.assertEqual((record["reason"], record["failure_phase"], record["tries"]), ("client_closed", "pick", 0))

    def test_a_client_that_goes_on_sending_waits_on(self):
        app = self.holding()
        proxy = self.serve(app, breakers={"max_connections": 1})
        self.asking(proxy, "/first")
        app.wait_requests(1)
        with proxy.client() as client:
            client.request("POST", "/body", [("Content-Length", "300000")])
            self.wait_pending(proxy, 1)
            for _ in range(3):
                client.send(bytes(100_000))
            client.finish()  # a half-close is no going away
            app.release.set()
            self.assertEqual(client.read_response().body, b"/body")
        self.assertEqual(len(app.last().body), 300_000)

    # Room.

    def test_an_idle_connection_of_another_worker_makes_room(self):
        nginx = self.enterContext(Nginx(WELL))
        # Nobody could wait for the idle connection to reach its own end: no client of a test is so patient.
        proxy = self.serve(nginx.address, workers=4, breakers={"max_connections": 1}, pool={"idle_timeout": "5m"})
        for _ in range(40):
            self.assertEqual(proxy.get("/").status, 200)
        self.assertGreater(proxy.metrics().sum("telltale_upstream_connections_opened_total"), 1)

    def test_an_idle_connection_to_another_endpoint_makes_room(self):
        nginx = self.enterContext(Nginx(*[WELL] * 3))
        proxy = self.serve(*nginx.addresses, breakers={"max_connections": 2})
        for _ in range(12):
            self.assertEqual(proxy.get("/").status, 200)
        self.assertEqual({r["endpoint"] for r in proxy.wait_access(count=12)}, set(nginx.addresses))
        self.wait_in_use(proxy, "max_connections", 2)

    def test_an_idle_connection_of_another_client_makes_room(self):
        echo = self.enterContext(Echo("--proxy-protocol"))
        propagate = {"proxy_protocol": "v2"}
        proxy = self.serve(echo.address, workers=2, breakers={"max_connections": 2}, propagate=propagate)
        for n in range(20):
            source = f"127.0.1.{n % 5}"
            body = proxy.get("/", source=source).body.decode()
            self.assertIn(f"source={source}:", body)
        self.assertLessEqual(self.in_use(proxy, "max_connections"), 2)

    def test_who_waited_goes_where_a_connection_is_idle(self):
        """Else two endpoints and one connection would make a new connection of every second request."""
        nginx = self.enterContext(Nginx(*[WELL] * 4))
        proxy = self.serve(*nginx.addresses, breakers={"max_connections": 2})
        report = self.load(proxy, 2000, clients=32)
        self.assertEqual(report["succeeded"], 2000)
        self.assertLess(proxy.metrics().sum("telltale_upstream_connections_opened_total"), 500)

    # TCP.

    def test_tcp_sessions_keep_to_the_same_limits(self):
        app = self.backend(lambda c: (c.peek(1), c.send(c.take(1)), c.read_to_end()))
        breakers = {"max_connections": 1, "max_requests": 2}
        proxy = self.serve(app, workers=2, breakers=breakers, listeners=[listener(protocol="tcp")])

        def connect():
            sock = self.enterContext(socket.create_connection(proxy.address(), timeout=DEADLINE))
            sock.sendall(b"x")
            return sock

        first = connect()
        self.assertEqual(first.recv(1), b"x")
        second = connect()
        self.wait_pending(proxy, 1)
        # Before connect() has returned, or after.
        self.assertRaises(ConnectionError, lambda: connect().recv(1))
        wait_until(lambda: self.failures(proxy, "max_requests") == 1, "the refusal to be counted")
        first.close()
        self.assertEqual(second.recv(1), b"x")
        second.close()
        for limit in ("max_connections", "max_requests", "max_pending"):
            self.wait_in_use(proxy, limit, 0)

    def test_no_tcp_session_waits_longer_than_pending_timeout(self):
        app = self.backend(lambda c: (c.send(b"x"), c.read_to_end()))
        breakers = {"max_connections": 1, "pending_timeout": "300ms"}
        proxy = self.serve(app, breakers=breakers, listeners=[listener(protocol="tcp")])
        first = self.enterContext(proxy.client())
        self.assertEqual(first.read_exact(1), b"x")
        second = self.enterContext(proxy.client())
        second.send(b"what it sends meanwhile changes nothing")
        self.assertEqual(second.closed_by_peer(), b"")
        record = proxy.wait_access()[0]
        self.assertEqual((record["reason"], record["tries"]), ("pending_timeout", 0))
        self.assertGreater(record["duration_ms"], 290)
        self.assertEqual(self.failures(proxy, "pending_timeout"), 1)

    # Load.

    def load(self, proxy, requests, clients) -> dict:
        """What h2load, speaking HTTP/1.1, says of its requests."""
        done = subprocess.run(
            [find_program("h2load"), "--h1", "-n", str(requests), "-c", str(clients), proxy.url("/")],
            capture_output=True, text=True, check=False,
        )
        line = re.search(r"^requests: .*$", done.stdout, re.MULTILINE)
        self.assertIsNotNone(line, done.stdout + done.stderr)
        return {name: int(count) for count, name in re.findall(r"(\d+) (\w+)", line[0])}

    def watch(self, proxy, limits):
        """The most that each limit ever had in use, looked at until the returned event is set."""
        most, ended = dict.fromkeys(limits, 0), threading.Event()

        def look():
            while not ended.is_set():
                metrics = proxy.metrics()
                for limit in limits:
                    used = int(metrics.sum("telltale_circuit_breaker_in_use", limit=limit))
                    most[limit] = max(most[limit], used)

        watcher = threading.Thread(target=look)
        watcher.start()
        self.addCleanup(lambda: (ended.set(), watcher.join()))
        return most, ended

    def assert_all_is_over(self, proxy):
        for limit in ("max_connections", "max_pending", "max_requests", "max_retries"):
            self.wait_in_use(proxy, limit, 0)
        for gauge in ("requests_active", "requests_pending", "retries_active", "upstream_connections_active",
                      "upstream_connections_idle"):
            wait_until(lambda g=gauge: proxy.metrics().sum(f"telltale_{g}") == 0, f"{gauge} to be 0")

    @contextlib.contextmanager
    def held(self, proxy, connections):
        """All the connections there may be are in use, by clients that leave at the end."""
        clients = [self.asking(proxy, "/held", record=False) for _ in range(connections)]
        self.wait_in_use(proxy, "max_connections", connections)
        yield
        for client in clients:
            client.reset()

    def test_under_load_every_request_ends_and_every_count_comes_to_zero(self):
        requests = 4_000 if SANITIZER else 30_000
        nginx = self.enterContext(Nginx(WELL + HELD, WELL + HELD))
        for connections, workers in ((1, 4), (3, 4), (3, 1), (20, 3)):
            with self.subTest(connections=connections, workers=workers):
                proxy = self.serve(*nginx.addresses, workers=workers, breakers={"max_connections": connections},
                                   pool={"idle_timeout": "500ms"})
                most, ended = self.watch(proxy, ["max_connections", "max_pending"])
                count = requests // (4 if connections == 1 else 1)
                with concurrent.futures.ThreadPoolExecutor(1) as beside, self.held(proxy, connections):
                    load = beside.submit(self.load, proxy, count, clients=100)
                    wait_until(lambda seen=most: seen["max_pending"], "some to wait")
                report = load.result()
                ended.set()
                self.assertEqual(report["succeeded"], report["total"], report)
                self.assertLessEqual(most["max_connections"], connections)
                self.assert_all_is_over(proxy)

    def test_under_load_with_refusals_and_clients_that_leave(self):
        requests = 3_000 if SANITIZER else 20_000
        nginx = self.enterContext(Nginx(WELL + HELD, CLOSES + HELD))
        breakers = {"max_connections": 4, "max_pending": 40, "max_requests": 60, "max_retries": 5,
                    "pending_timeout": "500ms"}
        path = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "access.log")
        proxy = self.serve(*nginx.addresses, workers=3, breakers=breakers, pool={"idle_timeout": "500ms"},
                           access_log={"file": path},  # a pipe to here would be too slow, and lose lines
                           retries={"on": ["connect_failure", "reset"], "attempts": 2})
        most, ended = self.watch(proxy, list(breakers)[:-1])
        # What load may bring, or not: 40 wait in vain, others may not even wait, and clients leave.
        with self.held(proxy, breakers["max_connections"]):
            wait_until(lambda: self.load(proxy, 150, clients=150) and self.failures(proxy, "max_pending"), "refusals")
        leaving = threading.Thread(target=self.leave, args=(proxy, ended, chance()))
        leaving.start()
        report = self.load(proxy, requests, clients=150)
        ended.set()
        leaving.join()
        self.assertEqual(report["done"], report["total"], "every request ended")
        self.assertGreater(report["succeeded"], 0)
        for limit, count in most.items():
            self.assertLessEqual(count, breakers[limit], limit)
        self.assert_all_is_over(proxy)
        records = self.logged(path, proxy)
        for record in records:
            # Each refusal is a status and a reason; a client that left got what it got.
            if record["reason"] != "client_closed":
                self.assertIn(
                    (record["status"], record["reason"] is None), [(200, True), (502, False), (503, False), (0, False)]
                )
        reasons = {r["reason"] for r in records}
        for reason in reasons - {None}:
            self.assertEqual(self.failures(proxy, reason), sum(r["reason"] == reason for r in records), reason)
        self.assertLessEqual({None, "max_pending", "pending_timeout", "client_closed"}, reasons)

    def logged(self, path, proxy) -> list:
        """The records in a file, once there is one for each request; nothing is under way any more."""
        requests = proxy.metrics().sum("telltale_requests_total")

        def lines():
            with open(path, encoding="utf-8") as file:
                return file.read().splitlines()

        wait_until(lambda: len(lines()) >= requests, f"{requests} records")
        self.assertEqual(len(lines()), requests)
        return [json.loads(line) for line in lines()]

    def leave(self, proxy, ended, draw):
        """Clients that go away while they wait, or are served."""
        while not ended.is_set():
            with proxy.client(record=False) as client:
                try:
                    client.request("GET", "/leaving")
                    if draw.random() < 0.5:
                        client.peek(1)
                    client.reset()
                except ConnectionError:
                    pass


if __name__ == "__main__":
    main()
