"""What runs on the hosts: applications in pods, proxies on load balancers. Each is made inside `with host:`."""

import signal

from support import Echo, HAProxy, Nginx, Telltale
from support.client import Client
from support.waiting import wait_until

_NGINX_LOG = """
log_format lab '$msec $remote_addr $request_uri';
default_type text/plain;
"""
# What the pod itself is; who came as the socket says and, if asked for, as the PROXY header says; the headers.
_NGINX_ANSWER = ("served_by={name}\\nremote_addr=$remote_addr\\n{more}"
                 "x-forwarded-for=$http_x_forwarded_for\\nforwarded=$http_forwarded\\n")


class NginxApp(Nginx):
    """Says which pod it is and who the client seems to be; remembers when it answered."""

    def __init__(self, name, address, port=8080, proxy_protocol=False):
        more = "proxy_protocol_addr=$proxy_protocol_addr\\n" if proxy_protocol else ""
        answer = _NGINX_ANSWER.format(name=name, more=more)
        server = ("listen {listen}%s; keepalive_timeout 600s; access_log /dev/stdout lab;"
                  ' location / { return 200 "%s"; }'
                  % (" proxy_protocol" if proxy_protocol else "", answer))
        super().__init__(server, http=_NGINX_LOG, address=(address, port))

    def served(self) -> list:
        """(when it had answered, in seconds since the epoch; the socket's peer; the target) of every request."""
        parts = (line.split(" ", 2) for line in self.process.stdout.lines())
        return [(float(when), peer, target) for when, peer, target in parts]

    def quit(self):
        """As Kubernetes ends an nginx container: no new connections, those that are idle close, requests finish."""
        self.close(signal.SIGQUIT)


class EchoApp(Echo):
    def __init__(self, address, *arguments, port=8080):
        super().__init__(*arguments, listen=f"{address}:{port}")


class Proxy(Telltale):
    """Telltale; it ends at once, without the wait that lets a load balancer notice."""

    def __exit__(self, *_):
        self.stop(signal.SIGINT)


class HAProxyAt(HAProxy):
    """HAProxy with `bind` lines of its own, the first of which is (address, port)."""

    def __init__(self, text, address, port):
        super().__init__(text, binds=0)

        def listening():
            with Client((address, port), timeout=1):
                return True

        wait_until(lambda: _without_error(listening), f"haproxy to listen on {address}:{port}")


def _without_error(attempt) -> bool:
    try:
        return attempt()
    except OSError:
        return False
