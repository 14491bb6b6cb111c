"""A real DNS server: dnsmasq."""

import os
import signal
import socket
import tempfile

from .process import Process, find_program
from .sockets import text_of
from .waiting import wait_until


def _free_port() -> int:
    """dnsmasq cannot be told to take any port: one that is free for UDP and TCP now."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        ):
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(udp.getsockname())
            except OSError:
                continue
            return udp.getsockname()[1]


class Dnsmasq:
    """Answers on 127.0.0.1 for the zone `test`, and refuses everything else. `hosts`: (address, name) pairs, which
    replace_hosts() may change; `srv`: (name, target, port, priority, weight), fixed while it runs."""

    def __init__(self, hosts=(), srv=(), ttl=1):
        self._directory = tempfile.TemporaryDirectory(prefix="telltale-test-")
        self._hosts = os.path.join(self._directory.name, "hosts")
        self.port = _free_port()
        self.address = text_of(("127.0.0.1", self.port))
        self.ttl = ttl
        self.process = None
        self._write(hosts)
        self.start(srv)

    def _write(self, hosts):
        with open(self._hosts, "w", encoding="ascii") as out:
            out.writelines(f"{address} {name}\n" for address, name in hosts)

    def start(self, srv=()):
        """Again, after stop(), maybe with other SRV records."""
        arguments = [
            "--conf-file=/dev/null",
            "--no-daemon",
            "--no-resolv",
            "--no-hosts",
            "--local=/test/",
            "--bind-interfaces",
            "--listen-address=127.0.0.1",
            f"--port={self.port}",
            "--pid-file=",
            "--user=",
            f"--local-ttl={self.ttl}",
            f"--addn-hosts={self._hosts}",
            *(f"--srv-host={','.join(map(str, record))}" for record in srv),
        ]
        self.process = Process([find_program("dnsmasq"), *arguments])
        self.process.stderr.wait_line("read " + self._hosts)

    def replace_hosts(self, hosts):
        """In force when this returns."""
        self._write(hosts)
        lines = len(self.process.stderr.lines())
        self.process.send_signal(signal.SIGHUP)
        self.process.stderr.wait_line("read " + self._hosts, start=lines)

    def stop(self):
        """At once: whoever asks is refused by the kernel."""
        self.process.kill()

    def freeze(self):
        """It is there and says nothing."""
        self.process.send_signal(signal.SIGSTOP)
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            wait_until(lambda: stat.seek(0) == 0 and stat.read().rsplit(")")[-1].split()[0] == "T", "it to stand still")

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self._directory.cleanup()
