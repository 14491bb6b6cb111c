"""What is measured against what: how each contender is configured and started.

All of them do the same work: one worker, X-Forwarded-For appended, access log off, keep-alive towards the client and the
backend without a limit on requests per connection.
"""

import dataclasses
import pathlib
import subprocess
from typing import Callable


@dataclasses.dataclass(frozen=True)
class Ports:
    plain: int
    tls: int
    tcp: int
    backend: int
    certificate: pathlib.Path  # with its key


def make_certificate(path: pathlib.Path) -> None:
    """Of a P-256 key, with the key in the same file."""
    key = path.with_suffix(".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", "/CN=bench", "-keyout", str(key), "-out", str(path)], check=True, capture_output=True)
    path.write_text(path.read_text() + key.read_text())
    path.chmod(0o600)


@dataclasses.dataclass
class Contender:
    name: str
    path: str
    write: Callable[["Contender", pathlib.Path, Ports], list[str]]  # folder, ports -> argv
    version_args: tuple[str, ...] = ()
    speaks_http: bool = True  # the floor does not: it tells the backend nothing and pools nothing

    def command(self, folder: pathlib.Path, ports: Ports) -> list[str]:
        return self.write(self, folder, ports)

    def version(self) -> str:
        if not self.version_args:
            return ""
        done = subprocess.run([self.path, *self.version_args], capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).strip().splitlines()
        return lines[0].strip() if lines else ""


def floor_command(contender: Contender, _folder: pathlib.Path, ports: Ports) -> list[str]:
    return [contender.path, str(ports.plain), str(ports.backend)]


NGINX = """\
{modules}user root;
worker_processes 1;
worker_rlimit_nofile 19000;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.error.log error;
events {{ worker_connections 18000; }}
stream {{
  server {{
    listen 127.0.0.1:{ports.tcp} backlog=4096;
    proxy_pass 127.0.0.1:{ports.backend};
    proxy_timeout 300s;
    tcp_nodelay on;
  }}
}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_timeout 300s;
  keepalive_requests 1000000000;
  upstream backend {{
    server 127.0.0.1:{ports.backend};
    keepalive 512;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
  }}
  server {{
    listen 127.0.0.1:{ports.plain} backlog=4096;
    listen 127.0.0.1:{ports.tls} ssl backlog=4096;
    ssl_certificate {ports.certificate};
    ssl_certificate_key {ports.certificate};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ecdh_curve X25519:prime256v1;
    location / {{
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_max_temp_file_size 0;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""


NGINX_STREAM = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")  # Debian's: other builds have it within


def nginx_command(contender: Contender, folder: pathlib.Path, ports: Ports) -> list[str]:
    file = folder / "nginx.conf"
    debians = contender.path.startswith("/usr/sbin/") and NGINX_STREAM.exists()
    modules = f"load_module {NGINX_STREAM};\n" if debians else ""
    file.write_text(NGINX.format(folder=folder, ports=ports, modules=modules))
    return [contender.path, "-c", str(file), "-p", str(folder), "-e", str(folder / "nginx.error.log")]


HAPROXY = """\
global
  nbthread 1
  maxconn 9000
  maxpipes 64
defaults
  mode http
  http-reuse always
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
  timeout http-request 10s
frontend f
  option forwardfor
  bind 127.0.0.1:{ports.plain} backlog 4096
  bind 127.0.0.1:{ports.tls} backlog 4096 ssl crt {ports.certificate} curves X25519:P-256
  default_backend b
backend b
  server s 127.0.0.1:{ports.backend} pool-max-conn 512
listen t
  mode tcp
  option splice-auto
  bind 127.0.0.1:{ports.tcp} backlog 4096
  server s 127.0.0.1:{ports.backend}
"""


def haproxy_command(contender: Contender, folder: pathlib.Path, ports: Ports) -> list[str]:
    file = folder / "haproxy.cfg"
    file.write_text(HAPROXY.format(ports=ports))
    return [contender.path, "-db", "-f", str(file)]


TELLTALE = """\
workers: 1
admin: {admin}
access_log: off
listeners:
  - listen: "127.0.0.1:{ports.plain}"
    service: b
    timeouts: {{ idle: 300s }}
  - listen: "127.0.0.1:{ports.tls}"
    tls: {{ certificates: [{{ certificate: "{ports.certificate}", key: "{ports.certificate}" }}] }}
    service: b
    timeouts: {{ idle: 300s }}
  - listen: "127.0.0.1:{ports.tcp}"
    protocol: tcp
    service: t
services:
  - name: t
    endpoints: ["127.0.0.1:{ports.backend}"]
    timeouts: {{ idle: 300s }}
  - name: b
    endpoints: ["127.0.0.1:{ports.backend}"]
    pool: {{ max_idle: 512, idle_timeout: 300s }}
"""


def telltale_command(contender: Contender, folder: pathlib.Path, ports: Ports) -> list[str]:
    return run_telltale(contender, folder, admin="off", ports=ports)


def explaining_command(contender: Contender, folder: pathlib.Path, ports: Ports) -> list[str]:
    """With the admin server, which keeps the last requests for /explain."""
    admin = f'{{ listen: "unix:{folder}/admin" }}'
    return run_telltale(contender, folder, admin=admin, ports=ports)


def run_telltale(contender: Contender, folder: pathlib.Path, **values) -> list[str]:
    file = folder / "telltale.yaml"
    file.write_text(TELLTALE.format(**values))
    return [contender.path, "run", "-c", str(file)]


def all_contenders(floor: str, nginx: str, haproxy: str, telltale: str) -> list[Contender]:
    return [
        Contender("floor", floor, floor_command, speaks_http=False),
        Contender("haproxy", haproxy, haproxy_command, ("-v",)),
        Contender("nginx", nginx, nginx_command, ("-v",)),
        Contender("telltale", telltale, telltale_command, ("version",)),
        Contender("telltale-explain", telltale, explaining_command, ("version",)),
    ]
