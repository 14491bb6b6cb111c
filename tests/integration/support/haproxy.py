"""A real HAProxy."""

import os
import tempfile

from . import sockets
from .process import Process, find_program

_GLOBAL = """
global
  maxconn 2000
  nbthread 1
  log stderr format raw local0 warning
defaults
  mode http
  log global
  timeout client 60s
  timeout server 60s
  timeout connect 5s
"""


class HAProxy:
    """`text` holds frontends and backends; `{bind0}`, `{bind1}`, … in it become the inherited listening sockets
    (`bind {bind0} accept-proxy`), on ports of the kernel's choosing."""

    def __init__(self, text, binds=1):
        self._directory = tempfile.TemporaryDirectory(prefix="telltale-haproxy-")
        listening = [sockets.listen_socket() for _ in range(binds)]
        try:
            self.addresses = [sockets.text_of(s.getsockname()) for s in listening]
            for index, sock in enumerate(listening):
                text = text.replace(f"{{bind{index}}}", f"fd@{sock.fileno()}")
            self.file = os.path.join(self._directory.name, "haproxy.cfg")
            with open(self.file, "w", encoding="utf-8") as out:
                out.write(_GLOBAL + text)
            self.process = Process(
                [find_program("haproxy"), "-db", "-f", self.file],
                pass_fds=[s.fileno() for s in listening],
            )
        except BaseException:
            self._directory.cleanup()
            raise
        finally:
            for sock in listening:
                sock.close()

    @property
    def address(self) -> str:
        return self.addresses[0]

    def sockname(self, index=0):
        return sockets.parse_address(self.addresses[index])

    def close(self):
        running = self.process.running()
        self.process.kill()
        self._directory.cleanup()
        if not running:
            raise AssertionError("haproxy ended by itself:\n" + self.process.stderr.text())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
