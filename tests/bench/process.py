"""Processes pinned to a core, and what they cost, read from /proc: a process and all its descendants."""

import os
import pathlib
import subprocess
import time


def pin(core: int, *, batch: bool = False) -> None:
    """Binds the calling process to a core. batch: who shares it is not interrupted for each message that comes."""
    os.sched_setaffinity(0, {core})
    if batch:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


class Process:
    def __init__(self, argv: list[str], core: int, log: pathlib.Path, *, batch: bool = False):
        self.log_path = log
        self.argv = argv
        with log.open("ab") as sink:
            self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
                                          preexec_fn=lambda: pin(core, batch=batch))

    def assert_alive(self) -> None:
        if self.popen.poll() is not None:
            tail = self.log_path.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.argv[0]} ended with {self.popen.returncode}\n{tail}")

    def wait_until(self, ready, seconds: float = 15) -> None:
        """`ready` is tried until it returns true; OSError counts as not yet."""
        until = time.monotonic() + seconds
        while True:
            self.assert_alive()
            try:
                if ready():
                    return
            except OSError:
                pass
            if time.monotonic() > until:
                raise RuntimeError(f"{self.argv[0]} does not answer\n" + self.log_path.read_text(errors="replace")[-2000:])
            time.sleep(0.02)

    def stop(self) -> None:
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(timeout=3)
            except subprocess.TimeoutExpired:
                for pid in reversed(family(self.popen.pid)):
                    try:
                        os.kill(pid, 9)
                    except ProcessLookupError:
                        pass
                self.popen.wait()

    def cpu_ns(self) -> int:
        """Time on a CPU, of all threads of the process and its descendants, in nanoseconds."""
        total = 0
        for pid in family(self.popen.pid):
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
        return total

    def resident_bytes(self) -> int:
        total = 0
        for pid in family(self.popen.pid):
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Rss:"):
                    total += int(line.split()[1]) * 1024
        return total


def family(pid: int) -> list[int]:
    """The process and its descendants."""
    pids = [pid]
    for parent in pids:
        for task in pathlib.Path(f"/proc/{parent}/task").iterdir():
            pids += [int(child) for child in (task / "children").read_text().split()]
    return pids
