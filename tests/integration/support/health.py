"""A node's health port, as kube-proxy serves it."""

import json

from .backend import Backend
from .messages import respond


class HealthPort(Backend):
    """Answers any path with `status`. Its strict reader fails the test when anything but plain HTTP comes."""

    def __init__(self, status=200, *, weight=None, body=None, name="health"):
        self.status, self.weight, self.body = status, weight, body
        super().__init__(self._probes, name=name)

    def _probes(self, connection):
        while (request := connection.next_request()) is not None:
            connection.send(self.answer(request))

    def answer(self, _request) -> bytes:
        local = 1 if self.status == 200 else 0
        detail = {"service": {"namespace": "default", "name": "app"}, "localEndpoints": local, "serviceProxyHealthy": True}
        fields = [("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff")]
        if self.weight is not None:
            fields.append(("X-Load-Balancing-Endpoint-Weight", str(self.weight)))
        return respond(self.status, json.dumps(detail) if self.body is None else self.body, fields)
