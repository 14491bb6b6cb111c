"""Hundreds of clients at once, on connections of their own and on shared ones, through every way of telling a backend
who they are: no answer and no identity ever goes to another (envoy#13659, caddy#6342). The seed is printed when it
fails; TELLTALE_SEED sets it."""

import hashlib
import json
import random
import threading

from support import Client, Echo, Nginx, ProxyTest, chance, config, listener, main, proxy_v1, proxy_v2, respond, service
from support.proxy_header import TLV_AUTHORITY
from support.waiting import SANITIZER

CLIENTS = 120 if SANITIZER else 300
THREADS = 12
ROUNDS = 3 if SANITIZER else 5
HOSTS = ["a.example", "b.example"]

NGINX = """
listen {listen}%s;
keepalive_timeout 600s;
client_max_body_size 10m;
location / {
  default_type application/json;
  return 200 '{"who": "%s", "port": "%s", "key": "$http_x_key"}';
}
"""
# Each is told in one way: PROXY v1 and v2, Forwarded, X-Forwarded-For, X-Real-IP.
WAYS = {
    "v1": {"proxy_protocol": "v1"},
    "v2": {"proxy_protocol": "v2", "tlvs": ["authority", "unique_id", "crc32c"]},
    "forwarded": {"x_forwarded_for": "remove", "forwarded": {"mode": "replace", "parameters": ["for"]}},
    "xff": {"x_forwarded_for": "replace"},
    "real": {"x_forwarded_for": "remove", "x_real_ip": True},
}


def told(way, request) -> dict:
    """Who this backend believes the client is."""
    if way in ("v1", "v2"):
        return {"who": request.proxy.source_ip(), "port": str(request.proxy.source[1])}
    if way == "forwarded":
        return {"who": request.header("forwarded").removeprefix("for=").strip('"[]')}
    return {"who": request.header("x-forwarded-for" if way == "xff" else "x-real-ip")}


def python_backend(way):
    """Reads the PROXY header if that is its way, and answers in the form that the request asks for."""

    def serve(connection):
        if way in ("v1", "v2"):
            connection.read_proxy_header()
        while connection.peek(1):
            request = connection.read_request()
            request.proxy = connection.proxy
            digest = hashlib.sha256(request.body).hexdigest()
            answer = {**told(way, request), "key": request.header("x-key"), "digest": digest}
            # The client wrote who it is beside its key: whoever else it is taken for is a fault at once.
            if answer["who"] != request.header("x-expected"):
                raise AssertionError(f"{request.header('x-expected')} was told as {answer['who']}")
            # The header says what the request is for too: a connection of the same client is not for another host.
            if way == "v2" and connection.proxy.tlv(TLV_AUTHORITY) != request.header("host").encode():
                raise AssertionError(f"{request.header('host')} was told as {connection.proxy.tlv(TLV_AUTHORITY)}")
            body, form = json.dumps(answer).encode(), request.header("x-form")
            fields = [("Connection", "close")] if form == "close" else []
            connection.send(respond(200, body, fields, chunked=form == "chunked", length=form != "until-close"))
            if form in ("close", "until-close"):
                return

    return serve


class Identity:
    """One client: where its connection comes from, what opens it, and who each of its requests is."""

    def __init__(self, draw, number):
        self.draw = draw
        kind = ("plain", "plain", "v1", "v2", "shared")[number % 5]
        own = f"127.{100 + number // 250}.{draw.randrange(256)}.{1 + number % 250}"
        far = draw.choice(["198.51.100.%d", "2001:db8::%x"]) % draw.randrange(1, 255)
        self.kind, self.first, self.port = kind, b"", None
        self.source = {"plain": own, "shared": f"127.9.0.{1 + number % 3}"}.get(kind, f"127.8.0.{1 + number % 3}")
        self.who = {"plain": own, "shared": None}.get(kind, far)
        if kind in ("v1", "v2"):
            self.port = str(draw.randrange(1024, 65536))
            local = ("2001:db8::1", 80) if ":" in far else ("203.0.113.1", 80)
            self.first = (proxy_v1 if kind == "v1" else proxy_v2)((far, int(self.port)), local)

    def next_request(self):
        """(who, fields): on a shared connection somebody else each time, with a forgery on the left."""
        if self.kind != "shared":
            return self.who, [("X-Forwarded-For", "9.9.9.9")]
        who = self.draw.choice(["192.0.2.%d", "2001:db8:5::%x"]) % self.draw.randrange(1, 255)
        return who, [("X-Forwarded-For", f"9.9.9.9, {who}")]


class PropertyIdentity(ProxyTest):
    def setUp(self):
        self.services, self.kinds = [], {}
        for way in WAYS:
            self.add(f"{way}-python", way, self.backend(python_backend(way), name=way, record=False))
        self.nginx = self.enterContext(
            Nginx(
                NGINX % (" proxy_protocol", "$proxy_protocol_addr", "$proxy_protocol_port"),
                NGINX % ("", "$http_x_forwarded_for", ""),
                NGINX % ("", "$http_x_real_ip", ""),
            )
        )
        for way, index in (("v1", 0), ("v2", 0), ("xff", 1), ("real", 2)):
            self.add(f"{way}-nginx", way, self.nginx.addresses[index])
        for way in ("v1", "v2", "xff"):
            echo = self.enterContext(Echo("--proxy-protocol") if way != "xff" else Echo())
            self.add(f"{way}-echo", way, echo)
        # A pool so small that its least recently used connections go all the time.
        self.services[0]["pool"] = {"max_idle_identities": 8, "max_idle": 2}
        self.services[1]["pool"] = {"max_idle_identities": 32}
        client_ip = {
            "proxy_protocol": [{"from": ["127.8.0.0/16"], "policy": "require"}],
            "trusted": ["127.9.0.0/16"],
        }
        routes = [{"match": {"path": "/" + s["name"]}, "service": s["name"]} for s in self.services]
        self.proxy = self.start(config(*self.services, listeners=[listener(client_ip=client_ip, routes=routes)], workers=2))
        self.faults = []

    def add(self, name, way, backend):
        self.services.append(service(backend, name=name, propagate=WAYS[way]))
        self.kinds[name] = (way, name.partition("-")[2])

    def test_no_answer_and_no_identity_goes_to_another(self):
        draw = chance()
        identities = [Identity(random.Random(draw.random()), n) for n in range(CLIENTS)]
        shares = [identities[n::THREADS] for n in range(THREADS)]
        threads = [threading.Thread(target=self.run_share, args=(s, draw.random())) for s in shares]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.faults[:5], [])

    def run_share(self, identities, seed):
        draw = random.Random(seed)
        clients = [(i, self.connect(i)) for i in identities]
        try:
            for _ in range(ROUNDS):
                draw.shuffle(clients)
                clients = [(i, self.batch(draw, i, c)) for i, c in clients]
        except Exception as fault:  # pylint: disable=broad-except
            self.faults.append(f"{type(fault).__name__}: {fault}")
        finally:
            for _, client in clients:
                client.close()

    def batch(self, draw, identity, client):
        """Some pipelined requests; then their answers, in order. Sometimes the client leaves instead."""
        sent, count = [], draw.choice([1, 1, 2, 5])
        for n in range(count):
            name, key = draw.choice(list(self.kinds)), f"{draw.randrange(1 << 48):012x}"
            who, fields = identity.next_request()
            body = draw.randbytes(draw.choice([0, 0, 5, 1500, 30_000])).hex().encode()
            # An answer that ends with its connection may end the client's too: only the last one does.
            form = draw.choice(["length", "length", "chunked", "close", "until-close" if n == count - 1 else "length"])
            fields += [("X-Key", key), ("X-Expected", who), ("X-Form", form), ("Accept", "application/json")]
            method = draw.choice(["POST", "PUT"]) if body else "GET"
            client.request(method, f"/{name}/{key}", fields, body, host=draw.choice(HOSTS))
            sent.append((name, key, who, body))
        if draw.random() < 0.05:
            client.reset()
            return self.connect(identity)
        for name, key, who, body in sent:
            response = client.read_response()
            port = identity.port or (str(client.local[1]) if identity.kind == "plain" else None)
            self.judge(name, key, who, port, body, response)
        if response.closes():
            client.close()
            return self.connect(identity)
        return client

    def connect(self, identity):
        return Client(self.proxy.address(), source=identity.source, first=identity.first, record=False)

    def judge(self, name, key, who, port, body, response):
        way, kind = self.kinds[name]
        if response.status != 200:
            self.faults.append(f"{name}: {response.status} for {who}, {key}: {response.body[:200]!r}")
            return
        answer = response.json()
        if kind == "echo":
            answer = from_echo(way, answer)
            answer["digest"] = hashlib.sha256(answer.pop("body")).hexdigest()
        mine = answer["key"] == key and answer["who"] == who
        if "digest" in answer:  # nginx does not show the body
            mine = mine and answer["digest"] == hashlib.sha256(body).hexdigest()
        if mine and way in ("v1", "v2") and port:
            mine = answer["port"] == port
        if not mine:
            self.faults.append(f"{name}: {who}:{port}, {key} got {answer}")


def from_echo(way, answer) -> dict:
    headers = answer["headers"]
    out = {"key": headers["x-key"][0], "body": (answer["body"] or "").encode()}
    if way == "xff":
        out["who"] = headers["x-forwarded-for"][0]
    else:
        source = answer["proxy_protocol"]["source"]
        host, _, out["port"] = source.rpartition(":")
        out["who"] = host.strip("[]").removeprefix("::ffff:")
    return out


if __name__ == "__main__":
    main()
