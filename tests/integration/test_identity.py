"""Who the client is, and that no field from outside can say otherwise: checked at the backend, field by field."""

from support import ProxyTest, config, curl, listener, main, proxy_v1, proxy_v2, service
from support.messages import chunks

# Hops that are believed, and one that is not.
TRUSTED, UNTRUSTED = "127.0.5.1", "127.0.6.1"
TRUST = ["127.0.5.0/24", "10.0.0.0/8", "2001:db8:1::/48"]

IDENTITY_FIELDS = [
    "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix",
    "X-Forwarded-Server", "X-Forwarded-Client-Cert", "X-Forwarded-Tls-Version", "X-Forwarded-Ssl", "X-Forwarded-Scheme",
    "X-Real-IP", "X-Client-IP", "X-Cluster-Client-IP", "True-Client-IP", "CF-Connecting-IP", "CF-Connecting-IPv6",
    "Fastly-Client-IP", "X-Azure-ClientIP", "X-Azure-SocketIP", "X-Original-Forwarded-For", "X-Original-Host",
    "X-Envoy-External-Address", "X-Envoy-Internal", "X-ProxyUser-Ip", "WL-Proxy-Client-IP", "Proxy-Client-IP",
    "Client-IP", "Forwarded-For", "X-Remote-Addr", "CloudFront-Viewer-Address", "Client-Cert", "Client-Cert-Chain",
    "SSL-Client-Verify", "X-SSL-Client-CN", "X-Amzn-Mtls-Clientcert-Subject", "X-Telltale-Client",
    "X-Company-Client",
]  # fmt: skip
OWN = ["x-company-client"]


def believing(name, header, **fields):
    client_ip = {"trusted": TRUST, "identity_headers": OWN, **({"header": header} if header else {}), **fields}
    return listener(name, service="x", client_ip=client_ip)


LISTENERS = [
    believing("xff", "x-forwarded-for"),
    believing("default", None),
    believing("forwarded", "forwarded"),
    believing("single", "cf-connecting-ip"),
    believing("named", "x-company-client"),
    believing("none", "none"),
    believing("reject", "x-forwarded-for", on_invalid="reject"),
    believing("reject-single", "cf-connecting-ip", on_invalid="reject"),
    believing("hops1", "x-forwarded-for", trusted_hops=1),
    believing("hops2", "x-forwarded-for", trusted_hops=2),
    listener("nobody", service="x", client_ip={"identity_headers": OWN}),
    listener("replace", service="replace", client_ip={"trusted": TRUST}),
    listener("remove", service="remove", client_ip={"trusted": TRUST}),
    listener("pass", service="pass", client_ip={"trusted": TRUST}),
    listener("all", service="all", client_ip={"trusted": TRUST}),
    listener("both", service="x", client_ip={
        "trusted": ["10.0.0.0/8"], "proxy_protocol": [{"from": ["127.0.5.0/24"], "policy": "require"}]}),
]  # fmt: skip


class Identity(ProxyTest):
    @classmethod
    def setUpClass(cls):
        cls.app = cls.class_backend()
        everything = {
            "x_forwarded_for": "append",
            "forwarded": {"mode": "append", "parameters": ["for", "by", "host", "proto"], "ports": True},
            "x_forwarded_proto": True,
            "x_forwarded_host": True,
            "x_forwarded_port": True,
            "x_real_ip": True,
        }
        services = [
            service(cls.app, name="x", propagate={"x_real_ip": True}),
            service(cls.app, name="replace", propagate={"x_forwarded_for": "replace"}),
            service(cls.app, name="remove", propagate={"x_forwarded_for": "remove", "via": False}),
            service(cls.app, name="pass", propagate={"x_forwarded_for": "pass"}),
            service(cls.app, name="all", propagate=everything),
        ]
        cls.proxy = cls.class_start(config(*services, listeners=LISTENERS, workers=1))

    def told(self, name, fields=(), source=TRUSTED, status=200, first=b""):
        """The backend's view of a request: its fields."""
        response = self.proxy.get("/", fields, listener=name, source=source, first=first)
        self.assertEqual(response.status, status)
        return self.app.last().fields

    def client(self, name, fields=(), **options):
        """The resolved client: x_real_ip is told it as it is."""
        return self.told(name, fields, **options).one("x-real-ip")

    # Who it is.

    def test_x_forwarded_for_is_walked_from_the_right(self):
        for value, client in [
            ("198.51.100.7", "198.51.100.7"),
            ("198.51.100.7, 10.0.0.1", "198.51.100.7"),
            ("1.1.1.1, 198.51.100.7, 10.0.0.1, 10.0.0.2", "198.51.100.7"),
            ("1.1.1.1,198.51.100.7", "198.51.100.7"),
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("198.51.100.7:4711", "198.51.100.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]:443, 10.0.0.1", "2001:db8::7"),
            ("[2001:DB8::7]", "2001:db8::7"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("1.1.1.1, ::ffff:10.0.0.1", "1.1.1.1"),
            ("198.51.100.7, 2001:db8:1::9", "198.51.100.7"),
            ("  198.51.100.7\t ,10.0.0.1 ", "198.51.100.7"),
            ("198.51.100.7, , 10.0.0.1", "198.51.100.7"),
        ]:
            for name in ("xff", "default"):
                with self.subTest(value=value, listener=name):
                    self.assertEqual(self.client(name, [("X-Forwarded-For", value)]), client)

    def test_what_is_no_address_ends_the_walk_at_the_last_good_hop(self):
        for value, client in [
            ("unknown", TRUSTED),
            ("1.1.1.1, _hidden", TRUSTED),
            ("1.1.1.1, garbage, 10.0.0.1", "10.0.0.1"),
            ("1.1.1.1, 198.051.100.7", TRUSTED),
            ("1.1.1.1, 0x7f.1", TRUSTED),
            ("1.1.1.1, 2130706433", TRUSTED),
            ("1.1.1.1, fe80::1%eth0", TRUSTED),
            ("1.1.1.1, 10.0.0.300", TRUSTED),
        ]:
            with self.subTest(value=value):
                self.assertEqual(self.client("xff", [("X-Forwarded-For", value)]), client)

    def refusals(self, reason, listener_name):
        return self.proxy.metrics().sum("telltale_client_header_refusals_total", listener=listener_name, reason=reason)

    def test_an_invalid_entry_stops_the_walk_or_refuses_the_request_and_is_counted(self):
        for name, status in (("xff", 200), ("reject", 400)):
            with self.subTest(name):
                before = self.refusals("not_an_address", name)
                target = f"/invalid-{name}"
                fields = [("X-Forwarded-For", "198.51.100.7, unknown, 10.0.0.1")]
                response = self.proxy.get(target, fields, listener=name, source=TRUSTED)
                self.assertEqual(response.status, status)
                self.assertEqual(self.refusals("not_an_address", name), before + 1)
                record = self.proxy.wait_access(lambda r, target=target: r["target"] == target)[0]
                self.assertEqual(record["client_refused"], "not_an_address: unknown")
                self.assertEqual(record["client"], "10.0.0.1" if status == 200 else TRUSTED)
                if status == 400:
                    self.assertEqual(record["failure_side"], "downstream")
                    self.assertIn("no address", record["failure"])
        fields = [("CF-Connecting-IP", "198.51.100.7"), ("CF-Connecting-IP", "198.51.100.8")]
        self.assertEqual(self.proxy.get("/", fields, listener="reject-single", source=TRUSTED).status, 400)
        self.assertEqual(self.refusals("malformed", "reject-single"), 1)
        # Where there is nothing to refuse, it is served; what a stranger says is dropped, and counted.
        self.assertEqual(self.client("reject", [("X-Forwarded-For", "unknown, 198.51.100.7")]), "198.51.100.7")
        before = self.refusals("peer_not_trusted", "reject")
        self.assertEqual(self.client("reject", [("X-Forwarded-For", "unknown")], source=UNTRUSTED), UNTRUSTED)
        self.assertEqual(self.refusals("peer_not_trusted", "reject"), before + 1)

    def test_several_lines_are_joined_in_order(self):
        fields = [("X-Forwarded-For", "1.1.1.1"), ("X-Own", "x"), ("x-forwarded-for", "198.51.100.7"), ("X-FORWARDED-FOR", "10.0.0.1")]
        told = self.told("xff", fields)
        self.assertEqual(told.one("x-real-ip"), "198.51.100.7")
        self.assertEqual(len(told.all("x-forwarded-for")), 1, "exactly one line leaves")

    def test_the_leftmost_is_never_taken_from_a_stranger(self):
        for name in ("xff", "default", "forwarded", "single", "named", "none", "hops1", "nobody"):
            fields = [(n, "for=9.9.9.9" if n == "Forwarded" else "9.9.9.9") for n in IDENTITY_FIELDS]
            with self.subTest(listener=name):
                self.assertEqual(self.client(name, fields, source=UNTRUSTED), UNTRUSTED)

    def test_nobody_is_trusted_by_default(self):
        """CVE-2024-45806: neither loopback nor a private range."""
        for source in ("127.0.0.1", TRUSTED):
            self.assertEqual(self.client("nobody", [("X-Forwarded-For", "9.9.9.9")], source=source), source)

    def test_forwarded_is_walked_from_the_right(self):
        for value, client in [
            ("for=198.51.100.7", "198.51.100.7"),
            ("For=198.51.100.7;proto=http;by=203.0.113.43", "198.51.100.7"),
            ('for="198.51.100.7:4711"', "198.51.100.7"),
            ('for="[2001:db8::7]:4711"', "2001:db8::7"),
            ('for="[2001:db8::7]"', "2001:db8::7"),
            ("for=1.1.1.1, for=198.51.100.7;host=a, for=10.0.0.1", "198.51.100.7"),
            ('for="198.51.1\\00.7"', "198.51.100.7"),
            ('host="a,b;c", for=198.51.100.7', "198.51.100.7"),
            ("for=1.1.1.1, for=unknown", TRUSTED),
            ('for=1.1.1.1, for="_hidden"', TRUSTED),
            ("for=1.1.1.1, proto=http", TRUSTED),
        ]:
            with self.subTest(value=value):
                self.assertEqual(self.client("forwarded", [("Forwarded", value)]), client)

    def test_broken_forwarded_is_not_believed(self):
        for value in ('for="1.1.1.1', "for=1.1.1.1;for=2.2.2.2", "for 1.1.1.1", "for=", "for=[2001:db8::7]"):
            with self.subTest(value=value):
                self.assertEqual(self.client("forwarded", [("Forwarded", value)]), TRUSTED)

    def test_single_address_headers(self):
        for name, header in [("single", "CF-Connecting-IP"), ("named", "X-Company-Client")]:
            self.assertEqual(self.client(name, [(header, "198.51.100.7")]), "198.51.100.7")
            self.assertEqual(self.client(name, [(header, "garbage")]), TRUSTED)
            self.assertEqual(self.client(name, [("X-Forwarded-For", "198.51.100.7")]), TRUSTED)

    def test_only_the_configured_header_is_believed(self):
        others = [("X-Forwarded-For", "1.1.1.1"), ("CF-Connecting-IP", "2.2.2.2"), ("X-Real-IP", "3.3.3.3")]
        self.assertEqual(self.client("forwarded", others), TRUSTED)
        self.assertEqual(self.client("none", [*others, ("Forwarded", "for=4.4.4.4")]), TRUSTED)

    def test_trusted_hops_count_from_the_right(self):
        chain = [("X-Forwarded-For", "1.1.1.1, 2.2.2.2, 3.3.3.3")]
        one, two = self.client("hops1", chain), self.client("hops2", chain)
        self.assertEqual((one, two), ("3.3.3.3", "2.2.2.2"))
        self.assertEqual(self.client("hops1", chain, source=UNTRUSTED), UNTRUSTED, "only if the peer is trusted")

    def test_header_is_believed_of_the_hop_that_the_proxy_header_named(self):
        fields = [("X-Forwarded-For", "198.51.100.7")]
        inside, outside = proxy_v2(("10.0.0.9", 1)), proxy_v1(("192.0.2.9", 1))
        self.assertEqual(self.client("both", fields, first=inside), "198.51.100.7")
        self.assertEqual(self.client("both", fields, first=outside), "192.0.2.9")

    def test_list_too_long_is_400(self):
        self.told("xff", [("X-Forwarded-For", ", ".join(["10.0.0.1"] * 64))])
        self.told("xff", [("X-Forwarded-For", ", ".join(["10.0.0.1"] * 65))], status=400)
        self.told("forwarded", [("Forwarded", ", ".join(["for=10.0.0.1"] * 65))], status=400)
        self.told("xff", [("X-Forwarded-For", "x" * 9000)], status=400)
        # Nobody walks a stranger's list.
        self.told("xff", [("X-Forwarded-For", ", ".join(["10.0.0.1"] * 65))], source=UNTRUSTED)

    # What goes on.

    def test_every_identity_field_of_a_stranger_is_removed(self):
        """GHSA-5m6w-wvh7-57vm: however it is spelled, no sibling forgotten."""
        for spell in (str, str.lower, str.upper, lambda n: n.replace("-", "_"), lambda n: n.replace("-", "_", 1)):
            fields = [(spell(name), "9.9.9.9") for name in IDENTITY_FIELDS]
            told = self.told("nobody", fields, source=UNTRUSTED)
            self.assertNotIn("9.9.9.9", str(told))
            self.assertEqual(told.one("x-forwarded-for"), UNTRUSTED)

    def test_of_a_trusted_hop_only_the_configured_field_is_kept(self):
        fields = [(name, "9.9.9.9") for name in IDENTITY_FIELDS if name not in ("X-Forwarded-For", "X-Real-IP")]
        told = self.told("xff", [*fields, ("X-Forwarded-For", "198.51.100.7")])
        kept = {n for n in told.names() if n in {f.lower() for f in IDENTITY_FIELDS}}
        self.assertLessEqual(kept, {"x-forwarded-for", "x-real-ip", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"})
        self.assertEqual(told.one("x-forwarded-for"), f"198.51.100.7, {TRUSTED}")

    def test_connection_must_not_nominate_who_the_client_is(self):
        """CVE-2022-31813, CVE-2024-45410, CVE-2021-32813."""
        for name in [*IDENTITY_FIELDS, "x_forwarded_for", "X_Real_Ip", "X_Company_Client"]:
            for value in (name, f"close, {name}", f"keep-alive,{name.lower()}"):
                with self.subTest(value=value):
                    before = len(self.app.requests)
                    self.told("nobody", [("Connection", value)], status=400)
                    self.assertEqual(len(self.app.requests), before)
        self.told("replace", [("Connection", OWN[0])])  # a name like any other where it was not configured
        self.told("named", [("Connection", "X-Company-Client")], status=400)

    def test_trailers_do_not_say_who_the_client_is(self):
        names = [*IDENTITY_FIELDS, "x_company_client"]
        for first in range(0, len(names), 30):  # a trailer section holds 32 fields
            trailers = [*((name, "9.9.9.9") for name in names[first : first + 30]), ("X-Fine", "1")]
            with self.proxy.client("nobody", source=UNTRUSTED) as client:
                client.request("POST", "/", [("Transfer-Encoding", "chunked")])
                client.send(chunks(b"payload", trailers))
                self.assertEqual(client.read_response().status, 200)
            self.assertEqual(self.app.last().trailers.names(), ["x-fine"])

    def test_append_replace_remove_and_pass(self):
        for name, fields, wanted in [
            ("xff", [], TRUSTED),
            ("xff", [("X-Forwarded-For", "198.51.100.7, 10.0.0.1")], f"198.51.100.7, 10.0.0.1, {TRUSTED}"),
            ("replace", [("X-Forwarded-For", "198.51.100.7, 10.0.0.1")], "198.51.100.7"),
            ("replace", [], TRUSTED),
            ("remove", [("X-Forwarded-For", "198.51.100.7, 10.0.0.1")], None),
            ("remove", [], None),
            ("pass", [("X-Forwarded-For", "a, b"), ("X-Forwarded-For", "c")], "a, b, c"),
            ("pass", [], None),
        ]:
            with self.subTest(mode=name, fields=fields):
                self.assertEqual(self.told(name, fields).one("x-forwarded-for"), wanted)
        stranger = self.told("xff", [("X-Forwarded-For", "9.9.9.9")], source=UNTRUSTED)
        self.assertEqual(stranger.one("x-forwarded-for"), UNTRUSTED)

    def test_everything_that_can_be_told(self):
        told = self.told("all", [("X-Forwarded-For", "198.51.100.7")])
        port = self.proxy.address("all")[1]
        self.assertEqual(told.one("x-forwarded-for"), f"198.51.100.7, {TRUSTED}")
        self.assertEqual(told.one("x-forwarded-proto"), "http")
        self.assertEqual(told.one("x-forwarded-host"), "test.example")
        self.assertEqual(told.one("x-forwarded-port"), str(port))
        self.assertEqual(told.one("x-real-ip"), "198.51.100.7")
        forwarded = told.one("forwarded")
        for part in ("for=", "by=", "host=test.example", "proto=http"):
            self.assertIn(part, forwarded)
        self.assertNotIn("9.9.9.9", forwarded)

    def test_ipv6_is_quoted_in_forwarded(self):
        client_ip = {"proxy_protocol": [{"from": ["127.0.0.0/8"], "policy": "require"}]}
        app = self.backend()
        told = service(app, propagate={"forwarded": {"mode": "replace", "parameters": ["for"]}})
        ports = service(app, name="ports", propagate={"forwarded": {"mode": "replace", "parameters": ["for"], "ports": True}})
        listeners = [listener(client_ip=client_ip), listener("ports", service="ports", client_ip=client_ip)]
        proxy = self.start(config(told, ports, listeners=listeners))
        for source, bare, with_port in [
            (("2001:db8::7", 4711), 'for="[2001:db8::7]"', 'for="[2001:db8::7]:4711"'),
            (("198.51.100.7", 4711), "for=198.51.100.7", 'for="198.51.100.7:4711"'),
        ]:
            header = proxy_v2(source, ("2001:db8::1", 80) if ":" in source[0] else ("203.0.113.1", 80))
            proxy.get("/", first=header)
            self.assertEqual(app.last().header("forwarded"), bare)
            proxy.get("/", listener="ports", first=header)
            self.assertEqual(app.last().header("forwarded"), with_port)

    def test_via_names_us_and_keeps_those_before(self):
        self.assertEqual(self.told("xff").one("via"), "1.1 telltale")
        told = self.told("xff", [("Via", "1.0 outer")])
        self.assertEqual(", ".join(told.all("via")), "1.0 outer, 1.1 telltale")
        self.assertNotIn("telltale", str(self.told("remove").all("via")))

    def test_every_request_of_one_connection_is_judged_by_itself(self):
        with self.proxy.client("xff", source=TRUSTED) as client:
            for n in range(1, 20):
                client.get(fields=[("X-Forwarded-For", f"198.51.100.{n}")] if n % 2 else [])
                wanted = f"198.51.100.{n}" if n % 2 else TRUSTED
                self.assertEqual(self.app.last().header("x-real-ip"), wanted)

    def test_by_curl(self):
        """The scene of the tutorial: a forged X-Forwarded-For against the socket's own address."""
        url = self.proxy.url("/", "nobody")
        told = dict(map(lambda f: (f[0].lower(), f[1]), curl("-H", "X-Forwarded-For: 9.9.9.9", url).json()["fields"]))
        self.assertEqual(told["x-forwarded-for"], "127.0.0.1")
        url = self.proxy.url("/", "both")
        result = curl("--interface", TRUSTED, "--haproxy-protocol", url).json()
        told = dict(map(lambda f: (f[0].lower(), f[1]), result["fields"]))
        self.assertEqual(told["x-forwarded-for"], TRUSTED)

    def test_access_log_tells_provenance(self):
        for name, target, fields, source, wanted in [
            ("xff", "/p/header", [("X-Forwarded-For", "198.51.100.7")], TRUSTED, ("198.51.100.7", "header")),
            ("xff", "/p/socket", [("X-Forwarded-For", "9.9.9.9")], UNTRUSTED, (UNTRUSTED, "socket")),
        ]:
            self.proxy.get(target, fields, listener=name, source=source)
            record = self.proxy.wait_access(lambda r, t=target: r["target"] == t)[0]
            self.assertEqual((record["client"], record["provenance"]), wanted)


if __name__ == "__main__":
    main()
