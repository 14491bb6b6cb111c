"""What is told of tries: in the access log and in metrics, of those that were made and of those that were refused; and
which settings hold for a route."""

import threading
import time

from support import (
    HAProxy,
    Nginx,
    ProxyTest,
    config,
    http_handler,
    listener,
    main,
    refused_address,
    respond,
    service,
    wait_until,
)

CLOSES = "listen {listen}; location / { return 444; }"  # reads the request and closes without an octet
UNWELL = "listen {listen}; location / { return 503 'unwell'; }"
# Takes the request and says nothing for a minute.
SILENT = """
frontend silent
  bind {bind0}
  timeout tarpit 60s
  http-request tarpit
"""


class TriesTest(ProxyTest):
    def serve(self, *endpoints, routes=None, **fields):
        listeners = [listener(routes=routes)] if routes else None
        return self.start(config(service(*endpoints, **fields), listeners=listeners, workers=1))

    def nginx(self, *servers) -> list:
        return self.enterContext(Nginx(*servers)).addresses

    def record(self, proxy, target="/"):
        return proxy.wait_access(lambda r: r["target"] == target)[0]

    def told(self, proxy, target="/") -> tuple:
        record = self.record(proxy, target)
        return record["status"], record["tries"], record["reason"]

    def counted(self, proxy, **wanted):
        """Metrics of the service; `refused_budget` and `refused_max_retries` are retries_refused_total by reason."""
        metrics = proxy.metrics()
        for name, count in wanted.items():
            labels = {}
            if name.startswith("refused_"):
                name, labels = "retries_refused_total", {"reason": name.removeprefix("refused_")}
            self.assertEqual(metrics.sum(f"telltale_{name}", service="app", **labels), count, name)


class Told(TriesTest):
    def test_all_attempts_were_used(self):
        refused = [self.enterContext(refused_address()) for _ in range(4)]
        closing, unwell = self.nginx(CLOSES, UNWELL)
        silent = self.enterContext(HAProxy(SILENT)).address
        for what, endpoints, retries, expected, failures in [
            ("connecting", refused, {"attempts": 3}, (502, 4, "connect_refused"), 1),
            ("a reset", [closing], {"attempts": 2, "on": ["reset"]}, (502, 3, "upstream_closed"), 1),
            ("a timeout", [silent], {"attempts": 2, "on": ["timeout"], "per_try_timeout": "200ms"},
             (504, 3, "per_try_timeout"), 1),
            ("a status", [unwell], {"attempts": 2, "statuses": [503]}, (503, 3, None), 0),
        ]:  # fmt: skip
            with self.subTest(what):
                proxy = self.serve(*endpoints, retries=retries)
                self.assertEqual(proxy.get("/").status, expected[0])
                self.assertEqual(self.told(proxy), expected)
                self.counted(proxy, retries_total=expected[1] - 1, retries_refused_total=0, retries_active=0,
                             request_failures_total=failures)  # fmt: skip

    def test_what_may_not_be_tried_again_was_tried_once(self):
        closing, unwell = self.nginx(CLOSES, UNWELL)
        everything = {"attempts": 3, "on": ["connect_failure", "reset", "timeout"], "statuses": [503]}
        for what, endpoint, request, expected in [
            ("not idempotent, closed", closing, {"method": "POST"}, (502, 1, "upstream_closed")),
            ("not idempotent, a status", unwell, {"method": "PATCH"}, (503, 1, None)),
            ("with a body", unwell, {"method": "PUT", "body": b"x" * 10}, (503, 1, None)),
            ("a status, idempotent", unwell, {"method": "DELETE"}, (503, 4, None)),
        ]:
            with self.subTest(what):
                proxy = self.serve(endpoint, retries=everything)
                self.assertEqual(proxy.get("/", **request).status, expected[0])
                self.assertEqual(self.told(proxy), expected)
                self.counted(proxy, retries_total=expected[1] - 1, retries_refused_total=0)

    def held_retry(self, answer_first, **fields):
        """One request whose second try hangs, then another that would be tried again."""
        lock, seen = threading.Lock(), set()

        def answer(request):
            with lock:
                is_first = request.target not in seen
                seen.add(request.target)
            if is_first:
                return answer_first(request)
            app.release.wait()
            return respond(200, "at last")

        app = self.backend(http_handler(answer))
        proxy = self.serve(app, **fields)
        held = self.enterContext(proxy.client())
        held.request("GET", "/held")
        app.wait_requests(2)
        self.assertIn(proxy.get("/next").status, (502, 503))
        self.counted(proxy, retries_active=1, retries_total=1)
        app.release.set()
        self.assertEqual(held.read_response().body, b"at last")
        self.assertEqual(self.told(proxy, "/held"), (200, 2, None))
        return proxy

    def test_a_retry_that_was_refused(self):
        def closes(request):
            request.connection.close()

        def unwell(_request):
            return respond(503, "not yet")

        on = {"on": ["reset"], "statuses": [503]}
        budget = {"retries": {**on, "budget": 0, "min_concurrent": 1}}
        most = {"retries": {**on, "min_concurrent": 100}, "circuit_breakers": {"max_retries": 1}}
        for refusal, fields in (("budget", budget), ("max_retries", most)):
            for first, expected in ((unwell, (503, 1, None)), (closes, (502, 1, "upstream_closed"))):
                with self.subTest(refusal, expected=expected):
                    proxy = self.held_retry(first, **fields)
                    self.assertEqual(self.told(proxy, "/next"), expected)
                    self.counted(proxy, **{f"refused_{refusal}": 1}, retries_refused_total=1, retries_total=1,
                                 request_failures_total=0 if expected[2] is None else 1)  # fmt: skip
                    wait_until(lambda p=proxy: p.metrics().sum("telltale_retries_active") == 0, "the retry to be over")

    def test_a_failed_connect_is_no_matter_of_the_budget(self):
        (well,) = self.nginx("listen {listen}; location / { return 200 'well'; }")
        refused = self.enterContext(refused_address())
        proxy = self.serve(refused, well, retries={"budget": 0, "min_concurrent": 0})
        self.assertEqual({proxy.get("/").status for _ in range(10)}, {200})
        self.assertIn(2, {r["tries"] for r in proxy.wait_access(count=10)})
        self.counted(proxy, retries_refused_total=0)


class Pending(TriesTest):
    """pending_timeout is of each try, not of all of them together."""

    def gated(self):
        """A backend that closes upon whoever asked when it is told to: `go` once for each."""
        go = threading.Semaphore(0)

        def handler(connection):
            request = connection.next_request()
            if request is None:
                return
            go.acquire(timeout=20)
            if request.target == "/well":
                connection.send(respond(200, "well", [("Connection", "close")]))

        return self.backend(handler), go

    def wait_pending(self, proxy, count):
        wait_until(lambda: proxy.metrics().sum("telltale_requests_pending") == count, f"{count} to wait")

    def pause(self, seconds):
        end = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() >= end)

    def asking(self, proxy, target):
        client = self.enterContext(proxy.client())
        client.request("GET", target)
        return client

    def test_each_try_has_its_own(self):
        app, go = self.gated()
        breakers = {"max_connections": 1, "pending_timeout": "4s"}
        proxy = self.serve(app, circuit_breakers=breakers, retries={"attempts": 1, "on": ["reset"]})
        first = self.asking(proxy, "/well")
        app.wait_requests(1)
        waiting = self.asking(proxy, "/tried-twice")
        self.wait_pending(proxy, 1)
        last = self.asking(proxy, "/well")
        self.wait_pending(proxy, 2)
        self.pause(2)
        go.release()
        self.assertEqual(first.read_response().status, 200)
        app.wait_requests(2)
        self.wait_pending(proxy, 1)
        go.release()  # the first try of /tried-twice ends; the place is the one's that waited since before
        app.wait_requests(3)
        self.assertEqual([r.target for r in app.requests], ["/well", "/tried-twice", "/well"])
        self.wait_pending(proxy, 1)
        self.pause(2.5)
        go.release()
        self.assertEqual(last.read_response().status, 200)
        app.wait_requests(4)
        go.release()
        self.assertEqual(waiting.read_response().status, 502)
        self.assertEqual(self.told(proxy, "/tried-twice"), (502, 2, "upstream_closed"))
        self.assertGreater(self.record(proxy, "/tried-twice")["duration_ms"], 4000, "it waited longer in all")

    def test_who_waits_in_vain_for_another_try_says_so(self):
        app, go = self.gated()
        breakers = {"max_connections": 1, "pending_timeout": "1s"}
        proxy = self.serve(app, circuit_breakers=breakers, retries={"attempts": 1, "on": ["reset"]})
        tried = self.asking(proxy, "/tried")
        app.wait_requests(1)
        self.asking(proxy, "/held")
        self.wait_pending(proxy, 1)
        go.release()
        response = tried.read_response()
        self.assertEqual((response.status, response.header("retry-after")), (503, "5"))
        self.assertEqual(self.told(proxy, "/tried"), (503, 1, "pending_timeout"))
        self.counted(proxy, retries_total=1, retries_active=0)
        self.assertEqual([r.target for r in app.requests], ["/tried", "/held"])
        go.release(2)  # it is tried twice, too


class Routes(TriesTest):
    """What a route says of timeouts and retries holds; what it leaves out is the service's."""

    def test_retries_field_by_field(self):
        closing, unwell = self.nginx(CLOSES, UNWELL)
        for endpoint, expected in (
            (closing, {"/": (502, 3), "/once": (502, 1), "/more": (502, 4), "/status": (502, 3), "/connect": (502, 1)}),
            (unwell, {"/": (503, 1), "/once": (503, 1), "/more": (503, 1), "/status": (503, 3), "/connect": (503, 1)}),
        ):
            routes = [
                {"match": {"path": "/once"}, "service": "app", "retries": 0},
                {"match": {"path": "/more"}, "service": "app", "retries": {"attempts": 3}},
                {"match": {"path": "/status"}, "service": "app", "retries": {"statuses": [503]}},
                {"match": {"path": "/connect"}, "service": "app", "retries": {"on": ["connect_failure"]}},
                {"service": "app"},
            ]
            proxy = self.serve(endpoint, routes=routes, retries={"attempts": 2, "on": ["reset"]})
            for path in expected:
                proxy.get(path)
            told = {path: self.told(proxy, path)[:2] for path in expected}
            self.assertEqual(told, expected)

    def test_timeouts_field_by_field(self):
        silent = self.enterContext(HAProxy(SILENT)).address
        routes = [
            {"match": {"path": "/total"}, "service": "app", "timeouts": {"total": "200ms"}},
            {"match": {"path": "/response"}, "service": "app", "timeouts": {"response": "200ms"}},
            {"match": {"path": "/try"}, "service": "app", "retries": {"per_try_timeout": "200ms"}},
            {"match": {"path": "/long"}, "service": "app", "timeouts": {"total": "0s", "response": "500ms"}},
            {"service": "app"},
        ]
        proxy = self.serve(silent, routes=routes, timeouts={"response": "20s", "total": "3s"},
                           retries={"attempts": 1, "on": ["timeout"]})  # fmt: skip
        expected = {
            "/total": (504, 1, "total_timeout"),
            "/response": (504, 2, "response_timeout"),
            "/try": (504, 2, "per_try_timeout"),
            "/long": (504, 2, "response_timeout"),
            "/": (504, 1, "total_timeout"),
        }
        for path in expected:
            self.assertEqual(proxy.get(path).status, 504)
        self.assertEqual({path: self.told(proxy, path) for path in expected}, expected)


if __name__ == "__main__":
    main()
