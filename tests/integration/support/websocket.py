"""A real WebSocket server and client (Debian's python3-websockets), each in a process of its own."""

import os

from .process import Process

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "websocket_peer.py")
# Debian's websockets come with Debian's Python, whichever runs the tests.
_PYTHON = "/usr/bin/python3"


class WebSocketServer:
    """Sends every message back; closes with 4000 and a reason when told `close`."""

    def __init__(self):
        self._process = Process([_PYTHON, _PROGRAM, "serve"])
        try:
            self.address = "127.0.0.1:" + self._process.stdout.wait_line(r"^port (\d+)$")[1]
        except AssertionError:
            self._process.kill()
            raise

    def closed(self) -> str:
        """The code and the reason with which the first connection ended."""
        return self._process.stdout.wait_line(r"^closed (.*)$")[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        running = self._process.running()
        self._process.kill()
        if not running:
            raise AssertionError("the WebSocket server ended by itself:\n" + self._process.stderr.text())


def talk(url, *sizes, last="bye") -> str:
    """A client that sends messages of these sizes, expects them back, then says `last`, or `close`. What it saw of the
    end: code and reason."""
    process = Process([_PYTHON, _PROGRAM, "talk", url, last, *sizes])
    status = process.wait()
    if status != 0:
        raise AssertionError("the WebSocket client failed:\n" + process.stderr.text())
    return process.stdout.lines()[-1]
