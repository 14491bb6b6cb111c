"""Full load for a while: 256 connections by wrk, nodes that flip, clients that break off. No failed request, no leak,
memory flat. Ten seconds; a minute under a sanitizer (TELLTALE_SUSTAINED_SECONDS sets another)."""

import os
import re
import subprocess
import threading

from support import HealthPort, Nginx, ProxyTest, chance, config, local_node, main, service
from support.process import find_program
from support.waiting import SANITIZER, wait_until

SECONDS = int(os.environ.get("TELLTALE_SUSTAINED_SECONDS", 60 if SANITIZER else 10))
CONNECTIONS = 256

BEGINNINGS = [
    b"",
    b"GET / HT",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 5,
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    b"PROXY TCP4 192.0.2.1 ",
]


class Address:
    def __init__(self, text):
        self.port = int(text.rpartition(":")[2])


class Sustained(ProxyTest):
    def test_full_load_with_flips_and_aborts(self):
        nginx = self.enterContext(Nginx(*["listen {listen}; location / { return 200 'well'; }"] * 2))
        health = [self.enterContext(HealthPort(name=f"health-{n}")) for n in range(2)]
        nodes = [local_node(f"node-{n}", Address(nginx.addresses[n]), health[n]) for n in range(2)]
        probe = {"http": "/healthz", "interval": "100ms", "timeout": "10s"}
        conf = service(nodes=nodes, external_traffic_policy="local", health=probe)
        # ASan keeps what was freed, 256 MB of it: that would look like a leak.
        options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"
        proxy = self.start(config(conf, access_log="off"), environment={"ASAN_OPTIONS": options})
        proxy.wait_states(node_0="healthy", node_1="healthy")

        wrk = subprocess.Popen(
            [find_program("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--timeout", "30s", proxy.url("/")],
            stdout=subprocess.PIPE, text=True,
        )
        ended = threading.Event()
        sizes = []
        aborter = threading.Thread(target=self.abort, args=(proxy, ended, chance()))
        aborter.start()
        try:
            flipping = 0
            while wrk.poll() is None:
                health[flipping].status = 503
                proxy.wait_states(**{f"node_{flipping}": "draining", f"node_{1 - flipping}": "healthy"})
                health[flipping].status = 200
                proxy.wait_states(node_0="healthy", node_1="healthy")
                flipping = 1 - flipping
                sizes.append(proxy.memory())
        finally:
            ended.set()
            aborter.join()
            wrk.kill()
            report = wrk.communicate()[0]
        self.assertNotIn("Non-2xx", report)
        # wrk cuts what is under way when its time is over; nothing may fail before.
        self.assertNotRegex(report, r"Socket errors: (?!connect 0, read 0, write 0, timeout 0)")
        self.assertGreater(int(re.search(r"(\d+) requests in", report).group(1)), 1000)
        settled = max(sizes[len(sizes) // 4 : len(sizes) // 2 + 1])
        self.assertLess(max(sizes[-5:]), settled * 1.15 + (4 << 20), f"memory grows: {sizes[:: len(sizes) // 20 + 1]}")
        wait_until(lambda: proxy.metrics().sum("telltale_requests_active") == 0, "the last requests to end")

    def abort(self, proxy, ended, draw):
        while not ended.is_set():
            with proxy.client(record=False) as client:
                try:
                    client.send(draw.choice(BEGINNINGS))
                    if draw.random() < 0.5:
                        client.reset()
                except ConnectionError:
                    pass


if __name__ == "__main__":
    main()
