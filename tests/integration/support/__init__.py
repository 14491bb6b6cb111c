"""What the integration tests stand on: the real binary, real peers, and raw sockets on both sides of the proxy.

Standard library only. Nothing here sleeps for a fixed time: every wait is for a condition and has a deadline.
"""

from .backend import Backend, Connection, http_handler
from .case import ProxyTest, main
from .chance import chance
from .certificates import issued, self_signed
from .client import Client
from .config import config, listener, local_node, service
from .curl import curl
from .dnsmasq import Dnsmasq
from .echo import Echo
from .grpc_health import GrpcHealth
from .haproxy import HAProxy
from .health import HealthPort
from .messages import EndOfStream, ProtocolError, Request, Response, respond
from .named import Node, for_client, say, who_answers
from .nginx import Nginx
from .proxy_header import ProxyHeader, parse_proxy_header, proxy_v1, proxy_v2
from .sockets import black_hole, refused_address
from .telltale import Telltale
from .waiting import DEADLINE, wait_stable, wait_until

__all__ = [
    "Backend",
    "Client",
    "Connection",
    "DEADLINE",
    "Dnsmasq",
    "Echo",
    "EndOfStream",
    "GrpcHealth",
    "HAProxy",
    "HealthPort",
    "Nginx",
    "Node",
    "ProtocolError",
    "ProxyHeader",
    "ProxyTest",
    "Request",
    "Response",
    "Telltale",
    "black_hole",
    "chance",
    "config",
    "curl",
    "for_client",
    "http_handler",
    "issued",
    "listener",
    "local_node",
    "main",
    "parse_proxy_header",
    "proxy_v1",
    "proxy_v2",
    "refused_address",
    "respond",
    "say",
    "self_signed",
    "service",
    "wait_stable",
    "wait_until",
    "who_answers",
]
