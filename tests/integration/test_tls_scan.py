"""TLS as scanners and attackers see it: sslscan finds nothing weak; ClientHellos that are wrong in any way end that
connection alone."""

import re
import ssl
import subprocess
import xml.etree.ElementTree

from support import chance, config, listener, main, service
from support.process import find_program
from support.tls import client_hello
from support.tls_case import TlsTest, s_client, tls
from support.waiting import DEADLINE, SANITIZER, wait_until

TLS13 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
TLS12 = {
    f"ECDHE-{key}-{cipher}"
    for key in ("ECDSA", "RSA")
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
}


class Scan(TlsTest):
    def scan(self, policy, *files):
        conf = config(service(self.backend()), listeners=[listener(tls=tls(*files, policy=policy))])
        host, port = self.start(conf).address()
        argv = [find_program("sslscan"), "--no-colour", "--xml=-", "--sni-name=b.test", f"{host}:{port}"]
        done = subprocess.run(argv, capture_output=True, check=True, text=True, timeout=DEADLINE * 3)
        return xml.etree.ElementTree.fromstring(done.stdout).find("ssltest")

    def test_policies(self):
        rsa = self.issue("b-rsa", "DNS:b.test", key_type="rsa")
        of = {"modern": ({("tls", "1.3")}, TLS13), "intermediate": ({("tls", "1.2"), ("tls", "1.3")}, TLS12 | TLS13)}
        for policy, (versions, ciphers) in of.items():
            with self.subTest(policy):
                report = self.scan(policy, self.a, self.b, rsa)
                found = {(p.get("type"), p.get("version")) for p in report.iter("protocol") if p.get("enabled") == "1"}
                self.assertEqual(found, versions)
                accepted = list(report.iter("cipher"))
                self.assertEqual({cipher.get("cipher") for cipher in accepted}, ciphers)
                self.assertLessEqual({cipher.get("strength") for cipher in accepted}, {"strong", "acceptable"})
                self.assertNotIn("1", {each.get("supported") for each in report.iter("compression")})
                self.assertEqual([each.get("supported") for each in report.iter("renegotiation")], ["0"])
                self.assertEqual({each.get("vulnerable") for each in report.iter("heartbleed")}, {"0"})
                groups = {re.match(r"\w+", group.get("name"))[0] for group in report.iter("group")}
                self.assertEqual(groups, {"x25519", "secp256r1", "secp384r1"})


    def test_nothing_is_compressed(self):
        proxy = self.start(config(service(self.backend()), listeners=[listener(tls=tls(self.a))]))
        for version in ("-tls1_2", "-tls1_3"):
            self.assertIn("Compression: NONE", s_client(proxy.address(), version, "-comp"))


def mutate(octets, draw) -> bytes:
    """Some octets changed, taken out, repeated or put in; the lengths are right again half of the time."""
    out = bytearray(octets)
    for _ in range(draw.choice((1, 1, 2, 8, 40))):
        at = draw.randrange(len(out))
        some = draw.randrange(1, 20)
        match draw.randrange(5):
            case 0:
                out[at] = draw.randrange(256)
            case 1:
                out[at] ^= 1 << draw.randrange(8)
            case 2:
                del out[at : at + min(some, len(out) - 10)]
            case 3:
                out[at:at] = out[at : at + some]
            case 4:
                out[at:at] = draw.randbytes(some)
    if draw.random() < 0.5 and len(out) > 9:
        out[:3] = octets[:3]
        out[3:5] = (len(out) - 5).to_bytes(2, "big")
        out[5:9] = b"\x01" + (len(out) - 9).to_bytes(3, "big")
    return bytes(out)


class Hellos(TlsTest):
    def test_mutated_ones_end_their_connection_alone(self):
        conf = config(service(self.backend()), listeners=[listener(tls=tls(self.a, self.b))])
        proxy = self.start(conf)
        kept = self.client(proxy)
        draw = chance()
        hellos = [client_hello(), client_hello(alpn=["h2", "http/1.1"]), client_hello(most=ssl.TLSVersion.TLSv1_2)]
        count = 200 if SANITIZER else 1000
        for _ in range(count):
            with proxy.client(first=mutate(draw.choice(hellos), draw), record=False) as client:
                try:
                    if draw.random() < 0.3:
                        client.reset()
                        continue
                    client.finish()
                except OSError:
                    pass  # it was closed before
                client.closed_by_peer()
        metrics = "telltale_tls_(failures|handshakes)_total"
        wait_until(lambda: proxy.metrics().sum(metrics) >= count // 2, "the handshakes to be counted")
        self.assertEqual(kept.get("/").status, 200)
        self.assertEqual(self.client(proxy, sni="b.test").get("/").status, 200)

    def test_one_that_is_sent_again_and_again(self):
        """Nobody goes on after an answer: a hello where a Finished is due, and octets of any kind behind it."""
        proxy = self.start(config(service(self.backend()), listeners=[listener(tls=tls(self.a))]))
        hello, draw = client_hello(), chance()
        for behind in (hello, b"\x14\x03\x03\0\1\1" * 100, b"\x15\x03\x03\0\2\1\0", draw.randbytes(5000)):
            with proxy.client(first=hello + behind, record=False) as client:
                try:
                    client.finish()
                except OSError:
                    pass
                client.closed_by_peer()
        self.assertEqual(self.client(proxy).get("/").status, 200)


if __name__ == "__main__":
    main()
