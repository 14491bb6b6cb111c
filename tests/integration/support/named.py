"""Backends that say who they are, and who it was that answered."""

import collections

from .backend import http_handler
from .config import local_node
from .health import HealthPort
from .messages import respond


def say(name: str):
    """A handler that answers every request with this name."""
    return http_handler(lambda request: respond(200, name))


def for_client(address: str) -> list:
    """The field by which a trusted hop says who the client is."""
    return [("X-Forwarded-For", address)]


def who_answers(proxy, requests=40, fields=(), **options) -> collections.Counter:
    """The names that come back, each request on a connection of its own: so all workers are asked."""
    return collections.Counter(proxy.get("/", fields, **options).body.decode() for _ in range(requests))


class Node:
    """A node on loopback: a backend that says the node's name, and a health port."""

    def __init__(self, test, name, status=200, **options):
        self.name = name
        self.app = test.backend(say(name), name=name)
        self.health = test.enterContext(HealthPort(status, name=name + "-health", **options))

    def conf(self, **fields) -> dict:
        return local_node(self.name, self.app, self.health, **fields)
