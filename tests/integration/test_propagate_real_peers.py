"""Real peers on both sides: what nginx and HAProxy understand of what we tell them, and we of them."""

from support import Client, HAProxy, Nginx, ProxyTest, config, curl, http_handler, listener, main, proxy_v1, proxy_v2, service
from support.proxy_header import TLV_ALPN, TLV_AUTHORITY, TLV_CRC32C, TLV_UNIQUE_ID

CLIENT = ("198.51.100.79", 52110)
CLIENT6 = ("2001:db8::79", 52110)
DESTINATION, DESTINATION6 = ("203.0.113.140", 8443), ("2001:db8::140", 8443)

FROM_PROXY = """
listen {listen} proxy_protocol;
location / {
  default_type text/plain;
  return 200 "$proxy_protocol_addr|$proxy_protocol_port|$proxy_protocol_server_addr|$proxy_protocol_server_port|$http_x_forwarded_for";
}
"""
REAL_IP_PROXY = """
listen {listen} proxy_protocol;
set_real_ip_from 127.0.0.0/8;
real_ip_header proxy_protocol;
location / { default_type text/plain; return 200 "$remote_addr|$remote_port"; }
"""
REAL_IP_XFF = """
listen {listen};
set_real_ip_from 127.0.0.0/8;
real_ip_header X-Forwarded-For;
real_ip_recursive on;
location / { default_type text/plain; return 200 "$remote_addr"; }
"""
REAL_IP_X_REAL_IP = """
listen {listen};
set_real_ip_from 127.0.0.0/8;
real_ip_header X-Real-IP;
location / { default_type text/plain; return 200 "$remote_addr"; }
"""

REQUIRE = {"proxy_protocol": [{"from": ["127.0.0.0/8"], "policy": "require"}]}
ACCEPT = {"proxy_protocol": [{"from": ["127.0.0.0/8"], "policy": "accept"}]}


class NginxBehind(ProxyTest):
    @classmethod
    def setUpClass(cls):
        cls.nginx = cls.enterClassContext(Nginx(FROM_PROXY, REAL_IP_PROXY, REAL_IP_XFF, REAL_IP_X_REAL_IP))
        plain, real_proxy, xff, x_real_ip = cls.nginx.addresses
        tlvs = ["authority", "alpn", "unique_id", "crc32c"]
        services = [
            service(plain, name="v1", propagate={"proxy_protocol": "v1"}),
            service(plain, name="v2", propagate={"proxy_protocol": "v2"}),
            service(plain, name="tlvs", propagate={"proxy_protocol": "v2", "tlvs": tlvs}),
            service(real_proxy, name="real-v2", propagate={"proxy_protocol": "v2"}),
            service(xff, name="xff"),
            service(x_real_ip, name="x-real-ip", propagate={"x_real_ip": True}),
        ]
        listeners = [listener(s["name"], service=s["name"], client_ip=ACCEPT) for s in services]
        cls.proxy = cls.class_start(config(*services, listeners=listeners))

    def test_nginx_reads_our_proxy_headers(self):
        for name in ("v1", "v2", "tlvs"):
            for source, destination in [(CLIENT, DESTINATION), (CLIENT6, DESTINATION6)]:
                with self.subTest(service=name, source=source):
                    response = self.proxy.get(listener=name, first=proxy_v2(source, destination))
                    words = response.body.decode().split("|")
                    self.assertEqual(words[:4], [source[0], str(source[1]), destination[0], str(destination[1])])

    def test_plain_clients_are_told_by_their_socket_address(self):
        for name in ("v1", "v2", "tlvs"):
            for source in ("127.0.0.1", "127.7.7.7"):
                with self.proxy.client(name, source=source) as client:
                    port = client.local[1]
                    words = client.get().body.decode().split("|")
                self.assertEqual(words[:2], [source, str(port)])
                self.assertEqual(words[2:4], ["127.0.0.1", str(self.proxy.address(name)[1])])

    def test_mixed_families_become_mapped_ipv6(self):
        """A client known by IPv6, a destination by IPv4: one header can hold only one family."""
        client_ip = {"trusted": ["127.0.0.0/8"], "header": "x-forwarded-for"}
        for version in ("v1", "v2"):
            backend = self.backend(http_handler(proxy=True))
            told = service(backend, propagate={"proxy_protocol": version})
            proxy = self.start(config(told, listeners=[listener(client_ip=client_ip)]))
            proxy.get("/", [("X-Forwarded-For", "2001:db8::79")])
            header = backend.last().proxy
            self.assertEqual(header.source[0], "2001:db8::79")
            self.assertIn(header.destination[0], ("::ffff:127.0.0.1", "::ffff:7f00:1"))

    def test_real_ip_from_the_proxy_header(self):
        for source in (CLIENT, CLIENT6):
            response = self.proxy.get(listener="real-v2", first=proxy_v1(source, DESTINATION6 if ":" in source[0] else DESTINATION))
            self.assertEqual(response.body.decode(), f"{source[0]}|{source[1]}")

    def test_real_ip_from_the_fields(self):
        for name in ("xff", "x-real-ip"):
            for source in (CLIENT, CLIENT6):
                header = proxy_v2(source, DESTINATION6 if ":" in source[0] else DESTINATION)
                response = self.proxy.get("/", [("X-Forwarded-For", "9.9.9.9"), ("X-Real-IP", "9.9.9.9")], listener=name, first=header)
                self.assertEqual(response.body.decode(), source[0])

    def test_curl_to_nginx(self):
        result = curl("--haproxy-protocol", self.proxy.url("/", "v2"))
        self.assertTrue(result.body.startswith(b"127.0.0.1|"))

    def test_keep_alive_to_nginx_keeps_each_client_apart(self):
        clients = [self.enterContext(self.proxy.client("v2", source=f"127.0.1.{n}")) for n in range(1, 40)]
        for _ in range(5):
            for client in clients:
                words = client.get().body.decode().split("|")
                self.assertEqual(words[:2], [client.local[0], str(client.local[1])])


class Tlvs(ProxyTest):
    def test_tlvs_that_were_asked_for_and_no_others(self):
        backend = self.backend(http_handler(proxy=True))
        asked = ["authority", "alpn", "unique_id", "crc32c"]
        services = [service(backend, name=t, propagate={"proxy_protocol": "v2", "tlvs": [t]}) for t in asked]
        services.append(service(backend, name="all", propagate={"proxy_protocol": "v2", "tlvs": asked}))
        services.append(service(backend, name="none", propagate={"proxy_protocol": "v2"}))
        proxy = self.start(config(*services, listeners=[listener(s["name"], service=s["name"]) for s in services]))
        kinds = {"authority": TLV_AUTHORITY, "alpn": TLV_ALPN, "unique_id": TLV_UNIQUE_ID, "crc32c": TLV_CRC32C}
        for name in [*asked, "all", "none"]:
            with self.subTest(service=name):
                self.assertEqual(proxy.get("/", listener=name, host="shop.example").status, 200)
                header = backend.last().proxy  # its CRC32C, if any, was verified when it was read
                have = {kind for kind, _ in header.tlvs}
                wanted = set(kinds.values()) if name == "all" else {kinds[name]} if name in kinds else set()
                self.assertEqual(have, wanted)
                if TLV_AUTHORITY in have:
                    self.assertEqual(header.tlv(TLV_AUTHORITY), b"shop.example")
                if TLV_ALPN in have:
                    self.assertEqual(header.tlv(TLV_ALPN), b"http/1.1")
                if TLV_UNIQUE_ID in have:
                    self.assertTrue(0 < len(header.tlv(TLV_UNIQUE_ID)) <= 128)
                if TLV_CRC32C in have:
                    self.assertEqual(header.tlvs[-1][0], TLV_CRC32C)

    def test_unique_ids_are_those_of_the_requests_that_opened_the_connections(self):
        backend = self.backend(http_handler(proxy=True))
        told = service(backend, propagate={"proxy_protocol": "v2", "tlvs": ["unique_id"]})
        proxy = self.start(config(told))
        for n in range(20):
            proxy.get("/", source=f"127.0.1.{n + 1}")
        told = [r.proxy.tlv(TLV_UNIQUE_ID).hex() for r in backend.requests]
        self.assertEqual(len(set(told)), 20)
        self.assertEqual(set(told), {r["request_id"] for r in proxy.wait_access(count=20)})

    def test_local_from_outside_is_told_without_a_null_address(self):
        """CVE-2024-23327: LOCAL re-emitted."""
        backend = self.backend(http_handler(proxy=True))
        for version in ("v1", "v2"):
            told = service(backend, propagate={"proxy_protocol": version})
            proxy = self.start(config(told, listeners=[listener(client_ip=REQUIRE)]))
            proxy.get("/", first=proxy_v2(None, command=0), source="127.0.0.66")
            header = backend.last().proxy
            self.assertEqual((header.command, header.source[0]), ("PROXY", "127.0.0.66"))


class HAProxyInFront(ProxyTest):
    """HAProxy 2.6 has no `option forwarded` (2.8 brought it): there the field is set by http-request rules, which
    write what the option would."""

    TEXT = """
frontend v1
  bind {bind0}
  default_backend to-v1
frontend v2
  bind {bind1}
  default_backend to-v2
frontend forwarded
  bind {bind2}
  default_backend to-forwarded
frontend xff
  bind {bind3}
  default_backend to-xff
frontend v2-tlvs
  bind {bind4}
  unique-id-format %%{+X}o%%ci-%%cp-%%rt
  default_backend to-v2-tlvs
backend to-v1
  server s %(require)s send-proxy
backend to-v2
  server s %(require)s send-proxy-v2
backend to-v2-tlvs
  server s %(require)s send-proxy-v2 proxy-v2-options crc32c,unique-id,authority
backend to-forwarded
  http-request set-header Forwarded "for=%%[src];proto=http;by=127.0.0.1"
  server s %(forwarded)s
backend to-xff
  option forwardfor
  server s %(xff)s
"""

    @classmethod
    def setUpClass(cls):
        cls.app = cls.class_backend()
        trusted = {"trusted": ["127.0.0.1/32"]}
        listeners = [
            listener("require", client_ip=REQUIRE),
            listener("forwarded", client_ip={**trusted, "header": "forwarded"}),
            listener("xff", client_ip={**trusted, "header": "x-forwarded-for"}),
        ]
        cls.proxy = cls.class_start(config(service(cls.app, propagate={"x_forwarded_for": "replace"}), listeners=listeners))
        places = {name: "%s:%d" % address for name, address in cls.proxy.listeners.items()}
        cls.haproxy = cls.enterClassContext(HAProxy(cls.TEXT % places, binds=5))

    def test_each_way_of_telling_is_understood(self):
        for index, way in enumerate(("send-proxy", "send-proxy-v2", "forwarded", "forwardfor", "send-proxy-v2 with TLVs")):
            for source in ("127.0.0.1", "127.3.3.3"):
                with self.subTest(way=way, source=source):
                    host, port = self.haproxy.sockname(index)
                    result = curl("--interface", source, "-H", "X-Real-IP: 9.9.9.9", f"http://{host}:{port}/")
                    self.assertEqual(result.status, 200)
                    self.assertEqual(self.app.last().header("x-forwarded-for"), source)

    def test_keep_alive_through_both(self):
        clients = [Client(self.haproxy.sockname(n % 4), source=f"127.2.0.{n + 1}") for n in range(40)]
        for _ in range(3):
            for n, client in enumerate(clients):
                self.assertEqual(client.get(f"/{n}").json()["target"], f"/{n}")
                self.assertEqual(self.app.last().header("x-forwarded-for"), f"127.2.0.{n + 1}")
        for client in clients:
            client.close()


class HAProxyBehind(ProxyTest):
    TEXT = """
frontend in
  bind {bind0} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src]|%[src_port]|%[dst]|%[dst_port]|%[fc_pp_authority]"
"""

    def test_accept_proxy_understands_v1_and_v2(self):
        haproxy = self.enterContext(HAProxy(self.TEXT))
        propagate = {"v1": {"proxy_protocol": "v1"}, "v2": {"proxy_protocol": "v2"}}
        propagate["tlvs"] = {"proxy_protocol": "v2", "tlvs": ["authority", "crc32c", "unique_id", "alpn"]}
        services = [service(haproxy, name=name, propagate=p) for name, p in propagate.items()]
        listeners = [listener(name, service=name, client_ip=ACCEPT) for name in propagate]
        proxy = self.start(config(*services, listeners=listeners))
        for name in propagate:
            for source, destination in [(CLIENT, DESTINATION), (CLIENT6, DESTINATION6)]:
                with self.subTest(service=name, source=source):
                    response = proxy.get("/", listener=name, first=proxy_v2(source, destination), host="shop.example")
                    words = response.body.decode().split("|")
                    self.assertEqual(words[:4], [source[0], str(source[1]), destination[0], str(destination[1])])
                    if name == "tlvs":
                        self.assertEqual(words[4], "shop.example")


if __name__ == "__main__":
    main()
