"""A real HAProxy."""

from .peer import Peer

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
  timeout check 5s
"""


class HAProxy(Peer):
    """`text` holds frontends and backends; `{bind0}`, `{bind1}`, … in it become its listening sockets
    (`bind {bind0} accept-proxy`)."""

    program = "haproxy"

    def __init__(self, text, binds=1):
        self._text = text
        super().__init__(binds)

    def begin(self, fds):
        text = self._text
        for index, fd in enumerate(fds):
            text = text.replace(f"{{bind{index}}}", f"fd@{fd}")
        return self.run("-db", "-f", self.write("haproxy.cfg", _GLOBAL + text), fds=fds)
