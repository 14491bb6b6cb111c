#!/usr/bin/env python3
"""The health ports of kube-proxy, answer for answer (pkg/proxy/healthcheck of Kubernetes 1.28 and later): a process on
a node.

- A service's healthCheckNodePort, on any path: 200 if the service has ready endpoints on this node and the proxy is
  healthy, else 503; JSON and `X-Load-Balancing-Endpoint-Weight`.
- 10256: `/healthz` for the node, which is healthy and not about to be deleted; `/livez` for the proxy alone.
- 10249, on loopback: `/proxyMode`, `/healthz`.

    health_responder.py SOCKET

Whoever connects to the Unix socket SOCKET and writes one line of JSON sets the state, and reads `ok`:
{"services": [{"namespace", "name", "port", "endpoints"}], "healthy": true, "node_eligible": true}. A port whose
service is gone closes, with its connections."""

import asyncio
import datetime
import email.utils
import http
import json
import sys
import time

_MOST_HEAD_BYTES = 1 << 20
_NOT_FOUND = (404, "text/plain; charset=utf-8", {"X-Content-Type-Options": "nosniff"}, "404 page not found\n")
_STARTED = time.monotonic()


def service_answer(namespace, name, endpoints, healthy):
    """Of a healthCheckNodePort: status, content type, further fields, body."""
    body = (f'{{\n\t"service": {{\n\t\t"namespace": {json.dumps(namespace)},\n\t\t"name": {json.dumps(name)}\n\t}},\n'
            f'\t"localEndpoints": {endpoints},\n\t"serviceProxyHealthy": {json.dumps(healthy)}\n}}')
    fields = {"X-Content-Type-Options": "nosniff", "X-Load-Balancing-Endpoint-Weight": str(endpoints)}
    return 200 if endpoints and healthy else 503, "application/json", fields, body


def go_time() -> str:
    """As Go prints a time.Time that has a monotonic reading."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return f"{now:%Y-%m-%d %H:%M:%S.%f}000 +0000 UTC m=+{time.monotonic() - _STARTED:.9f}"


def proxy_answer(path, healthy, node_eligible):
    """Of port 10256."""
    now = json.dumps(go_time())
    if path == "/healthz":
        good = healthy and node_eligible
        body = f'{{"lastUpdated": {now},"currentTime": {now}, "nodeEligible": {json.dumps(node_eligible)}}}'
    elif path == "/livez":
        good, body = healthy, f'{{"lastUpdated": {now},"currentTime": {now}}}'
    else:
        return _NOT_FOUND
    return 200 if good else 503, "application/json", {"X-Content-Type-Options": "nosniff"}, body


def local_answer(path):
    """Of port 10249."""
    text = {"/proxyMode": "nftables", "/healthz": "ok"}.get(path)
    if text is None:
        return _NOT_FOUND
    return 200, "text/plain; charset=utf-8", {"X-Content-Type-Options": "nosniff"}, text


def written(answer, version, keep) -> bytes:
    """As Go's HTTP server writes it: the handler's fields by name, then its own."""
    status, content_type, fields, body = answer
    lines = [f"{version} {status} {http.HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in sorted({"Content-Type": content_type, **fields}.items())]
    lines += [f"Date: {email.utils.formatdate(usegmt=True)}", f"Content-Length: {len(body.encode())}"]
    if keep != (version == "HTTP/1.1"):
        lines.append(f"Connection: {'keep-alive' if keep else 'close'}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body.encode()


BAD_REQUEST = (b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
               b"400 Bad Request")


def parsed(head: bytes):
    """Method, path, version, whether the connection is kept; None if this is no HTTP, such as a PROXY header."""
    request, *fields = head.decode("latin-1").split("\r\n")
    parts = request.split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.0", "HTTP/1.1"):
        return None
    if not parts[0].isalpha() or not parts[1].startswith("/"):
        return None
    connection = [f.partition(":")[2].strip().lower() for f in fields if f.lower().startswith("connection:")]
    keep = "close" not in connection if parts[2] == "HTTP/1.1" else "keep-alive" in connection
    return parts[0], parts[1].partition("?")[0], parts[2], keep


class Port:
    """One open port."""

    def __init__(self, answer):
        self._answer, self._server, self._writers = answer, None, set()

    async def open(self, address, port):
        self._server = await asyncio.start_server(self._serve, address, port, limit=_MOST_HEAD_BYTES)
        return self

    def close(self):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader, writer):
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                request = parsed(head)
                if request is None:
                    writer.write(BAD_REQUEST)
                    break
                method, path, version, keep = request
                octets = written(self._answer(path), version, keep)
                writer.write(octets if method != "HEAD" else octets[: octets.index(b"\r\n\r\n") + 4])
                await writer.drain()
                if not keep:
                    break
        except asyncio.IncompleteReadError as cut:
            if cut.partial:
                writer.write(BAD_REQUEST)
        except (OSError, asyncio.LimitOverrunError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


class Responder:
    def __init__(self):
        self.services, self.healthy, self.node_eligible = {}, True, True
        self._ports = {}

    async def sync(self, state):
        self.healthy, self.node_eligible = state["healthy"], state["node_eligible"]
        self.services = {s["port"]: s for s in state["services"]}
        for port in [p for p in self._ports if p not in self.services]:
            self._ports.pop(port).close()
        for port in self.services:
            if port not in self._ports:
                self._ports[port] = await Port(lambda _, port=port: self._of_service(port)).open("0.0.0.0", port)

    def _of_service(self, port):
        service = self.services[port]
        return service_answer(service["namespace"], service["name"], service["endpoints"], self.healthy)

    async def control(self, reader, writer):
        await self.sync(json.loads(await reader.readline()))
        writer.write(b"ok\n")
        await writer.drain()
        writer.close()

    async def run(self, path):
        await Port(lambda path: proxy_answer(path, self.healthy, self.node_eligible)).open("0.0.0.0", 10256)
        await Port(local_answer).open("127.0.0.1", 10249)
        server = await asyncio.start_unix_server(self.control, path)
        print("ready", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(Responder().run(sys.argv[1]))
