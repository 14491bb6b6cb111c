"""Waiting for conditions, never for time."""

import os
import pathlib
import threading
import time


def binary_path() -> str:
    path = os.environ.get("TELLTALE")
    if not path:
        raise AssertionError("TELLTALE must name the telltale binary")
    return path


def _sanitizer() -> str:
    """Which sanitizer the binary was built with: "", "asan" or "tsan"."""
    path = os.environ.get("TELLTALE")
    if not path or not os.path.exists(path):
        return ""
    image = pathlib.Path(path).read_bytes()
    if b"__asan_init" in image:
        return "asan"
    if b"__tsan_init" in image:
        return "tsan"
    return ""


SANITIZER = _sanitizer()

# Seconds. Only a test that fails waits this long.
DEADLINE = 60.0 if SANITIZER else 20.0

_POLL_SECONDS = 0.002
_never = threading.Event()


def wait_until(condition, what="the condition", deadline=None):
    """Returns the first true value of condition(); fails after the deadline."""
    end = time.monotonic() + (DEADLINE if deadline is None else deadline)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}")
        _never.wait(_POLL_SECONDS)


def wait_stable(value, quiet=0.5, deadline=None):
    """Returns value() once it has not changed for `quiet` seconds: for what must stop moving."""
    end = time.monotonic() + (DEADLINE if deadline is None else deadline)
    last, since = value(), time.monotonic()
    while time.monotonic() - since < quiet:
        if time.monotonic() > end:
            raise AssertionError(f"still moving at the deadline: {last!r}")
        _never.wait(_POLL_SECONDS)
        now = value()
        if now != last:
            last, since = now, time.monotonic()
    return last
