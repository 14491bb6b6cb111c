"""What is tried again, where, how often, and what never is. Peers are nginx and HAProxy that fail on purpose; a raw
backend only where it must fail and answer by turns."""

import threading

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

WELL = "listen {listen}; location / { return 200 'well'; }"
CLOSES = "listen {listen}; location / { return 444; }"  # reads the request and closes without an octet


def unwell(status):
    return "listen {listen}; location / { return %d 'unwell'; }" % status


# Takes the request and says nothing for a minute.
SILENT = """
frontend silent
  bind {bind0}
  timeout tarpit 60s
  http-request tarpit
"""


class Retries(ProxyTest):
    def nginx(self, *servers) -> list:
        return self.enterContext(Nginx(*servers)).addresses

    def silent(self) -> str:
        return self.enterContext(HAProxy(SILENT)).address

    def serve(self, *endpoints, workers=1, **fields):
        return self.start(config(service(*endpoints, **fields), workers=workers))

    def statuses(self, proxy, count=10, **request) -> list:
        return sorted({proxy.get("/", **request).status for _ in range(count)})

    def assert_tries(self, records, most):
        """Whom a first try meets is the balancer's to say."""
        tries = {r["tries"] for r in records}
        self.assertIn(most, tries)
        self.assertLessEqual(tries, set(range(1, most + 1)))

    def counted(self, proxy, name, **labels) -> int:
        return int(proxy.metrics().sum(f"telltale_{name}", service="app", **labels))

    def wait_counted(self, value, proxy, name, **labels):
        wait_until(lambda: self.counted(proxy, name, **labels) == value, f"{name} to be {value}")

    # Conditions.

    def test_a_connection_closed_before_its_response_is_tried_elsewhere_if_asked_for(self):
        closing, well = self.nginx(CLOSES, WELL)
        proxy = self.serve(closing, well, retries={"on": ["reset"]})
        for method in ("GET", "HEAD", "OPTIONS", "DELETE", "PUT"):
            self.assertEqual(self.statuses(proxy, method=method), [200], method)
        records = proxy.wait_access(count=50)
        self.assert_tries(records, 2)
        self.assertEqual({(r["reason"], r["failure"]) for r in records}, {(None, None)}, "in the end it went well")
        self.assertEqual({r["endpoint"] for r in records}, {well})
        self.assertEqual(self.counted(proxy, "retries_total"), sum(r["tries"] - 1 for r in records))
        self.assertEqual(self.counted(proxy, "request_failures_total"), 0)

    def test_what_may_have_been_done_is_not_done_twice(self):
        closing, well = self.nginx(CLOSES, WELL)
        proxy = self.serve(closing, well, retries={"on": ["reset", "timeout"], "statuses": [502]})
        for what in ({"method": "POST"}, {"method": "PATCH"}, {"method": "PUT", "body": b"x" * 100}):
            with self.subTest(**what):
                self.assertEqual(self.statuses(proxy, **what), [200, 502])
        failed = proxy.wait_access(lambda r: r["status"] == 502, count=15)
        self.assertEqual({(r["tries"], r["endpoint"]) for r in failed}, {(1, closing)})
        # Who closes with octets unread sends a reset.
        self.assertLessEqual({r["reason"] for r in failed}, {"upstream_closed", "upstream_reset"})
        self.assertEqual(self.counted(proxy, "request_failures_total"), 15)

    def test_nothing_but_connecting_is_tried_again_by_default(self):
        closing, well, unavailable = self.nginx(CLOSES, WELL, unwell(503))
        with refused_address() as refused:
            proxy = self.serve(closing, well, unavailable, refused)
            self.assertEqual([self.statuses(proxy, 12)], [[200, 502, 503]])
        failed = proxy.wait_access(lambda r: r["status"] == 502, count=3)
        self.assertLessEqual({r["reason"] for r in failed}, {"upstream_closed", "upstream_reset"})

    def test_a_refused_connection_alone_is_not_asked_again_at_once(self):
        with refused_address() as refused:
            proxy = self.serve(refused, retries={"attempts": 3})
            self.assertEqual(proxy.get("/").status, 502)
        record = proxy.wait_access()[0]
        self.assertEqual((record["tries"], record["reason"]), (1, "connect_refused"))

    def test_every_endpoint_is_tried_once_until_one_serves(self):
        (well,) = self.nginx(WELL)
        with refused_address() as one, refused_address() as two, refused_address() as three:
            proxy = self.serve(one, two, three, well, retries={"attempts": 3})
            for method, body in (("GET", b""), ("POST", b"x" * 100_000)):
                self.assertEqual(self.statuses(proxy, 8, method=method, body=body), [200])
            self.assert_tries(proxy.wait_access(count=16), 4)
            few = self.serve(one, two, three, well, retries={"attempts": 1})
            self.assertEqual(self.statuses(few, 8), [200, 502])

    def test_a_listed_status_is_dropped_and_tried_elsewhere(self):
        unavailable, well = self.nginx(unwell(503), WELL)
        proxy = self.serve(unavailable, well, retries={"statuses": ["502-504"]})
        for _ in range(10):
            response = proxy.get("/")
            self.assertEqual((response.status, response.body), (200, b"well"))
        self.assertEqual(self.statuses(proxy, method="POST"), [200, 503], "once is enough")
        self.assert_tries(proxy.wait_access(count=20), 2)
        # The dropped responses were here as a whole: their connections were used again.
        self.assertLessEqual(self.counted(proxy, "upstream_connections_opened_total"), 2)

    def test_a_status_that_is_not_listed_is_a_response(self):
        gone, well = self.nginx(unwell(404), WELL)
        proxy = self.serve(gone, well, retries={"statuses": ["502-504"]})
        self.assertEqual(self.statuses(proxy), [200, 404])

    def test_after_the_last_attempt_the_response_comes_as_it_is(self):
        addresses = self.nginx(unwell(503), unwell(503), unwell(503))
        for endpoints, tries in ((addresses, 3), (addresses[:1], 3)):
            proxy = self.serve(*endpoints, retries={"attempts": 2, "statuses": [503]})
            response = proxy.get("/")
            self.assertEqual((response.status, response.body), (503, b"unwell"))
            record = proxy.wait_access()[0]
            self.assertEqual((record["status"], record["tries"], record["reason"]), (503, tries, None))

    def test_a_try_that_takes_too_long_is_given_up(self):
        (well,) = self.nginx(WELL)
        proxy = self.serve(self.silent(), well, retries={"on": ["timeout"], "per_try_timeout": "2s"})
        self.assertEqual(self.statuses(proxy, 4), [200])
        self.assert_tries(proxy.wait_access(count=4), 2)
        self.assertEqual(self.statuses(proxy, 2, method="POST"), [200, 504])
        record = proxy.wait_access(lambda r: r["status"] == 504)[0]
        self.assertEqual((record["tries"], record["reason"]), (1, "per_try_timeout"))

    def test_the_same_endpoint_is_asked_again_where_there_is_no_other(self):
        answers = iter([b"", respond(200, "at last")])
        app = self.backend(http_handler(lambda request: next(answers) or None))
        proxy = self.serve(app, retries={"on": ["reset"]})
        self.assertEqual(proxy.get("/").body, b"at last")
        self.assertEqual(proxy.wait_access()[0]["tries"], 2)

    # What is never tried again.

    def test_nothing_is_tried_again_once_the_client_heard_something(self):
        everything = {"on": ["connect_failure", "reset", "timeout"], "statuses": ["500-599"], "attempts": 3}
        beginnings = {
            "an interim head": respond(103, length=False),
            "half a response": respond(200, b"x" * 1000)[:-500],
        }
        for what, octets in beginnings.items():
            with self.subTest(what):
                apps = [self.backend(lambda c, o=octets: (c.next_request(), c.send(o))) for _ in range(2)]
                proxy = self.serve(*apps, retries=everything)
                with proxy.client() as client:
                    client.request("GET", "/")
                    if octets.startswith(b"HTTP/1.1 103"):
                        response = client.read_response()
                        self.assertEqual((response.status, len(response.interim)), (502, 1))
                    else:
                        self.assertRaises(ConnectionError, client.read_response)
                self.assertEqual(sum(len(a.requests) for a in apps), 1)
                record = proxy.wait_access()[0]
                self.assertEqual(record["tries"], 1)
                self.assertIn(record["reason"], ("upstream_closed", "upstream_reset"))

    def test_half_a_head_is_not_tried_again_as_a_reset(self):
        apps = [self.backend(lambda c: (c.next_request(), c.send(b"HTTP/1.1 200 O"))) for _ in range(2)]
        proxy = self.serve(*apps, retries={"on": ["reset"]})
        self.assertEqual(proxy.get("/").status, 502)
        self.assertEqual(sum(len(a.requests) for a in apps), 1)

    def test_a_response_that_is_not_http_is_not_tried_again(self):
        bad = self.backend(lambda c: (c.next_request(), c.send(b"220 mail.example ESMTP\r\n")))
        proxy = self.serve(bad, retries={"on": ["reset", "timeout"], "attempts": 3})
        self.assertEqual(proxy.get("/").status, 502)
        record = proxy.wait_access()[0]
        self.assertEqual((record["tries"], record["reason"]), (1, "bad_response"))

    # How many.

    def held_retry(self, workers, **fields):
        """One request whose second try hangs, and what the next one gets that would be tried again."""
        lock, seen = threading.Lock(), set()

        def answer(request):
            with lock:
                first = request.target not in seen
                seen.add(request.target)
            if not first:
                app.release.wait()
                return respond(200, "at last")
            return respond(503, "not yet")

        app = self.backend(http_handler(answer))
        proxy = self.serve(app, workers=workers, **fields)
        held = self.enterContext(proxy.client())
        held.request("GET", "/held")
        app.wait_requests(2)
        next_one = proxy.get("/next")
        self.wait_counted(1, proxy, "retries_active")
        app.release.set()
        self.assertEqual(held.read_response().body, b"at last")
        return proxy, next_one

    def test_a_retry_beyond_the_budget_is_not_made(self):
        retries = {"statuses": [503], "budget": 20, "min_concurrent": 1}
        proxy, next_one = self.held_retry(1, retries=retries)
        self.assertEqual((next_one.status, next_one.body), (503, b"not yet"))
        self.assertEqual(self.counted(proxy, "retries_refused_total", reason="budget"), 1)
        self.wait_counted(0, proxy, "retries_active")
        self.assertEqual(proxy.get("/after").body, b"at last", "and then there is room again")

    def test_a_retry_beyond_max_retries_is_not_made_in_any_worker(self):
        retries = {"statuses": [503], "min_concurrent": 10}
        proxy, next_one = self.held_retry(4, retries=retries, circuit_breakers={"max_retries": 1})
        self.assertEqual((next_one.status, next_one.body), (503, b"not yet"))
        self.assertEqual(self.counted(proxy, "retries_refused_total", reason="max_retries"), 1)
        self.wait_counted(0, proxy, "circuit_breaker_in_use", limit="max_retries")
        self.assertEqual(proxy.get("/after").body, b"at last")

    # Routes.

    def test_a_route_has_retries_of_its_own(self):
        unavailable, well = self.nginx(unwell(503), WELL)
        routes = [
            {"match": {"path": "/once"}, "service": "app", "retries": 0},
            {"match": {"path": "/else"}, "service": "app", "retries": {"statuses": [500]}},
            {"service": "app"},
        ]
        app = service(unavailable, well, retries={"statuses": [503]})
        proxy = self.start(config(app, listeners=[listener(routes=routes)], workers=1))
        for path, statuses in (("/", [200]), ("/once", [200, 503]), ("/else", [200, 503])):
            self.assertEqual(sorted({proxy.get(path).status for _ in range(10)}), statuses, path)


if __name__ == "__main__":
    main()
