#!/usr/bin/env python3
"""What a request costs in the proxy: Telltale beside nginx, HAProxy and a relay that parses nothing.

One worker each, the proxy on one core, load and backend on another. In every round each contender is measured once on
each row, in turn; the figure is the CPU time of the proxy (all its threads and processes) divided by the completed
requests, and what counts is the ratio of the medians. See README.md beside this file.
"""

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import platform
import re
import resource
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile

import contenders as cast
import report
from process import Process, pin

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@dataclasses.dataclass(frozen=True)
class Row:
    key: str
    title: str
    path: str
    connections: int
    close: bool = False
    idle: bool = False
    tls: bool = False
    resume: bool = False
    tcp: bool = False

    @property
    def load_flags(self) -> list[str]:
        return [*["close"] * self.close, *["tls"] * self.tls, *["resume"] * self.resume]

    def port(self, ports: cast.Ports, contender: cast.Contender) -> int:
        if self.tls:
            return ports.tls
        return ports.tcp if self.tcp and contender.speaks_http else ports.plain  # all that the relay does is TCP

    @property
    def unit(self) -> str:
        return "bytes" if self.idle else "us"

    def fits(self, contender: cast.Contender) -> bool:
        """The relay keeps a backend connection for each client, which is no measure for these two."""
        return contender.speaks_http or not (self.close or self.idle or self.tls)


ROWS = [
    Row("get1", "GET 128 B, 1 connection", "/128", 1),
    Row("get64", "GET 128 B, 64 connections", "/128", 64),
    Row("get256", "GET 128 B, 256 connections", "/128", 256),
    Row("close", "a connection for each request (64)", "/128", 64, close=True),
    Row("64k", "GET 64 KB, 64 connections", "/64k", 64),
    Row("1m", "GET 1 MB, 16 connections", "/1m", 16),
    Row("idle", "idle keep-alive connection, memory", "/128", 5000, idle=True),
    Row("tls64", "TLS 1.3, GET 128 B, 64 connections", "/128", 64, tls=True),
    Row("tls-full", "TLS 1.3, a full handshake for each request (P-256, 16)", "/128", 16, close=True, tls=True),
    Row("tls-resumed", "TLS 1.3, a resumed session for each request (16)", "/128", 16, close=True, tls=True, resume=True),
    Row("tls-1m", "TLS 1.3, GET 1 MB, 16 connections", "/1m", 16, tls=True),
    Row("tls-idle", "idle TLS connection, memory", "/128", 5000, idle=True, tls=True),
    Row("tcp128", "TCP, 128 B each way, 64 connections", "/128", 64, tcp=True),
    Row("tcp-1m", "TCP, 1 MB, 16 connections", "/1m", 16, tcp=True),
]


CLIENT_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CLIENT_TLS.check_hostname = False
CLIENT_TLS.verify_mode = ssl.CERT_NONE
CLIENT_TLS.minimum_version = ssl.TLSVersion.TLSv1_3


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port: int, path: str, connection: socket.socket | None = None) -> bytes:
    """One GET; returns head and body of a 200."""
    own = connection is None
    sock = connection or socket.create_connection(("127.0.0.1", port), timeout=5)
    try:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Bench: 1\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data or len(data) < length_of(data):
            piece = sock.recv(65536)
            if not piece:
                raise OSError(f"closed after {data[:200]!r}")
            data += piece
        if not data.startswith(b"HTTP/1.1 200"):
            raise OSError(f"answered {data[:200]!r}")
        return data
    finally:
        if own:
            sock.close()


def length_of(data: bytes) -> int:
    head, _, _ = data.partition(b"\r\n\r\n")
    found = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    if not found:
        raise OSError(f"no Content-Length in {head[:300]!r}")
    return len(head) + 4 + int(found.group(1))


def parse_wrk(text: str) -> dict:
    """Completed requests, seconds, latencies in µs; raises when anything went wrong."""
    done = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", text)
    if not done or int(done.group(1)) == 0:
        raise RuntimeError("wrk completed nothing:\n" + text)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    if bad or (errors and any(int(n) for n in errors.groups())):
        raise RuntimeError("wrk saw errors:\n" + text)
    scale = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7}
    latency = {f"p{p}": float(value) * scale[unit]
               for p, value, unit in re.findall(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m)$", text, re.MULTILINE)}
    return {"requests": int(done.group(1)), "seconds": float(done.group(2)) * scale[done.group(3)] / 1e6, **latency}


class Bench:
    def __init__(self, options: argparse.Namespace, folder: pathlib.Path):
        self.options = options
        self.certificate = folder / "certificate.pem"
        cast.make_certificate(self.certificate)
        self.folder = folder
        self.backend_port = free_port()
        self.backend = Process([options.backend, str(self.backend_port)], options.load_core, folder / "backend.log",
                               batch=True)
        self.running: dict[str, tuple[Process, cast.Ports]] = {}
        try:
            self.backend.wait_until(lambda: get(self.backend_port, "/128"))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for process, _ in self.running.values():
            process.stop()
        self.running.clear()
        self.backend.stop()

    def start(self, contender: cast.Contender) -> tuple[Process, cast.Ports]:
        ports = cast.Ports(free_port(), free_port(), free_port(), self.backend_port, self.certificate)
        port = ports.plain
        folder = self.folder / f"{contender.name}-{port}"
        folder.mkdir()
        process = Process(contender.command(folder, ports), self.options.proxy_core, folder / "log")
        try:
            process.wait_until(lambda: get(port, "/128"))
            if contender.speaks_http:
                seen = get(port, "/seen").decode(errors="replace")
                if not re.search(r"^x-forwarded-for:.*127\.0\.0\.1", seen, re.IGNORECASE | re.MULTILINE):
                    raise RuntimeError(f"{contender.name} does not tell the backend who the client is:\n{seen}")
        except BaseException:
            process.stop()
            raise
        return process, ports

    def measure(self, row: Row, contender: cast.Contender, seconds: int) -> dict:
        if row.idle:
            return self.measure_idle(row, contender)
        process, ports = self.running[contender.name]
        command = self.load_command(row, row.port(ports, contender), seconds)
        before = process.cpu_ns()
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              preexec_fn=lambda: pin(self.options.load_core, batch=True))
        cpu = process.cpu_ns() - before
        process.assert_alive()
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        result = parse_wrk(done.stdout) if self.options.wrk else json.loads(done.stdout)
        return result | {"value": cpu / 1e3 / result["requests"], "busy": cpu / 1e9 / result["seconds"]}

    def load_command(self, row: Row, port: int, seconds: int) -> list[str]:
        if not self.options.wrk:
            return [self.options.load, str(port), row.path, str(row.connections), str(seconds), *row.load_flags]
        if row.tls:
            raise RuntimeError(f"{row.key}: wrk is for rows without TLS")
        return ["wrk", "-t1", f"-c{row.connections}", f"-d{seconds}s", "--latency", "--timeout", "10s",
                *["-H", "Connection: close"] * row.close, f"http://127.0.0.1:{port}{row.path}"]

    def measure_idle(self, row: Row, contender: cast.Contender) -> dict:
        """A fresh process: its memory with N connections that each made one request, less that before them."""
        process, ports = self.start(contender)
        port = row.port(ports, contender)
        sockets: list[socket.socket] = []

        def connect() -> socket.socket:
            sock = socket.create_connection(("127.0.0.1", port), timeout=5)
            return CLIENT_TLS.wrap_socket(sock) if row.tls else sock

        try:
            for _ in range(200):  # what the first requests allocate is not the connections' doing
                with connect() as sock:
                    get(port, row.path, sock)
            before = process.resident_bytes()
            for _ in range(row.connections):
                sockets.append(connect())
                get(port, row.path, sockets[-1])
            grown = process.resident_bytes() - before
            for sock in (sockets[0], sockets[-1]):  # they are all still there
                get(port, row.path, sock)
            return {"value": grown / row.connections}
        finally:
            for sock in sockets:
                sock.close()
            process.stop()

    def run(self, rows: list[Row], players: list[cast.Contender]) -> dict[str, dict[str, list[dict]]]:
        for player in players:
            self.running[player.name] = self.start(player)
        results = {row.key: {player.name: [] for player in players if row.fits(player)} for row in rows}
        for row in rows:  # warm: pools filled, pages touched, branch predictors as they will be
            for player in players:
                if not row.idle and row.fits(player):
                    self.measure(row, player, 1)
        for number in range(self.options.rounds):
            order = players[number % len(players):] + players[:number % len(players)]
            for row in rows:
                if row.idle and number >= 3:  # three are enough: it hardly varies
                    continue
                for player in order:
                    if row.fits(player):
                        results[row.key][player.name].append(self.measure(row, player, self.options.seconds))
            print(f"round {number + 1} of {self.options.rounds}", file=sys.stderr, flush=True)
        return results


def machine() -> dict:
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return {"cpu": model.group(1) if model else platform.machine(), "cores": os.cpu_count(),
            "kernel": platform.release(), "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}


def parse_options(argv: list[str]) -> argparse.Namespace:
    build = ROOT / "build"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="all", help="comma-separated: " + ", ".join(row.key for row in ROWS))
    parser.add_argument("--contenders", default="floor,haproxy,nginx,telltale", help="comma-separated")
    parser.add_argument("--rounds", type=int, default=21, help="how often each is measured (default 21)")
    parser.add_argument("--seconds", type=int, default=1, help="of load for each measurement (default 1)")
    parser.add_argument("--quick", action="store_true", help="three rounds of one second: a hint, not a result")
    parser.add_argument("--proxy-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--floor", default=str(build / "bench/floor"))
    parser.add_argument("--backend", default=str(build / "bench/backend"))
    parser.add_argument("--load", default=str(build / "bench/load"))
    parser.add_argument("--wrk", action="store_true", help="load by wrk, which takes more of the load's core")
    parser.add_argument("--nginx", default=shutil.which("nginx") or "/usr/sbin/nginx")
    parser.add_argument("--haproxy", default=shutil.which("haproxy") or "/usr/sbin/haproxy")
    parser.add_argument("--telltale", default=str(build / "telltale"))
    parser.add_argument("--output", type=pathlib.Path, default=build / "bench", help="folder for results.{md,json,svg}")
    options = parser.parse_args(argv)
    if options.quick:
        options.rounds, options.seconds = 3, 1
    return options


def select(wanted: str, known: list, key) -> list:
    if wanted == "all":
        return known
    names = wanted.split(",")
    unknown = set(names) - {key(item) for item in known}
    if unknown:
        sys.exit(f"bench: no such row or contender: {', '.join(sorted(unknown))}")
    return [item for item in known if key(item) in names]


def main(argv: list[str]) -> int:
    options = parse_options(argv)
    rows = select(options.rows, ROWS, lambda row: row.key)
    players = select(options.contenders,
                     cast.all_contenders(options.floor, options.nginx, options.haproxy, options.telltale),
                     lambda player: player.name)
    load = (shutil.which("wrk") or "wrk") if options.wrk else options.load
    needed = [options.backend, load, *(player.path for player in players)]
    missing = [path for path in needed if not os.access(path, os.X_OK)]
    if missing:
        sys.exit(f"bench: missing: {', '.join(missing)}")
    if not {options.proxy_core, options.load_core} <= os.sched_getaffinity(0):
        sys.exit("bench: needs two cores: --proxy-core and --load-core choose them")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    options.output.mkdir(parents=True, exist_ok=True)

    with tempfile.TemporaryDirectory(prefix="telltale-bench-") as folder:
        os.sched_setaffinity(0, {options.load_core})  # the harness itself must not disturb the proxy
        bench = Bench(options, pathlib.Path(folder))
        try:
            results = bench.run(rows, players)
        finally:
            bench.close()

    names = [player.name for player in players]
    samples = {row: {name: [run["value"] for run in runs] for name, runs in by.items()} for row, by in results.items()}
    records = report.summarise(samples)
    titles = {row.key: (row.title, row.unit) for row in rows}
    table = report.markdown(records, titles, names)
    for record in records:
        record["busy"] = {name: statistics.median(run["busy"] for run in runs)
                          for name, runs in results[record["row"]].items() if runs and "busy" in runs[0]}
    document = {"machine": machine(), "rounds": options.rounds, "seconds": options.seconds,
                "versions": {player.name: player.version() for player in players}, "rows": records, "runs": results}
    (options.output / "results.md").write_text(table)
    (options.output / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    (options.output / "results.svg").write_text(report.svg(records, titles, names))
    print(table)
    print(f"written: {options.output}/results.md, results.json, results.svg", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
