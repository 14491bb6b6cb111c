"""Scene 1: a ClusterIP, called from pods."""

from scene import Scene, main
from lab import CLUSTER_IP


class ClusterIP(Scene):
    def setUp(self):
        super().setUp()
        self.app = self.lab.pod("source-ip-app", "node1", 136)
        self.app.echo()
        self.lab.service(self.app.endpoint(), name="clusterip")
        self.lab.sync()

    def test_the_backend_sees_the_pod_that_calls(self):
        beside = self.lab.pod("busybox", "node1", 8)
        elsewhere = self.lab.pod("busybox2", "node2", 8)
        with self.page("clusterip") as page:
            self.assertIn("nftables", page.run("node1", "curl -s http://localhost:10249/proxyMode; echo"))
            page.run("busybox", "ip -4 -brief address show eth0")
            text = page.run("busybox", f"curl -s {CLUSTER_IP}")
            self.assertIn("CLIENT VALUES:\nclient_address=10.180.1.8\n", text)
            self.assertEqual(beside.address, "10.180.1.8")
            page.run("busybox2", "ip -4 -brief address show eth0")
            text = page.run("busybox2", f"curl -s {CLUSTER_IP} | grep client_address")
            self.assertEqual(text, f"client_address={elsewhere.address}\n")

    def test_what_is_masqueraded_even_so(self):
        """A pod that calls itself, which could not answer itself otherwise, and whatever is no pod."""
        with self.page("clusterip-masqueraded") as page:
            ask = f"curl -s {CLUSTER_IP} | grep client_address"
            self.assertEqual(page.run("source-ip-app", ask), "client_address=10.180.1.1\n")
            self.assertEqual(page.run("node1", ask), "client_address=10.180.1.1\n")
            self.assertEqual(page.run("node2", ask), "client_address=10.240.0.5\n")

    def test_endpoints_share_what_comes(self):
        service, caller = self.lab.services[0], self.lab.pod("busybox", "node2", 9)
        apps = {name: self.lab.pod(name, node, 20) for name, node in (("nginx-1", "node1"), ("nginx-2", "node2"))}
        for pod in apps.values():
            pod.nginx()
        ask = f"for i in $(seq 40); do curl -s {CLUSTER_IP}; done | grep -e served_by -e remote_addr | sort -u | xargs"
        for serving in (["nginx-1", "nginx-2"], ["nginx-1"], ["nginx-2"]):
            service.endpoints[:] = [apps[name].endpoint() for name in serving]
            self.lab.sync()
            expected = " ".join([f"remote_addr={caller.address}", *(f"served_by={name}" for name in serving)])
            self.assertEqual(self.on("busybox", ask), expected + "\n")
        service.endpoints.clear()
        self.lab.sync()
        refused = self.on("busybox", f"curl -s --max-time 5 {CLUSTER_IP}; echo $?")
        self.assertEqual(refused, "7\n")


if __name__ == "__main__":
    main()
