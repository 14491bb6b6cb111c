"""Configurations as Python values. They are written as JSON, which is YAML."""

import json


def _address(endpoint):
    return endpoint if isinstance(endpoint, (str, dict)) else endpoint.address


def service(*endpoints, name="app", **fields) -> dict:
    """A service of backends, addresses or {address, name, weight}; `nodes=…` instead when none is given."""
    out = {"name": name, **fields}
    if endpoints:
        out["endpoints"] = [_address(e) for e in endpoints]
    return out


def local_node(name, backend, health, **fields) -> dict:
    """A node on loopback: traffic to `backend`, probes to `health` (both have a port)."""
    return {"name": name, "address": "127.0.0.1", "port": backend.port, "health_port": health.port, **fields}


def listener(name="web", listen="127.0.0.1:0", **fields) -> dict:
    """To the service `app` unless routes or another service are given."""
    if "routes" not in fields:
        fields.setdefault("service", "app")
    return {"name": name, "listen": listen, **fields}


def config(*services, listeners=None, workers=2, drain_delay="0s", drain_grace="10s", **top) -> dict:
    return {
        "workers": workers,
        "admin": {"listen": "127.0.0.1:0"},
        "drain": {"delay": drain_delay, "grace": drain_grace},
        "listeners": listeners or [listener()],
        "services": list(services),
        **top,
    }


def to_text(configuration) -> str:
    return configuration if isinstance(configuration, str) else json.dumps(configuration, indent=1) + "\n"
