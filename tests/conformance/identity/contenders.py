"""The real ones, configured alike: for each set of rules a listener of Telltale, a server of nginx and a frontend of
HAProxy that answer with the client's address."""

import contextlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "integration"))

from support import Client, HAProxy, Nginx, Telltale, config, listener, proxy_v1, proxy_v2, service  # noqa: E402

from readings import FOR_PATTERN_TEXT  # noqa: E402

FIELDS = {"plain": "X-Forwarded-For", "forwarded": "Forwarded", "single": "X-Real-IP"}
HAPROXY_DEPTH = 10  # as far as hdr_ip() counts from the right

NGINX_BACKEND = 'listen {listen}; location / { default_type text/plain; return 200 "$http_x_real_ip"; }'
NGINX_SERVER = """
listen {listen}%s;
%s
real_ip_header %s;
real_ip_recursive %s;
large_client_header_buffers 8 64k;
location / { default_type text/plain; return 200 "$remote_addr"; }
"""
HAPROXY_FRONTEND = """
frontend %s
  bind {bind%d}%s
%s
  http-request return status 200 content-type text/plain lf-string "%%[src]"
"""


def asks_nginx(name) -> bool:
    """nginx reads one layer alone, counts no further than one hop, and does not know RFC 7239."""
    return name not in ("second", "forwarded", "layers")


def nginx_server(name, rules) -> str:
    proxy = name == "proxy"
    ranges = rules.believes_proxy_from if proxy else rules.trusted
    return NGINX_SERVER % (
        " proxy_protocol" if proxy else "",
        "\n".join(f"set_real_ip_from {r};" for r in ranges),
        "proxy_protocol" if proxy else FIELDS[rules.syntax],
        "on" if rules.count == 0 and rules.syntax == "plain" else "off",
    )


def haproxy_frontend(name, rules, index) -> str:
    field = FIELDS[rules.syntax]
    trusted = f"src {' '.join(rules.trusted)}"
    lines = []
    if rules.count or rules.syntax == "single":
        place = f"req.hdr_ip({field},-{rules.count or 1})"
        lines.append(f"http-request set-src {place} if {{ {trusted} }} {{ {place} -m found }}")
    elif rules.trusted:
        # A walk without a loop: each rule goes one hop further, if the one before led to a hop that is trusted.
        lines.append("http-request set-var(txn.walks) bool(true)")
        for n in range(1, HAPROXY_DEPTH + 1):
            place = f"req.hdr_ip({field},-{n})"
            if rules.syntax == "forwarded":
                converter = f'regsub("{_quoted(FOR_PATTERN_TEXT)}","\\1",i)'
                lines.append("http-request set-var(txn.text) str()")
                lines.append(f"http-request set-var(txn.text) 'req.hdr({field},-{n}),{converter}'")
                place = "var(txn.text),ipmask(32,128)"
            lines.append(f"http-request set-var(txn.walks) bool(false) unless {{ {trusted} }} {{ {place} -m found }}")
            lines.append(f"http-request set-src {place} if {{ var(txn.walks) -m bool }}")
    text = "\n".join("  " + line for line in lines)
    return HAPROXY_FRONTEND % (name, index, " accept-proxy" if rules.believes_proxy_from else "", text)


def _quoted(pattern) -> str:
    return pattern.replace("\\", "\\\\").replace('"', '\\"')


def telltale_listener(name, rules) -> dict:
    client_ip = {"header": FIELDS[rules.syntax].lower(), "trusted": list(rules.trusted)}
    if not rules.trusted:
        client_ip["header"] = "none"
    if rules.count:
        client_ip["trusted_hops"] = rules.count
    if rules.believes_proxy_from:
        client_ip["proxy_protocol"] = [
            {"from": list(rules.believes_proxy_from), "policy": "require"},
            {"from": ["127.0.0.0/8"], "policy": "ignore"},
        ]
    return listener(name, client_ip=client_ip, limits={"max_head_bytes": "64KiB"})


class Contenders:
    """`where[contender][rules]` is an address to connect to."""

    def __init__(self, all_rules):
        with contextlib.ExitStack() as stack:
            nginx_names = [n for n in all_rules if asks_nginx(n)]
            servers = [nginx_server(n, all_rules[n]) for n in nginx_names]
            nginx = stack.enter_context(Nginx(NGINX_BACKEND, *servers, level="crit"))
            frontends = [haproxy_frontend(n, rules, i) for i, (n, rules) in enumerate(all_rules.items())]
            haproxy = stack.enter_context(HAProxy("\n".join(frontends), binds=len(frontends)))
            app = service(nginx.address, propagate={"x_real_ip": True, "x_forwarded_for": "replace"})
            listeners = [telltale_listener(n, rules) for n, rules in all_rules.items()]
            telltale = stack.enter_context(Telltale(config(app, listeners=listeners)))
            self.where = {
                "telltale": {n: telltale.address(n) for n in all_rules},
                "nginx": {n: nginx.sockname(i) for i, n in enumerate(nginx_names, 1)},
                "haproxy": {n: haproxy.sockname(i) for i, n in enumerate(all_rules)},
            }
            self._stack = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stack.close()


def proxy_header(source, kind) -> bytes:
    """`kind`: v1, v2, or v2 with TLVs and a checksum; for source None UNKNOWN or LOCAL, which name nobody."""
    if source is None:
        return proxy_v1(None) if kind == "v1" else proxy_v2(None, command=0, crc=kind == "tlvs")
    addresses = (source, 4711), ("2001:db8::80" if ":" in source else "203.0.113.140", 80)
    if kind == "v1":
        return proxy_v1(*addresses)
    return proxy_v2(*addresses, tlvs=[(1, b"h2"), (0xE0, b"x" * 60)] if kind == "tlvs" else (), crc=kind == "tlvs")


def request(chain, field) -> bytes:
    lines = ["GET / HTTP/1.1", "Host: a.example", *(f"{field}: {line}" for line in chain.lines)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def ask(address, chains, field, first=b"") -> list:
    """What is answered to each of these requests of one connection (who connects and its PROXY header are the same in
    all): pipelined, and again on another connection when an answer closed it."""
    answers = []
    while len(answers) < len(chains):
        rest = chains[len(answers) :]
        octets = first + b"".join(request(c, field) for c in rest)
        with Client(address, source=rest[0].peer, first=octets, record=False) as client:
            before = len(answers)
            while len(answers) < len(chains):
                response = client.response_or_close()
                if response is None:
                    break
                answers.append(response.body.decode() if response.status == 200 else str(response.status))
                if response.closes():
                    break
            if len(answers) == before:
                raise AssertionError(f"{address} closed without an answer to {rest[0]}")
    return answers
