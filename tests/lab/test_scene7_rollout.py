"""Scene 7, changes under load: the endpoint moves to the other node; pods are replaced one by one."""

from scene import main
from pairs import RESILIENT, Pair
from support import wait_until

CONNECTIONS = 8


class Moving(Pair):
    def test_the_endpoint_moves_from_node1_to_node2(self):
        """The old pod is terminating, and serves on, until nothing comes to it any more."""
        pods, service = self.pods, self.service
        service.endpoints[:] = [pods["node1"].endpoint()]
        self.lab.sync()
        self.wait_states(node1="healthy", node2="draining")
        load = self.load(self.url(), connections=CONNECTIONS)
        self.wait_served(self.apps["node1"])
        service.endpoints.append(pods["node2"].endpoint())
        self.lab.sync()
        self.wait_states(node1="healthy", node2="healthy")
        service.at(pods["node1"].address).terminating = True
        said = self.lab.sync()
        self.wait_states(node1="draining", node2="healthy")
        self.wait_served(self.apps["node2"])
        last = max(when for when, _, _ in self.apps["node1"].served()) - said
        self.apps["node1"].quit()
        service.endpoints[:] = [pods["node2"].endpoint()]
        self.lab.sync()
        self.wait_served(self.apps["node2"])
        outcome = load.stop()
        self.assertEqual(outcome.failures, 0, outcome)
        self.assert_client_known(outcome)
        with self.page("move") as page:
            page.note(f"{outcome.requests} requests answered, {outcome.failures} failed; the last one came to node1 "
                      f"{max(last, 0):.2f} s after its pod began to terminate")


class WithoutGrace(Pair):
    """The pod is killed, and only then the cluster learns of it."""

    def kill(self):
        load = self.load(self.url(), connections=CONNECTIONS)
        self.wait_served(*self.apps.values())
        self.pods["node1"].kill()
        self.service.endpoints[:] = [self.pods["node2"].endpoint()]
        self.lab.sync()
        self.wait_states(node1="draining", node2="healthy")
        self.wait_served(self.apps["node2"])
        return load.stop()


class OnlyUnsentRequestsAgain(WithoutGrace):
    """What nginx had begun is lost."""

    def test_a_pod_is_killed(self):
        outcome = self.kill()
        self.assertLessEqual(outcome.failures, CONNECTIONS, outcome)
        self.assertLessEqual(set(outcome.statuses), {200, 502}, outcome)
        self.assertEqual(outcome.broken, {})
        with self.page("move-without-grace") as page:
            page.note(f"{outcome.requests} requests answered, of which {outcome.failures} requests got 502")


class WhatWasResetAgain(WithoutGrace):
    more = RESILIENT

    def test_a_pod_is_killed(self):
        outcome = self.kill()
        self.assertEqual(outcome.failures, 0, outcome)
        self.assert_client_known(outcome)
        with self.page("move-without-grace-retries") as page:
            page.note("lb1, telltale.yaml:\n" + self.more_as_shown())
            page.note(f"{outcome.requests} requests answered, {outcome.failures} failed")


class Rollout(Pair):
    """A new pod is ready, the old one terminating, told to end at once, and gone when it has ended."""

    def replace(self, node, number):
        old, new = self.pods[node], self.lab.pod(f"nginx-{number}-v2", node, 21)
        app = new.nginx()
        self.service.endpoints.append(new.endpoint())
        self.service.at(old.address).terminating = True
        self.lab.sync()
        self.apps[node].quit()
        self.service.endpoints.remove(self.service.at(old.address))
        self.lab.sync()
        self.apps[node] = app
        self.wait_serving(app)

    def wait_serving(self, *apps):
        self.wait_served(*apps)

    def roll(self, section):
        load = self.load(self.url(), connections=CONNECTIONS)
        self.wait_serving(*self.apps.values())
        for node, number in (("node1", 1), ("node2", 2)):
            self.replace(node, number)
        outcome = load.stop()
        self.assertEqual(outcome.failures, 0, outcome)
        served = outcome.values("served_by")
        self.assertLessEqual(set(served), {"nginx-1", "nginx-2", "nginx-1-v2", "nginx-2-v2"})
        self.assert_client_known(outcome)
        with self.page(section) as page:
            page.note(f"{outcome.requests} requests answered, {outcome.failures} failed; "
                      f"{sum(count for pod, count in served.items() if pod.endswith('v2'))} requests by the new pods")


class RolloutLocal(Rollout):
    def test_pods_are_replaced(self):
        self.roll("rollout-local")


class RolloutCluster(Rollout):
    """Every NodePort leads to every pod; a connection that Telltale keeps is tied to the pod that it first led to."""

    policy, health_port = "Cluster", 10256

    def wait_serving(self, *apps):
        """By whichever pod: one that no connection is tied to gets nothing while those that there are last."""
        before = sum(len(app.served()) for app in self.apps.values())
        wait_until(lambda: sum(len(app.served()) for app in self.apps.values()) > before + 100, "requests to be served")

    def test_pods_are_replaced(self):
        self.roll("rollout-cluster")


if __name__ == "__main__":
    main()
