#!/usr/bin/env python3
"""What health probes cost: `telltale run` with 10,000 endpoints, each on an address of its own in 127.0.0.0/8 and
asked every 5 s over a kept connection, once all of them have been found healthy. The CPU time of the whole process, as
a share of one core, and its resident memory, beside a run with one endpoint. See README.md beside this file.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import sys
import tempfile
import time

from bench import ROOT, free_port, get
from process import Process

SHARE_LIMIT = 5.0  # percent of one core
MEMORY_LIMIT = 50e6


def address(number: int, port: int) -> str:
    """Of the numberth endpoint: no two have the same."""
    return f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}:{port}"


def configuration(targets: int, port: int, nodes_port: int, admin_port: int) -> str:
    service = {"name": "app", "endpoints": [address(n, nodes_port) for n in range(targets)],
               "health": {"http": "/healthz", "interval": "5s"}}
    return json.dumps({"workers": 1, "admin": {"listen": f"127.0.0.1:{admin_port}"}, "access_log": "off", "drain": {"delay": "0s"},
                       "listeners": [{"listen": f"127.0.0.1:{port}", "service": "app"}], "services": [service]})


class Run:
    """One telltale with so many targets."""

    def __init__(self, options: argparse.Namespace, targets: int, nodes_port: int, folder: pathlib.Path):
        self.targets, self.nodes_port, self.admin_port = targets, nodes_port, free_port()
        file, self.log = folder / f"{targets}.yaml", folder / f"{targets}.log"
        file.write_text(configuration(targets, free_port(), nodes_port, self.admin_port))
        self.process = Process([options.telltale, "run", "-c", str(file)], options.proxy_core, self.log)

    def changes(self) -> list[str]:
        """The log's lines on changes of state: nothing is asked of the process, which would cost it time and memory."""
        return re.findall(r" is (\w+), was \w+: ", self.log.read_text(errors="replace"))

    def measure(self, seconds: int) -> dict:
        """From when all targets are healthy and have been asked once more, for so many seconds."""
        self.process.wait_until(lambda: len(self.changes()) == self.targets, 60)
        time.sleep(8)  # an interval and more: the first probes are followed by a second soon
        asked, cpu, began = self.asked(), self.process.cpu_ns(), time.monotonic()
        time.sleep(seconds)
        cpu, took = self.process.cpu_ns() - cpu, time.monotonic() - began
        asked = self.asked() - asked
        memory = self.process.resident_bytes()
        if self.changes() != ["healthy"] * self.targets:
            raise RuntimeError("not all targets were found healthy and stayed so: " + " ".join(set(self.changes())))
        return {"targets": self.targets, "probes_per_second": asked / took, "share": 100 * cpu / 1e9 / took,
                "us_per_probe": cpu / 1e3 / max(asked, 1), "memory": memory}

    def asked(self) -> int:
        return int(get(self.nodes_port, "/count").partition(b"\r\n\r\n")[2])


def verdict(value: float, limit: float) -> str:
    return "ok" if value <= limit else "OVER"


def report(one: dict, many: dict) -> str:
    count, memory = f"{many['targets']:,}", many["memory"]
    return f"""\
| {count} targets every 5 s | measured | limit | |
|---|---|---|---|
| CPU, of one core | {many['share']:.2f} % | {SHARE_LIMIT:.0f} % | {verdict(many['share'], SHARE_LIMIT)} |
| resident memory of the process | {memory / 1e6:.1f} MB | {MEMORY_LIMIT / 1e6:.0f} MB | {verdict(memory, MEMORY_LIMIT)} |
| of that, beyond a run with one target | {(memory - one['memory']) / 1e6:.1f} MB | | |
| probes a second | {many['probes_per_second']:.0f} | | |
| CPU of a probe | {many['us_per_probe']:.1f} µs | | |
"""


def parse_options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench probes", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=30, help="that are measured (default 30)")
    parser.add_argument("--proxy-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1, help="of the process that is all the targets")
    parser.add_argument("--telltale", default=str(ROOT / "build/telltale"))
    parser.add_argument("--backend", default=str(ROOT / "build/bench/backend"))
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    options = parse_options(argv)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < options.targets + 200:
        sys.exit(f"probes: {options.targets} connections need more than the {hard} files that a process may open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.sched_setaffinity(0, {options.load_core})
    results = []
    with tempfile.TemporaryDirectory(prefix="telltale-bench-") as name:
        folder, port = pathlib.Path(name), free_port()
        nodes = Process([options.backend, str(port), "lo"], options.load_core, folder / "nodes.log", batch=True)
        try:
            nodes.wait_until(lambda: get(port, "/healthz"))
            for targets in (1, options.targets):
                run = Run(options, targets, port, folder)
                try:
                    results.append(run.measure(options.seconds if targets > 1 else 1))
                finally:
                    run.process.stop()
        finally:
            nodes.stop()
    print(report(*results), end="")
    return 0 if results[1]["share"] <= SHARE_LIMIT and results[1]["memory"] <= MEMORY_LIMIT else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
