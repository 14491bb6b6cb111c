"""What a cluster's API says, as far as kube-proxy reads it: Services and EndpointSlices, without their YAML."""

import dataclasses


@dataclasses.dataclass
class Endpoint:
    """A pod of a service. `serving`: its readiness probe passes; `ready`: that, and it is not terminating."""

    address: str
    node: str
    port: int = 8080
    serving: bool = True
    terminating: bool = False

    @property
    def ready(self) -> bool:
        return self.serving and not self.terminating


@dataclasses.dataclass
class Service:
    name: str
    cluster_ip: str
    port: int = 80
    node_port: int = 0
    load_balancer_ip: str = ""
    external_traffic_policy: str = "Cluster"
    internal_traffic_policy: str = "Cluster"
    session_affinity: str = "None"
    health_check_node_port: int = 0
    namespace: str = "default"
    endpoints: list = dataclasses.field(default_factory=list)

    def cluster_wide(self) -> list:
        return usable(self.endpoints)

    def local(self, node: str) -> list:
        return usable([e for e in self.endpoints if e.node == node])

    def local_ready(self, node: str) -> int:
        """What the healthCheckNodePort counts; not terminating endpoints, although they may still be used."""
        return sum(e.ready for e in self.endpoints if e.node == node)

    def at(self, address: str) -> Endpoint:
        return next(e for e in self.endpoints if e.address == address)


def usable(endpoints: list) -> list:
    """KEP-1669: those that are ready; only if there are none, those that are terminating and still serve."""
    return [e for e in endpoints if e.ready] or [e for e in endpoints if e.terminating and e.serving]
