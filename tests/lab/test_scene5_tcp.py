"""Scene 5, TCP: the load balancer opens no request, the pods are told by a PROXY header; what nobody can serve is
refused, as kube-proxy's drop would have it, and answered 503 over HTTP."""

from scene import Scene, main
import balancer
from support import wait_until
from topology import CLIENT, VIP

_LISTENERS = f"""
listeners:
  - name: tcp
    listen: "{VIP}:80"
    protocol: tcp
    service: app
  - name: http
    listen: "{VIP}:8080"
    service: app
services:
"""
ASK = f"curl -s {VIP} | grep -E '^(client_address|version|x-forwarded-for)'"


class Tcp(Scene):
    def setUp(self):
        super().setUp()
        self.lab.vip_on("lb1")
        pods = [self.lab.pod(f"source-ip-app-{n}", f"node{n}", 20) for n in (1, 2)]
        for pod in pods:
            pod.echo("--proxy-protocol")
        self.endpoints = [pod.endpoint() for pod in pods]
        self.service = self.lab.load_balanced(*self.endpoints)
        service = balancer.service("app", propagate="{ proxy_protocol: v2 }")
        self.configuration = _LISTENERS.lstrip("\n") + service + "\n"
        self.proxy = self.telltale("lb1", self.configuration)
        self.wait_states(node1="healthy", node2="healthy")

    def wait_states(self, **states):
        with self.lab.hosts["lb1"]:
            self.proxy.wait_states(**states)

    def test_told_and_refused(self):
        with self.page("tcp") as page:
            page.file("lb1", "telltale.yaml", self.configuration)
            seen = page.run("client", ASK)
            self.assertIn(f"version=2 command=PROXY source={CLIENT}:", seen)
            self.assertIn(f" destination={VIP}:80 ", seen)
            self.assertNotIn("x-forwarded-for", seen)
            self.service.endpoints[:] = []
            self.lab.sync()
            self.wait_states(node1="draining", node2="draining")
            wait_until(lambda: self.on("client", f"curl -s {VIP}; echo $?") == "7\n", "connections to be refused")
            page.note("neither node has an endpoint any more:")
            self.assertIn("curl: (7)", page.run("client", f"curl -sS {VIP}; echo $?"))
            self.assertEqual(page.run("client", f"curl -s -o /dev/null -w '%{{http_code}}\\n' {VIP}:8080"), "503\n")
            self.service.endpoints[:] = self.endpoints[1:]
            self.lab.sync()
            self.wait_states(node1="draining", node2="healthy")
            wait_until(lambda: self.on("client", ASK), "connections to be accepted")
            page.note("node2 has one:")
            self.assertIn(f"version=2 command=PROXY source={CLIENT}:", page.run("client", ASK))


if __name__ == "__main__":
    main()
