"""A real gRPC server (Debian's python3-grpcio) with the health service of grpc.health.v1, in a process of its own."""

import os
import re
import tempfile

from .process import Process

_SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "grpc_health_server.py")


class GrpcHealth:
    """Answers with `status`: a ServingStatus by name, or a gRPC status code, such as UNAVAILABLE."""

    def __init__(self, status="SERVING", *, with_health=True):
        self._directory = tempfile.TemporaryDirectory(prefix="telltale-grpc-")
        self._file = os.path.join(self._directory.name, "status")
        self.set_status(status)
        # Debian's grpcio comes with Debian's Python, whichever runs the tests.
        self._process = Process(["/usr/bin/python3", _SERVER, self._file, "with" if with_health else "without"])
        try:
            self.address = "127.0.0.1:" + self._process.stdout.wait_line(r"^port (\d+)$")[1]
        except AssertionError:
            self._process.kill()
            self._directory.cleanup()
            raise

    def set_status(self, status):
        with open(self._file + ".new", "w", encoding="ascii") as out:
            out.write(status)
        os.rename(self._file + ".new", self._file)

    def calls(self) -> list:
        """(peer, service) of each call of Check."""
        found = (re.match(r"check (\S+) '(.*)'$", line) for line in self._process.stdout.lines())
        return [(match[1], match[2]) for match in found if match]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        running = self._process.running()
        self._process.kill()
        self._directory.cleanup()
        if not running:
            raise AssertionError("the gRPC server ended by itself:\n" + self._process.stderr.text())
