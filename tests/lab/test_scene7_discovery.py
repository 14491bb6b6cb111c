"""Scene 7, discovery: the endpoint moves from node1 to node2 during load, and Telltale learns of it by itself."""

import time

from scene import Scene, main
from endpoints_file import EndpointsFile
from support import Dnsmasq, wait_until
from topology import CLIENT, VIP

# Pods as endpoints, no NodePorts. What Telltale asks of a new one is whether it can be connected to.
_CONFIGURATION = """
{dns}listeners:
  - name: web
    listen: "{vip}:80"
    service: app
services:
  - name: app
    {endpoints}
    health: {{ tcp: true, interval: 1s, timeout: 500ms }}
"""


class Moving(Scene):
    def setUp(self):
        super().setUp()
        self.lab.vip_on("lb1")
        self.pods = [self.lab.pod(f"nginx-{n}", f"node{n}", 20) for n in (1, 2)]
        self.apps = [pod.nginx() for pod in self.pods]

    def serve(self, endpoints, dns=""):
        self.proxy = self.telltale("lb1", _CONFIGURATION.format(vip=VIP, endpoints=endpoints, dns=dns).lstrip("\n"))

    def known(self) -> set:
        with self.lab.hosts["lb1"]:
            return {e["address"] for e in self.proxy.services()["app"]["endpoints"]}

    def wait_known(self, *pods):
        wanted = {f"{pod.address}:8080" for pod in pods}
        wait_until(lambda: self.known() == wanted, f"{wanted} to be known")

    def wait_served(self, app, more=100):
        wanted = len(app.served()) + more
        wait_until(lambda: len(app.served()) >= wanted, "requests to be served")

    def move(self, say, page):
        """say(pods): tells Telltale of them. The new pod is named first, then the old one no more, which then quits."""
        load = self.load(f"http://{VIP}/")
        self.wait_served(self.apps[0])
        say(self.pods)
        self.wait_known(*self.pods)
        self.wait_served(self.apps[1])
        say(self.pods[1:])
        self.wait_known(self.pods[1])
        self.wait_served(self.apps[1])
        moved = time.time()
        self.wait_served(self.apps[1])
        self.assertLess(max(when for when, _, _ in self.apps[0].served()), moved, "nothing goes to it any more")
        self.apps[0].quit()
        self.wait_served(self.apps[1])
        outcome = load.stop()
        self.assertEqual(outcome.failures, 0, outcome)
        self.assertEqual(set(outcome.values("x-forwarded-for")), {CLIENT}, outcome)
        page.note(f"{outcome.requests} requests answered, {outcome.failures} failed")

    def test_by_file(self):
        file = self.enterContext(EndpointsFile())
        with self.page("move-by-file") as page:
            page.file("lb1", "/etc/telltale/endpoints.json", file.replace(self.pods[0].endpoint()))
            self.serve(f"endpoints_file: {file.path}")
            shown = self.proxy.configuration.replace(file.path, "/etc/telltale/endpoints.json")
            page.file("lb1", "telltale.yaml", shown)
            self.move(lambda pods: file.replace(*(pod.endpoint() for pod in pods)), page)
            page.file("lb1", "/etc/telltale/endpoints.json, in the end", file.text())

    def test_by_name(self):
        """A headless Service: one address for each pod that is ready, good for a second."""
        name = "app.default.svc.test"
        records = lambda pods: [(pod.address, name) for pod in pods]  # noqa: E731
        with self.page("move-by-name") as page:
            with self.lab.hosts["lb1"]:
                dns = self.enterContext(Dnsmasq(records(self.pods[:1]), ttl=1))
            self.serve(f'endpoints: ["{name}:8080"]', dns=f'dns: {{ servers: ["{dns.address}"] }}\n')
            page.file("lb1", "telltale.yaml", self.proxy.configuration)
            self.move(lambda pods: dns.replace_hosts(records(pods)), page)


if __name__ == "__main__":
    main()
