"""A real nginx with a prefix of its own."""

import os
import pwd
import signal
import tempfile

from . import sockets
from .process import Process, find_program

_MAIN = """
daemon off;
user {user};
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr {level};
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  keepalive_requests 1000000;
  {http}
  {servers}
}}
"""


class Nginx:
    """`servers` are the insides of server blocks; `{listen}` in each is replaced by its own address and port. The
    listening sockets are made here and inherited (the NGINX variable of nginx's binary upgrade), so that the kernel
    chooses the ports and a connection may be made at once."""

    def __init__(self, *servers, http="", level="warn"):
        self._directory = tempfile.TemporaryDirectory(prefix="telltale-nginx-")
        listening = [sockets.listen_socket() for _ in servers]
        try:
            self.addresses = [sockets.text_of(s.getsockname()) for s in listening]
            blocks = [s.replace("{listen}", a) for s, a in zip(servers, self.addresses)]
            text = _MAIN.format(
                directory=self._directory.name,
                user=pwd.getpwuid(os.getuid()).pw_name,
                http=http,
                level=level,
                servers="\n".join("server {" + block + "}" for block in blocks),
            )
            self.file = os.path.join(self._directory.name, "nginx.conf")
            with open(self.file, "w", encoding="utf-8") as out:
                out.write(text)
            fds = [s.fileno() for s in listening]
            self.process = Process(
                [find_program("nginx"), "-p", self._directory.name, "-c", self.file, "-e", "stderr"],
                env={"NGINX": "".join(f"{fd};" for fd in fds)},
                pass_fds=fds,
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
        if running:
            self.process.send_signal(signal.SIGTERM)  # SIGKILL would leave its worker behind
            self.process.wait()
        self._directory.cleanup()
        if not running:
            raise AssertionError("nginx ended by itself:\n" + self.process.stderr.text())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
