"""Who is at fault when a probe fails: a process that was stopped, a route of our own, a router on the way. Only what is
the target's counts against the target."""

import pathlib
import re
import signal
import ssl
import tempfile
import time
import unittest

from support import Backend, ProxyTest, config, http_handler, listener, main, respond, self_signed, service, wait_until
from support import netns

WHY_NOT = netns.why_not()
INTERVAL, TIMEOUT = 1, 3  # seconds
PROBE = {"interval": "1s", "timeout": "3s", "fall": 1}


def late(answer: bytes) -> bytes:
    """What a server of some latency answers: so there is always a probe under way."""
    time.sleep(INTERVAL / 2)
    return answer


class Stall(ProxyTest):
    """The process stands still, as in a paused virtual machine, and its targets answer meanwhile."""

    def targets(self, name, handler, count, **health):
        """A service of so many endpoints, each on an address of its own, all of them one backend."""
        backend = self.backend(handler, name=name, address=("0.0.0.0", 0))
        endpoints = [{"address": f"127.0.1.{n}:{backend.port}", "name": f"{name}-{n}"} for n in range(1, count + 1)]
        return backend, service(*endpoints, name=name, health={**PROBE, **health})

    def tls_handler(self):
        """Takes its time before the handshake: the answer to its first flight is several steps from the end."""
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="telltale-certificates-"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self_signed(directory, "app", "/CN=app"))

        def handle(connection):
            late(b"")
            with context.wrap_socket(connection.sock, server_side=True) as stream:
                octets = b""
                while b"\r\n\r\n" not in octets and (more := stream.recv(4096)):
                    octets += more
                if octets:
                    stream.sendall(respond(200, "ok", [("Connection", "close")]))

        return handle

    def changes(self, proxy):
        """What became of whom: (name, state, state before) of every line that tells of a change."""
        return re.findall(r"health: (\S+) at \S+ is (\w+), was (\w+)", proxy.log.text())

    def test_no_state_changes_because_we_were_stopped(self):
        close = [("Connection", "close")]
        kinds = [
            self.targets("kept", http_handler(lambda request: late(respond(200, "ok"))), 60, http="/"),
            self.targets("closed", http_handler(lambda request: late(respond(200, "ok", close))), 20, http="/"),
            self.targets("other", http_handler(lambda request: late(respond(200, str(time.monotonic())))), 20, http="/"),
            self.targets("tls", self.tls_handler(), 20, https="/", tls={"verify": "none"}),
            self.targets("tcp", http_handler(), 20, tcp=True),
        ]
        listeners = [listener(conf["name"], service=conf["name"]) for _, conf in kinds]
        proxy = self.start(config(*(conf for _, conf in kinds), listeners=listeners))
        count = sum(len(conf["endpoints"]) for _, conf in kinds)
        wait_until(lambda: len(self.changes(proxy)) >= count, "all to be found healthy")
        status = pathlib.Path(f"/proc/{proxy.process.pid}/stat")
        for _ in range(2):
            proxy.process.send_signal(signal.SIGSTOP)
            wait_until(lambda: status.read_text().rpartition(")")[2].split()[0] == "T", "the process to stand still")
            over = time.monotonic() + INTERVAL + TIMEOUT + 1
            wait_until(lambda o=over: time.monotonic() >= o, "longer than an interval and the time of a probe")
            proxy.process.send_signal(signal.SIGCONT)
            seen = [len(backend.connections) + len(backend.requests) for backend, _ in kinds]
            for (backend, conf), before in zip(kinds, seen):
                wanted = before + 2 * len(conf["endpoints"])
                wait_until(lambda b=backend, w=wanted: len(b.connections) + len(b.requests) >= w, f"probes of {backend.name}")
        self.assertEqual({(state, before) for _, state, before in self.changes(proxy)}, {("healthy", "unknown")})
        self.assertEqual(len(self.changes(proxy)), count)
        metrics = proxy.metrics()
        self.assertEqual(metrics.sum("telltale_endpoint_state", state="healthy"), count)

    def test_a_target_that_went_away_meanwhile_is_found_out(self):
        backend = self.backend(http_handler(lambda request: respond(200, "ok")))
        proxy = self.start(config(service({"address": backend.address, "name": "app"}, health={**PROBE, "http": "/"})))
        proxy.wait_states(app="healthy")
        proxy.process.send_signal(signal.SIGSTOP)
        backend.close()
        over = time.monotonic() + INTERVAL + TIMEOUT
        wait_until(lambda: time.monotonic() >= over, "a stall")
        proxy.process.send_signal(signal.SIGCONT)
        proxy.wait_states(app="unhealthy")


@unittest.skipIf(WHY_NOT, f"no network namespaces here: {WHY_NOT}")
class Prohibited(ProxyTest):
    """proxy -- router -- backend"""

    def test_what_a_router_prohibits_is_the_targets_and_what_we_do_is_ours(self):
        here, router, there = self.enterContext(netns.hosts("proxy", "router", "backend"))
        netns.cable(here, "eth0", router, "proxy")
        netns.cable(router, "backend", there, "eth0")
        here.add("eth0", "2001:db8:a::2/64")
        router.add("proxy", "2001:db8:a::1/64")
        router.add("backend", "2001:db8:b::1/64")
        there.add("eth0", "2001:db8:b::2/64")
        here.ip("-6", "route", "add", "default", "via", "2001:db8:a::1")
        there.ip("-6", "route", "add", "default", "via", "2001:db8:b::1")
        here.ip("-6", "route", "add", "prohibit", "2001:db8:c::/64")
        router.ip("-6", "route", "add", "prohibit", "2001:db8:d::/64")
        with router:
            pathlib.Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1", encoding="ascii")
        with there:
            backend = self.enterContext(Backend(http_handler(), address=("2001:db8:b::2", 0)))
        endpoints = [{"address": backend.address, "name": "reached"},
                     {"address": f"[2001:db8:c::2]:{backend.port}", "name": "ours"},
                     {"address": f"[2001:db8:d::2]:{backend.port}", "name": "theirs"}]  # fmt: skip
        with here:
            proxy = self.start(config(service(*endpoints, health={**PROBE, "tcp": True, "timeout": "20s"})))
            proxy.wait_states(reached="healthy", ours="unknown", theirs="unhealthy")
            reasons = {e["name"]: e["health"]["reason"] for e in proxy.services()["app"]["endpoints"]}
            self.assertEqual(reasons["ours"], "connecting: Permission denied")
            self.assertEqual(reasons["theirs"], "connecting: Permission denied")
            proxy.stop()


if __name__ == "__main__":
    main()
