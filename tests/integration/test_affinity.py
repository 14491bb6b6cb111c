"""`session_affinity: client_ip`: who was served by an endpoint is served by it again, as long as it may be chosen."""

import time

from support import (
    Node,
    ProxyTest,
    config,
    for_client,
    http_handler,
    listener,
    main,
    proxy_v2,
    respond,
    say,
    service,
    wait_until,
)

FAST = {"http": "/healthz", "interval": "50ms", "timeout": "5s", "fall": 1}
BEHIND = {"proxy_protocol": [{"from": ["127.0.0.0/8"], "policy": "accept"}], "trusted": ["127.0.0.0/8"]}


def clients(count, net="198.51.100"):
    return [f"{net}.{n}" for n in range(1, count + 1)]


def wait(seconds):
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end)


class Affinity(ProxyTest):
    def serve(self, *apps, affinity="client_ip", listeners=None, workers=4, balance="random", **fields):
        conf = service(*apps, session_affinity=affinity, balance=balance, **fields)
        return self.start(config(conf, listeners=listeners or [listener(client_ip=BEHIND)], workers=workers))

    def apps(self, count):
        return [self.backend(say(f"app-{n}")) for n in range(count)]

    def owner(self, proxy, client, **options) -> str:
        """Who serves it, asked on a connection of its own, so by any worker."""
        return proxy.get("/", for_client(client), **options).body.decode()

    def owners(self, proxy, who) -> dict:
        return {client: self.owner(proxy, client) for client in who}

    # Who is who.

    def test_a_client_stays_whoever_brings_it_and_clients_of_one_peer_are_not_one(self):
        web, tcp = listener(client_ip=BEHIND), listener("tcp", protocol="tcp", client_ip=BEHIND)
        for balance in ("round_robin", "least_request", "random"):
            with self.subTest(balance):
                proxy = self.serve(*self.apps(4), listeners=[web, tcp], balance=balance)
                owners = self.owners(proxy, clients(80))
                self.assertEqual(set(owners.values()), {f"app-{n}" for n in range(4)})
                for n, client in enumerate(clients(20)):
                    header = proxy_v2((client, 1000 + n))
                    for peer in ("127.0.9.1", f"127.0.9.{n + 2}"):
                        self.assertEqual(self.owner(proxy, client, source=peer), owners[client])
                        for name in ("web", "tcp"):
                            answer = proxy.get("/", first=header, source=peer, listener=name)
                            self.assertEqual(answer.body.decode(), owners[client], (client, peer, name))

    def test_it_begins_in_tcp_as_well(self):
        tcp = listener("tcp", protocol="tcp", client_ip=BEHIND)
        proxy = self.serve(*self.apps(4), listeners=[tcp, listener(client_ip=BEHIND)])
        for n, client in enumerate(clients(30)):
            answer = proxy.get("/", first=proxy_v2((client, 1000 + n)), listener="tcp")
            self.assertEqual({self.owner(proxy, client) for _ in range(3)}, {answer.body.decode()})
        self.assertEqual({r["client"] for r in proxy.wait_access(count=120)}, set(clients(30)))

    def test_clients_that_come_at_once_by_all_workers_are_put_down_once(self):
        proxy = self.serve(*self.apps(6))
        for client in clients(10):
            together = [self.enterContext(proxy.client()) for _ in range(12)]
            for each in together:
                each.request("GET", "/", for_client(client))
            self.assertEqual(len({each.read_response().body for each in together}), 1, client)

    # Until when.

    def test_it_moves_when_its_endpoint_may_not_be_chosen_and_stays_where_it_moved_to(self):
        for status in (503, 500):
            with self.subTest(status=status):
                nodes = [Node(self, f"node-{n}") for n in range(3)]
                proxy = self.serve(nodes=[n.conf() for n in nodes], health=FAST)
                proxy.wait_states(node_0="healthy", node_1="healthy", node_2="healthy")
                everyone = clients(30)
                before = wait_until(lambda p=proxy: self.by_all(p, everyone, nodes), "all three to serve")
                away, moved = everyone[:15], [c for c in everyone[15:] if before[c] == "node-0"]
                nodes[0].health.status = status
                state = "draining" if status == 503 else "unhealthy"
                proxy.wait_states(node_0=state, node_1="healthy", node_2="healthy")
                wait_until(lambda p=proxy: not self.any_on(p, "node-0", moved), "node-0 to get nothing")
                during = self.owners(proxy, everyone[15:])
                for client in everyone[15:]:
                    if before[client] != "node-0":
                        self.assertEqual(during[client], before[client], "the others stay")
                nodes[0].health.status = 200
                proxy.wait_states(node_0="healthy", node_1="healthy", node_2="healthy")
                others = clients(20, "192.0.2")
                wait_until(lambda p=proxy, o=others: self.any_on(p, "node-0", o), "it to serve again")
                self.assertEqual(self.owners(proxy, everyone[15:]), during, "who moved stays where he moved to")
                self.assertEqual(self.owners(proxy, away), {c: before[c] for c in away}, "who was away never moved")

    def by_all(self, proxy, who, nodes):
        owners = self.owners(proxy, who)
        return owners if set(owners.values()) == {n.name for n in nodes} else None

    def any_on(self, proxy, name, who):
        return name in self.owners(proxy, who).values()

    def test_a_try_that_fails_there_does_not_move_it(self):
        failing = set()

        def handler(name):
            return http_handler(lambda request: respond(503 if name in failing else 200, name))

        apps = [self.backend(handler(f"app-{n}")) for n in range(3)]
        proxy = self.serve(*apps, retries={"statuses": [503], "min_concurrent": 100})
        who = clients(20)
        before = self.owners(proxy, who)
        failing.add("app-0")
        during = self.owners(proxy, who)
        self.assertNotIn("app-0", during.values())
        self.assertEqual({c: o for c, o in during.items() if before[c] != "app-0"},
                         {c: o for c, o in before.items() if o != "app-0"})  # fmt: skip
        failing.clear()
        self.assertEqual(self.owners(proxy, who), before)

    def test_who_was_away_longer_than_the_timeout_is_chosen_for_anew(self):
        proxy = self.serve(*self.apps(4), affinity={"timeout": "1s"})
        who = clients(40)
        before = self.owners(proxy, who)
        wait(2.1)  # ages are counted in whole seconds
        self.assertNotEqual(self.owners(proxy, who), before)  # by chance all 40 the same: once in 10^24

    def test_each_request_begins_the_time_anew(self):
        proxy = self.serve(*self.apps(4), affinity={"timeout": "5s"})
        who = clients(20)
        before = self.owners(proxy, who)
        end = time.monotonic() + 7
        while time.monotonic() < end:
            self.assertEqual(self.owners(proxy, who), before)

    def test_a_long_timeout_is_not_over_soon(self):
        proxy = self.serve(*self.apps(4))
        before = self.owners(proxy, clients(20))
        wait(2.1)
        self.assertEqual(self.owners(proxy, clients(20)), before)

    # How many.

    def test_who_was_away_longest_is_forgotten_beyond_max_clients(self):
        proxy = self.serve(*self.apps(6), affinity={"max_clients": 8})
        old, kept, new = clients(8)[:4], clients(8)[4:], clients(4, "192.0.2")
        before = self.owners(proxy, old + kept)
        wait(1.1)  # times are whole seconds
        self.assertEqual(self.owners(proxy, kept), {c: before[c] for c in kept})
        self.owners(proxy, new)
        self.assertEqual(self.owners(proxy, kept), {c: before[c] for c in kept}, "who came last is remembered")

    def test_so_many_as_are_remembered_and_no_more(self):
        for max_clients, all_known in ((8, False), (4096, True)):
            with self.subTest(max_clients=max_clients):
                proxy = self.serve(*self.apps(6), affinity={"max_clients": max_clients})
                who = clients(40)
                before = self.owners(proxy, who)
                self.assertEqual(self.owners(proxy, who) == before, all_known)  # by chance: once in 10^30


if __name__ == "__main__":
    main()
