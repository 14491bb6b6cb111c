"""`source_address: transparent`: the backend's socket has the client's own address. On hosts of this test's own (network
namespaces): a client, the proxy, and a backend behind it; and a sidecar, whose application listens on loopback."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import unittest

from support import Backend, Client, Echo, Nginx, ProxyTest, config, http_handler, listener, main, respond, service
from support import netns
from support.process import find_program
from support.telltale import ENVIRONMENT
from support.waiting import DEADLINE, binary_path

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHY_NOT = netns.why_not()

# What docker/README.md tells to run; this test runs the same lines.
ON_THE_PROXY = """
ip rule add iif {interface} ipproto tcp sport {port} lookup 100
ip route add local 0.0.0.0/0 dev lo table 100
ip -6 rule add iif {interface} ipproto tcp sport {port} lookup 100
ip -6 route add local ::/0 dev lo table 100
"""
BESIDE_THE_APPLICATION_AT = """
ip rule add from {address} iif lo ipproto tcp sport {port} lookup 100
ip route add local 0.0.0.0/0 dev lo table 100
ip -6 rule add from {address6} iif lo ipproto tcp sport {port} lookup 100
ip -6 route add local ::/0 dev lo table 100
"""
BY_MARK = """
nft add table inet telltale
nft add chain inet telltale divert '{ type filter hook prerouting priority mangle; }'
nft add rule inet telltale divert meta l4proto tcp socket transparent 1 meta mark set 1
ip rule add fwmark 1 lookup 100
ip route add local 0.0.0.0/0 dev lo table 100
ip -6 rule add fwmark 1 lookup 100
ip -6 route add local ::/0 dev lo table 100
"""
ON_THE_BACKEND = """
ip route add default via {proxy}
ip -6 route add default via {proxy6}
"""
BESIDE_THE_APPLICATION = """
ip rule add from 127.0.0.0/8 iif lo lookup 100
ip route add local 0.0.0.0/0 dev lo table 100
ip -6 rule add from ::1 iif lo lookup 100
ip -6 route add local ::/0 dev lo table 100
"""

PORT = 8080
CLIENTS = 20
V4, V6 = "198.51.100", "2001:db8:c"  # clients are .2 and up, ::2 and up
PROXY, PROXY6 = "198.51.100.1", "2001:db8:c::1"
NGINX = """
listen {listen};
keepalive_timeout 600s;
location / { default_type text/plain; return 200 "$remote_addr"; }
"""
TRANSPARENT = {"source_address": "transparent"}


def peers_answer(request):
    """The socket's other end, and which connection it is."""
    connection = request.connection
    return respond(200, json.dumps({"peer": connection.peer[0], "connection": connection.index, "size": len(request.body)}))


def url_host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@unittest.skipIf(WHY_NOT, f"no network namespaces here: {WHY_NOT}")
class TransparentSource(ProxyTest):
    """client -- proxy -- backend"""

    @classmethod
    def setUpClass(cls):
        cls.client_host, cls.proxy_host, cls.backend_host = cls.enterClassContext(
            netns.hosts("client", "proxy", "backend"))
        netns.cable(cls.proxy_host, "clients", cls.client_host, "eth0")
        netns.cable(cls.proxy_host, "backends", cls.backend_host, "eth0")
        many = range(2, 2 + CLIENTS)
        cls.client_host.add("eth0", *(f"{V4}.{i}/24" for i in many), *(f"{V6}::{i}/64" for i in many))
        cls.proxy_host.add("clients", f"{PROXY}/24", f"{PROXY6}/64")
        cls.proxy_host.add("backends", "10.9.0.1/24", "2001:db8:b::1/64")
        cls.backend_host.add("eth0", "10.9.0.2/24", "2001:db8:b::2/64")
        cls.proxy_host.run(ON_THE_PROXY, interface="backends", port=PORT)
        cls.backend_host.run(ON_THE_BACKEND, proxy="10.9.0.1", proxy6="2001:db8:b::1")

    def on_backend(self, make):
        with self.backend_host:
            return self.enterContext(make())

    def start_proxy(self, *, protocol="http", **services):
        """A listener for each family, on the proxy's host. `services`: v4 and v6 by name of the listener."""
        listeners = []
        for name in services:
            for family, address in (("4", PROXY), ("6", f"[{PROXY6}]")):
                fields = {"service": name, "client_ip": self.client_ip, "protocol": protocol}
                listeners.append(listener(name + family, f"{address}:0", **fields))
        built = [service(*endpoints, name=name, propagate=TRANSPARENT) for name, endpoints in services.items()]
        with self.proxy_host:
            return self.start(config(*built, listeners=listeners))

    client_ip = {}

    def connect(self, proxy, name, source) -> Client:
        with self.client_host:
            return self.enterContext(Client(proxy.address(name + ("6" if ":" in source else "4")), source=source))

    def test_the_commands_are_those_of_the_documentation(self):
        text = (ROOT / "docker/README.md").read_text()
        for commands, names in ((ON_THE_PROXY, {"interface": "eth1", "port": PORT}),
                                (ON_THE_BACKEND, {"proxy": "10.9.0.1", "proxy6": "2001:db8:b::1"}),
                                (BESIDE_THE_APPLICATION_AT, {"address": PROXY, "address6": PROXY6, "port": PORT}),
                                (BESIDE_THE_APPLICATION, {}), (BY_MARK, {})):
            self.assertIn((commands.format(**names) if names else commands).strip(), text)

    def test_tcp_mode_has_it_too(self):
        """With much in both directions, which goes by pipes."""
        for address, source in (("10.9.0.2", f"{V4}.2"), ("2001:db8:b::2", f"{V6}::2")):
            with self.subTest(source):
                with self.backend_host:
                    backend = Backend(http_handler(peers_answer), address=(address, PORT))
                with backend:
                    proxy = self.start_proxy(protocol="tcp", app=[backend])
                    with self.connect(proxy, "app", source) as client:
                        body = os.urandom(8 << 20)
                        answer = client.get(method="POST", body=body).json()
                        self.assertEqual((answer["peer"], answer["size"]), (source, len(body)))
                        self.assertEqual(client.get().json()["peer"], source)
                    proxy.stop()

    def test_a_backend_sees_the_client_in_its_socket(self):
        for address, source in (("10.9.0.2", f"{V4}.2"), ("2001:db8:b::2", f"{V6}::2")):
            with self.subTest(source):
                with self.backend_host:
                    backend = Backend(http_handler(peers_answer), address=(address, PORT))
                with backend:
                    proxy = self.start_proxy(app=[backend])
                    with self.connect(proxy, "app", source) as client:
                        body = os.urandom(1 << 20)
                        self.assertEqual(client.get().json()["peer"], source)
                        answer = client.get(method="POST", body=body).json()
                        self.assertEqual((answer["peer"], answer["size"]), (source, len(body)))
                    proxy.stop()

    def test_echo_and_nginx_see_it_too(self):
        for address, source in (("10.9.0.2", f"{V4}.3"), ("2001:db8:b::2", f"{V6}::3")):
            with self.subTest("echo", source=source):
                with self.backend_host:
                    echo = Echo(listen=f"{url_host(address)}:{PORT}")
                with echo:
                    proxy = self.start_proxy(app=[echo])
                    with self.connect(proxy, "app", source) as client:
                        text = client.get().body.decode()
                    self.assertIn(f"client_address={source}\n", text)
                    proxy.stop()
            with self.subTest("nginx", source=source):
                with self.backend_host:
                    nginx = Nginx(NGINX, address=(address, PORT))
                with nginx:
                    proxy = self.start_proxy(app=[nginx])
                    with self.connect(proxy, "app", source) as client:
                        self.assertEqual(client.get().body.decode(), source)
                    proxy.stop()

    def test_a_connection_serves_its_client_only(self):
        """Idle connections are used again, each for the client whose address it has."""
        backend = self.on_backend(lambda: Backend(http_handler(peers_answer), address=("10.9.0.2", PORT)))
        listeners = [listener("app4", f"{PROXY}:0")]
        with self.proxy_host:  # one worker: a pool is a worker's
            proxy = self.start(config(service(backend, propagate=TRANSPARENT), listeners=listeners, workers=1))
        sources = [f"{V4}.{i}" for i in range(2, 2 + CLIENTS)]
        used = {}
        for _ in range(3):
            for source in sources:
                # A connection of its own each time: what is used again is the proxy's connection to the backend.
                with self.connect(proxy, "app", source) as client:
                    answer = client.get().json()
                self.assertEqual(answer["peer"], source)
                self.assertEqual(used.setdefault(source, answer["connection"]), answer["connection"])
        self.assertEqual(len(backend.connections), CLIENTS)

    def test_many_clients_at_once(self):
        nginx = self.on_backend(lambda: Nginx(NGINX, address=("10.9.0.2", PORT)))
        nginx6 = self.on_backend(lambda: Nginx(NGINX, address=("2001:db8:b::2", PORT)))
        with self.proxy_host:
            proxy = self.start(config(service(nginx, name="v4", propagate=TRANSPARENT),
                                      service(nginx6, name="v6", propagate=TRANSPARENT),
                                      listeners=[listener("app4", f"{PROXY}:0", service="v4"),
                                                 listener("app6", f"[{PROXY6}]:0", service="v6")]))
        wrong = []

        def ask(source):
            with self.client_host:
                for _ in range(10):
                    with Client(proxy.address("app6" if ":" in source else "app4"), source=source) as client:
                        for _ in range(3):
                            if (seen := client.get().body.decode()) != source:
                                wrong.append((source, seen))

        numbers = range(2, 2 + CLIENTS)
        sources = [f"{V4}.{i}" for i in numbers] + [f"{V6}::{i:x}" for i in numbers if i < 10]
        threads = [threading.Thread(target=ask, args=(source,)) for source in sources]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
            self.assertFalse(thread.is_alive())
        self.assertEqual(wrong, [])

    def test_it_is_the_client_that_was_found_not_the_peer(self):
        """Behind a trusted hop the source is what the hop's header says."""
        backend = self.on_backend(lambda: Backend(http_handler(peers_answer), address=("10.9.0.2", PORT)))
        self.client_ip = {"trusted": [f"{V4}.2"]}
        proxy = self.start_proxy(app=[backend])
        with self.connect(proxy, "app", f"{V4}.2") as client:
            for claimed in ("192.0.2.77", "203.0.113.5", "192.0.2.77"):
                self.assertEqual(client.get(fields=[("X-Forwarded-For", claimed)]).json()["peer"], claimed)
        with self.connect(proxy, "app", f"{V4}.3") as client:
            answer = client.get(fields=[("X-Forwarded-For", "192.0.2.77")]).json()
            self.assertEqual(answer["peer"], f"{V4}.3")

    def test_another_family_is_refused(self):
        """An IPv6 client has no address that an IPv4 backend could see: 502, and nothing is sent from another one."""
        backend = self.on_backend(lambda: Backend(http_handler(peers_answer), address=("10.9.0.2", PORT)))
        proxy = self.start_proxy(app=[backend])
        with self.connect(proxy, "app", f"{V6}::2") as client:
            self.assertEqual(client.get().status, 502)
        record = proxy.wait_access()[0]
        self.assertIn("not of the endpoint's family", record["failure"])
        self.assertEqual(len(backend.connections), 0)


@unittest.skipIf(WHY_NOT, f"no network namespaces here: {WHY_NOT}")
class ByMark(ProxyTest):
    """client -- proxy and router -- backend: clients also come to the backend without the proxy."""

    def test_the_socket_tells_whose_answers_are_the_proxys(self):
        client, router, backend = self.enterContext(netns.hosts("client", "router", "backend"))
        netns.cable(router, "clients", client, "eth0")
        netns.cable(router, "backends", backend, "eth0")
        client.add("eth0", f"{V4}.2/24", f"{V6}::2/64")
        router.add("clients", f"{PROXY}/24", f"{PROXY6}/64")
        router.add("backends", "10.9.0.1/24", "2001:db8:b::1/64")
        backend.add("eth0", "10.9.0.2/24", "2001:db8:b::2/64")
        client.run(ON_THE_BACKEND, proxy=PROXY, proxy6=PROXY6)
        backend.run(ON_THE_BACKEND, proxy="10.9.0.1", proxy6="2001:db8:b::1")
        with router:
            for forwarding in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
                pathlib.Path("/proc/sys/net", forwarding).write_text("1")
        router.run(BY_MARK)
        for address, at, source in (("10.9.0.2", PROXY, f"{V4}.2"), ("2001:db8:b::2", PROXY6, f"{V6}::2")):
            with self.subTest(source):
                with backend:
                    app = self.enterContext(Backend(http_handler(peers_answer), address=(address, PORT)))
                with router:
                    proxy = self.start(config(service(app, propagate=TRANSPARENT),
                                              listeners=[listener(listen=f"{url_host(at)}:0")]))
                with client:
                    body = os.urandom(1 << 20)
                    with Client(proxy.address(), source=source) as through:
                        answer = through.get(method="POST", body=body).json()
                        self.assertEqual((answer["peer"], answer["size"], answer["connection"]), (source, len(body), 0))
                    with Client((address, PORT), source=source) as past:
                        answer = past.get(method="POST", body=body).json()
                        self.assertEqual((answer["peer"], answer["size"], answer["connection"]), (source, len(body), 1))


@unittest.skipIf(WHY_NOT, f"no network namespaces here: {WHY_NOT}")
class Sidecar(ProxyTest):
    """client -- (proxy and application on one host)"""

    def test_an_application_on_loopback_sees_the_client(self):
        outside, pod = self.enterContext(netns.hosts("outside", "pod"))
        netns.cable(pod, "eth0", outside, "eth0")
        outside.add("eth0", f"{V4}.2/24", f"{V6}::2/64")
        pod.add("eth0", f"{PROXY}/24", f"{PROXY6}/64")
        pod.run(BESIDE_THE_APPLICATION)
        for family, address, at, source in (("4", "127.0.0.1", PROXY, f"{V4}.2"), ("6", "::1", PROXY6, f"{V6}::2")):
            with self.subTest(source), pod:
                application = self.enterContext(Backend(http_handler(peers_answer), address=(address, PORT)))
                nginx = self.enterContext(Nginx(NGINX, address=(address, PORT + 1)))
                listeners = [listener(name, f"{url_host(at)}:0", service=name) for name in ("raw", "nginx")]
                proxy = self.start(config(service(application, name="raw", propagate=TRANSPARENT),
                                          service(nginx, name="nginx", propagate=TRANSPARENT), listeners=listeners))
                with outside:
                    for _ in range(3):
                        with Client(proxy.address("raw"), source=source) as client:
                            self.assertEqual(client.get().json()["peer"], source)
                        with Client(proxy.address("nginx"), source=source) as client:
                            self.assertEqual(client.get().body.decode(), source)
                # What is not the client's still works beside it: the pod's own calls over loopback.
                with Client((address, PORT)) as client:
                    self.assertEqual(client.get().json()["peer"], address)

    def test_an_application_on_the_pods_address_sees_the_client(self):
        outside, pod = self.enterContext(netns.hosts("outside", "pod"))
        netns.cable(pod, "eth0", outside, "eth0")
        outside.add("eth0", f"{V4}.2/24", f"{V6}::2/64")
        pod.add("eth0", f"{PROXY}/24", f"{PROXY6}/64")
        pod.run(BESIDE_THE_APPLICATION_AT, address=PROXY, address6=PROXY6, port=PORT)
        for at, source in ((PROXY, f"{V4}.2"), (PROXY6, f"{V6}::2")):
            with self.subTest(source):
                with pod:
                    application = self.enterContext(Backend(http_handler(peers_answer), address=(at, PORT)))
                    proxy = self.start(config(service(application, propagate=TRANSPARENT),
                                              listeners=[listener(listen=f"{url_host(at)}:0")]))
                with outside, Client(proxy.address(), source=source) as client:
                    self.assertEqual(client.get().json()["peer"], source)


class Capability(ProxyTest):
    """Without CAP_NET_ADMIN or CAP_NET_RAW."""

    CONFIG = """listeners: [{ listen: "127.0.0.1:0", service: app }]
services: [{ name: app, endpoints: ["127.0.0.1:9"], propagate: { source_address: transparent } }]
admin: off
"""

    def run_without(self, lost, *arguments):
        prefix = []
        if os.geteuid() == 0:  # what root has comes from the bounding set
            if shutil.which("setpriv") is None:
                self.skipTest("root without the program `setpriv` (package util-linux) to give up capabilities with")
            prefix = [find_program("setpriv"), f"--bounding-set={lost}", f"--inh-caps={lost}"]
        file = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="telltale-test-")), "telltale.yaml")
        file.write_text(self.CONFIG)
        return subprocess.run([*prefix, binary_path(), *arguments, "-c", str(file)], capture_output=True, check=False,
                              text=True, timeout=DEADLINE, env={**os.environ, **ENVIRONMENT})

    def test_run_says_what_to_grant(self):
        done = self.run_without("-net_admin,-net_raw", "run")
        self.assertEqual(done.returncode, 71, done.stderr)
        self.assertIn("service app: source_address: transparent is not permitted; grant CAP_NET_ADMIN", done.stderr)

    def test_check_warns(self):
        done = self.run_without("-net_admin,-net_raw", "check")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("warning: services[0].propagate.source_address: `transparent` is not permitted", done.stderr)
        self.assertEqual(self.run_without("-net_admin,-net_raw", "check", "--strict").returncode, 1)

    @unittest.skipIf(os.geteuid() != 0, "only root has capabilities to keep one of")
    def test_either_capability_is_enough(self):
        for lost in ("-net_admin", "-net_raw"):
            done = self.run_without(lost, "check", "--strict")
            self.assertEqual((done.returncode, done.stderr), (0, done.stderr), lost)


if __name__ == "__main__":
    main()
