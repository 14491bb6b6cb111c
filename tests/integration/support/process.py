"""Child processes whose output is read as it comes."""

import os
import re
import shutil
import signal
import subprocess
import threading
import time

from .waiting import DEADLINE


def find_program(name: str) -> str:
    """The path of a peer program. A missing one fails the test: it must never be skipped."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin:/sbin")
    if path is None:
        raise AssertionError(f"{name} is not installed; docker/packages.txt lists it")
    return path


class LineLog:
    """The lines of a pipe, in the order they came; read by a thread so that the child never blocks."""

    def __init__(self, pipe):
        self._lines = []
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._pump, args=(pipe,), daemon=True)
        self._thread.start()

    def _pump(self, pipe):
        with pipe:
            for line in pipe:
                with self._changed:
                    self._lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def lines(self) -> list:
        with self._changed:
            return list(self._lines)

    def text(self) -> str:
        return "\n".join(self.lines())

    def wait_for(self, find, what, deadline=None):
        """The first true value of find(lines). Fails when the pipe ends or the deadline passes without one."""
        end = time.monotonic() + (DEADLINE if deadline is None else deadline)
        with self._changed:
            while True:
                found = find(self._lines)
                if found:
                    return found
                left = end - time.monotonic()
                if self._ended or left <= 0:
                    why = "output ended" if self._ended else "deadline passed"
                    raise AssertionError(f"{why} before {what}; output:\n" + "\n".join(self._lines))
                self._changed.wait(left)

    def wait_line(self, pattern, deadline=None, start=0) -> re.Match:
        compiled = re.compile(pattern)

        def find(lines):
            return next((m for m in map(compiled.search, lines[start:]) if m), None)

        return self.wait_for(find, f"a line like {pattern!r}", deadline)

    def join(self):
        self._thread.join(DEADLINE)


class Process:
    """One child in its own session, so that a Ctrl-C on the tests does not reach it first."""

    def __init__(self, argv, *, env=None, cwd=None, pass_fds=()):
        self.argv = [str(a) for a in argv]
        self._child = subprocess.Popen(
            self.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        self.pid = self._child.pid
        self.stdout = LineLog(self._child.stdout)
        self.stderr = LineLog(self._child.stderr)

    def running(self) -> bool:
        return self._child.poll() is None

    def send_signal(self, number: int):
        self._child.send_signal(number)

    def wait(self, deadline=None) -> int:
        """The exit status; a child that outlives the deadline is killed and fails the test."""
        try:
            status = self._child.wait(DEADLINE if deadline is None else deadline)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.argv[0]} did not end; its log:\n{self.stderr.text()}") from None
        self.stdout.join()
        self.stderr.join()
        return status

    def kill(self):
        if self.running():
            self._child.send_signal(signal.SIGKILL)
        self._child.wait()
        self.stdout.join()
        self.stderr.join()
