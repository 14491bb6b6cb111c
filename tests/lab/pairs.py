"""What the scenes about faults and rollouts have in common: Telltale at the VIP, an nginx on each node, and load."""

import textwrap

from scene import Scene
import balancer
from support import wait_until
from topology import CLIENT, VIP

TIMEOUTS = "timeouts: { connect: 1s, response: 2s }"
# All that a GET lets a proxy do; then whoever fails is left alone. One node of two is half of the requests, and all of
# them may have to go out again: more than the 20 % of the budget, or 3 at once in a worker, that there are by default.
RESILIENT = f"""{TIMEOUTS}
retries: {{ attempts: 2, on: [connect_failure, reset, timeout], per_try_timeout: 1s, budget: 100 }}
ejection: {{ failures: 3, time: 1s }}"""


class Pair(Scene):
    policy = "Local"
    health_port = 32122
    more = TIMEOUTS  # YAML of the service
    listener = ""  # YAML of the listener

    def setUp(self):
        super().setUp()
        self.lab.vip_on("lb1")
        self.pods = {f"node{n}": self.lab.pod(f"nginx-{n}", f"node{n}", 20) for n in (1, 2)}
        self.apps = {node: pod.nginx() for node, pod in self.pods.items()}
        self.service = self.lab.load_balanced(*(pod.endpoint() for pod in self.pods.values()), policy=self.policy)
        self.configuration = balancer.at_the_vip(balancer.service(
            "app", health_port=self.health_port, policy=self.policy.lower(), more=self.more), listener=self.listener)
        self.proxy = self.telltale("lb1", self.configuration)
        self.wait_states(node1="healthy", node2="healthy")

    def wait_states(self, **states):
        with self.lab.hosts["lb1"]:
            self.proxy.wait_states(**states)

    def metric(self, name, **labels) -> float:
        with self.lab.hosts["lb1"]:
            return self.proxy.metrics().sum(name, **labels)

    def more_as_shown(self) -> str:
        return textwrap.indent(self.more, "    ")

    def url(self) -> str:
        return f"http://{VIP}/"

    def wait_served(self, *apps, more=100):
        """Until each of them has answered so many more requests."""
        wanted = {app: len(app.served()) + more for app in apps}
        wait_until(lambda: all(len(app.served()) >= count for app, count in wanted.items()), "requests to be served")

    def assert_client_known(self, outcome):
        self.assertEqual(set(outcome.values("x-forwarded-for")), {CLIENT}, outcome)
