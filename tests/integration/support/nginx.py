"""A real nginx with a prefix of its own."""

import os
import pwd

from .peer import Peer

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


class Nginx(Peer):
    """`servers` are the insides of server blocks; `{listen}` in each is replaced by its own address and port."""

    program = "nginx"

    def __init__(self, *servers, http="", level="warn", address=("127.0.0.1", 0)):
        self._servers, self._http, self._level = servers, http, level
        super().__init__(len(servers), address)

    def begin(self, fds):
        blocks = [s.replace("{listen}", a) for s, a in zip(self._servers, self.addresses)]
        text = _MAIN.format(
            directory=self.directory,
            user=pwd.getpwuid(os.getuid()).pw_name,
            http=self._http,
            level=self._level,
            servers="\n".join("server {" + block + "}" for block in blocks),
        )
        # nginx takes listening sockets over as in its binary upgrade, by the variable NGINX.
        inherited = {"NGINX": "".join(f"{fd};" for fd in fds)}
        return self.run("-p", self.directory, "-c", self.write("nginx.conf", text), "-e", "stderr", fds=fds, env=inherited)
