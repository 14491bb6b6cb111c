"""The real binary, started on ports of the kernel's choosing."""

import functools
import json
import os
import re
import signal
import subprocess
import tempfile

from . import sockets
from .client import Client
from .config import to_text
from .process import Process
from .waiting import DEADLINE, binary_path, wait_until

_LISTENING = re.compile(r"listening on (\S+) \(listener ([^)]+)\)")
_ADMIN = re.compile(r'admin on ([^\s"]+)')
_HEALTH_PORT = re.compile(r"health check node port on (\S+) \(service ([^)]+)\)")
_READY = re.compile(r'(^|[\s"])ready\b')
_SANITIZER_REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|LeakSanitizer:")
_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)\Z")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

ENVIRONMENT = {
    "UBSAN_OPTIONS": os.environ.get("UBSAN_OPTIONS", "print_stacktrace=1"),
    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "detect_leaks=1"),
    "TSAN_OPTIONS": os.environ.get("TSAN_OPTIONS", "second_deadlock_stack=1"),
}

running = []  # every instance that is up
started = []  # every instance there was, so that a failing test can show their logs


def _sample(line: str) -> tuple:
    """(name, labels, value)"""
    match = _SAMPLE.match(line)
    if not match:
        raise AssertionError(f"not a Prometheus sample: {line!r}")
    return match["name"], dict(_LABEL.findall(match["labels"] or "")), float(match["value"])


class Metrics:
    """A /metrics page. With hundreds of listeners it is long: only what is asked for is parsed."""

    def __init__(self, text: str):
        self.text = text
        self._lines = [line for line in text.splitlines() if line and not line.startswith("#")]

    @functools.cached_property
    def samples(self) -> list:
        """(name, labels, value) of each."""
        return [_sample(line) for line in self._lines]

    def sum(self, name: str, **labels) -> float:
        """Over the samples whose name matches the pattern `name` whole and which have these labels."""
        begins = re.compile(f"(?:{name})[{{ ]")
        wanted, spelled = labels.items(), [f'{label}="{value}"' for label, value in labels.items()]
        found = (_sample(line) for line in self._lines if all(s in line for s in spelled) and begins.match(line))
        return sum(value for _, have, value in found if wanted <= have.items())

    def names(self) -> set:
        return {name for name, _, _ in self.samples}


class Telltale:
    """`telltale run -c FILE`; a context manager that ends it with SIGTERM and expects exit status 0."""

    def __init__(self, configuration, *, environment=None, arguments=()):
        self._directory = tempfile.TemporaryDirectory(prefix="telltale-test-")
        self.directory = self._directory.name
        self.configuration = to_text(configuration)
        self.file = os.path.join(self.directory, "telltale.yaml")
        with open(self.file, "w", encoding="utf-8") as out:
            out.write(self.configuration)
        argv = [binary_path(), "run", "-c", self.file, *arguments]
        self.process = Process(argv, env={**ENVIRONMENT, **(environment or {})}, cwd=self.directory)
        self.log, self.output = self.process.stderr, self.process.stdout
        self.stopped = False
        running.append(self)
        started.append(self)
        try:
            self.log.wait_line(_READY)
        except AssertionError:
            self.process.kill()
            self._forget()
            raise
        lines = self.log.lines()
        self.listeners = {m[2]: sockets.parse_address(m[1]) for m in map(_LISTENING.search, lines) if m}
        self.health_ports = {m[2]: sockets.parse_address(m[1]) for m in map(_HEALTH_PORT.search, lines) if m}
        self.admin = next((sockets.parse_address(m[1]) for m in map(_ADMIN.search, lines) if m), None)

    def _forget(self):
        if self in running:
            running.remove(self)
        self._directory.cleanup()

    # Where it is.

    def address(self, listener="web"):
        address = self.listeners[listener]
        if isinstance(address, tuple) and address[0] == "::":
            return ("127.0.0.1", address[1])
        return address

    def url(self, path="/", listener="web") -> str:
        host, port = self.address(listener)
        return f"http://{host}:{port}{path}"

    def client(self, listener="web", **options) -> Client:
        return Client(self.address(listener), **options)

    def get(self, target="/", fields=(), *, listener="web", source=None, first=b"", **options):
        """One request on a connection of its own."""
        with self.client(listener, source=source, first=first) as client:
            return client.get(target, fields, **options)

    # What it says.

    def ask_admin(self, path="/", method="GET"):
        with Client(self.admin) as client:
            client.request(method, path, [("Connection", "close")], host="localhost")
            return client.read_response(method)

    def metrics(self) -> Metrics:
        response = self.ask_admin("/metrics")
        assert response.status == 200, response
        return Metrics(response.body.decode())

    def services(self) -> dict:
        """/services, by name."""
        response = self.ask_admin("/services")
        assert response.status == 200, response
        return {s["name"]: s for s in response.json()}

    def status(self, *arguments) -> str:
        """What `telltale status` prints."""
        argv = [binary_path(), "status", "--admin", sockets.text_of(self.admin), *arguments]
        return subprocess.run(argv, capture_output=True, check=False, text=True, timeout=DEADLINE).stdout

    def endpoint_states(self, service="app") -> dict:
        """Endpoint name or address -> state."""
        return {e.get("node") or e["name"]: e["state"] for e in self.services()[service]["endpoints"]}

    def wait_states(self, service="app", **states):
        wanted = {name.replace("_", "-"): state for name, state in states.items()}
        wait_until(lambda: self.endpoint_states(service) == wanted, f"the states {wanted}")

    def access_log(self) -> list:
        return [json.loads(line) for line in self.output.lines()]

    def wait_access(self, find=lambda record: True, count=1) -> list:
        """The first `count` access-log records that find(record) accepts."""

        def enough(lines):
            records = [r for r in map(json.loads, lines) if find(r)]
            return records[:count] if len(records) >= count else None

        return self.output.wait_for(enough, f"{count} access-log records")

    def memory(self, field="VmRSS") -> int:
        """Octets, from /proc: VmRSS or VmHWM (the highest ever)."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field + ":"))

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    # Its end.

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self, signal_number=signal.SIGTERM, expect=0):
        """Ends it; exit status and log must be clean."""
        if self.stopped:
            return
        self.stopped = True
        if self.process.running():
            self.process.send_signal(signal_number)
        try:
            self.check_end(self.process.wait(DEADLINE), expect)
        finally:
            self._forget()

    def lost(self):
        """It was killed on purpose: nothing is expected of its end."""
        self.stopped = True
        self.process.kill()
        self._forget()

    def check_end(self, status, expect=0):
        text = self.log.text()
        if _SANITIZER_REPORT.search(text):
            raise AssertionError("the sanitizer reported:\n" + text)
        if status != expect:
            raise AssertionError(f"exit status {status}, not {expect}; log:\n{text}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
