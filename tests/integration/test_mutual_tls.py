"""Clients that prove who they are by a certificate: who is let in, when files change too, and what `check` says."""

import itertools
import os
import shutil
import subprocess
import tempfile

from support import config, curl, listener, main, service
from support.authority import Authority, joined
from support.certificates import issued, self_signed
from support.config import to_text
from support.mutual_tls_case import VERSIONS, MutualTlsTest, digest
from support.process import find_program
from support.tls import TlsClient, tls_context
from support.waiting import DEADLINE, binary_path, wait_until

NUMBERS = itertools.count()
XFCC = "X-Forwarded-Client-Cert"


class Verification(MutualTlsTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.middle = Authority(cls.directory, "middle", cls.root)
        cls.deep = Authority(cls.directory, "deep", cls.middle)
        cls.other = Authority(cls.directory, "other")
        cls.strange = cls.other.issue("strange")
        cls.expired = cls.root.issue("expired", expired=True)
        cls.behind_middle = cls.middle.issue("behind-middle", chain=[cls.middle])
        cls.behind_deep = cls.deep.issue("behind-deep", chain=[cls.deep, cls.middle])
        cls.revoked = cls.root.issue("revoked")
        cls.root.revoke(cls.revoked)

    def test_required(self):
        proxy = self.serve()
        self.assert_let_in(proxy, self.shop)
        self.assert_refused(proxy, None, "peer did not return a certificate")
        self.assert_refused(proxy, self.strange, "unable to get local issuer certificate")
        self.assert_refused(proxy, self.expired, "certificate has expired")
        self.assert_refused(proxy, self.server, "unable to get local issuer certificate")
        self.assert_refused(proxy, self.root.issue("for-servers", use="serverAuth"), "purpose")
        self.assert_let_in(proxy, self.root.issue("for-clients", use="clientAuth"))
        self.assert_let_in(proxy, self.behind_middle)
        self.assert_refused(proxy, self.middle.issue("without-chain"), "unable to get local issuer certificate")
        failures = proxy.metrics().sum("telltale_tls_failures_total")
        self.assertEqual(failures, 12)

    def test_curl(self):
        host, port = self.serve().address()
        curl("-k", "--cert", self.shop, f"https://{host}:{port}/")
        with self.assertRaisesRegex(AssertionError, "curl exited"):
            curl("-k", f"https://{host}:{port}/")

    def test_optional(self):
        proxy = self.serve(mode="optional")
        self.assert_let_in(proxy)
        self.assert_let_in(proxy, self.shop)
        self.assert_refused(proxy, self.strange, "unable to get local issuer certificate")
        self.assert_refused(proxy, self.expired, "certificate has expired")
        verified = sorted(record["tls"]["client_verified"] for record in proxy.wait_access(count=4))
        self.assertEqual(verified, [False, False, True, True])

    def test_off(self):
        """Nobody asks: a client that has one keeps it, right or wrong."""
        proxy = self.serve(mode="off", propagate={"x_forwarded_client_cert": "replace"})
        for certificate in (self.shop, self.strange):
            self.assertNotIn(XFCC, dict(self.get(proxy, certificate).json()["fields"]))
        self.assertEqual([r["tls"]["client_verified"] for r in proxy.wait_access(count=2)], [False] * 2)

    def test_depth(self):
        for depth, let_in in ((0, [self.shop]), (1, [self.shop, self.behind_middle]), (2, [self.behind_deep])):
            proxy = self.serve(depth=depth)
            for certificate in let_in:
                self.assert_let_in(proxy, certificate)
            if depth < 2:
                self.assert_refused(proxy, self.behind_deep, "certificate chain too long")

    def test_an_authority_in_the_middle_is_believed_by_itself(self):
        proxy = self.serve(ca=self.middle.pem)
        self.assert_let_in(proxy, self.behind_middle)
        self.assert_let_in(proxy, self.middle.issue("no-chain-needed"))
        self.assert_refused(proxy, self.shop, "unable to get local issuer certificate")
        with_list = self.serve(ca=self.middle.pem, crl=self.middle.crl())
        self.assert_let_in(with_list, self.behind_middle)

    def test_an_authority_beside_its_root_need_not_be_sent_and_can_be_revoked(self):
        falling = Authority(self.directory, "falling", self.root)
        client = falling.issue("of-the-falling")
        both = joined(os.path.join(self.directory, "root-and-falling.pem"), falling.pem, self.root.pem)
        lists = os.path.join(self.directory, "falling-lists.pem")
        joined(lists, self.root.crl(), falling.crl())
        self.assert_let_in(self.serve(ca=both, crl=lists), client)
        self.assert_refused(self.serve(ca=both, depth=0), client, "certificate chain too long")
        self.root.revoke(falling.pem)
        joined(lists, self.root.crl(), falling.crl())
        self.assert_refused(self.serve(ca=both, crl=lists), client, "certificate revoked")

    def test_several_authorities_whose_names_are_sent(self):
        both = joined(os.path.join(self.directory, "both.pem"), self.root.pem, self.other.pem)
        proxy = self.serve(ca=both)
        self.assert_let_in(proxy, self.shop)
        self.assert_let_in(proxy, self.strange)
        argv = [find_program("openssl"), "s_client", "-connect", "{}:{}".format(*proxy.address())]
        done = subprocess.run(argv, input=b"", capture_output=True, check=False, timeout=DEADLINE)
        self.assertIn("Acceptable client certificate CA names\nCN = root\nCN = other\n", done.stdout.decode())

    def test_revoked(self):
        proxy = self.serve(crl=self.root.crl())
        self.assert_let_in(proxy, self.shop)
        self.assert_refused(proxy, self.revoked, "certificate revoked")
        # Of every authority in the chain there has to be a list.
        self.assert_refused(proxy, self.behind_middle, "unable to get certificate CRL")
        lists = joined(os.path.join(self.directory, "lists.pem"), self.root.crl(), self.middle.crl())
        self.assert_let_in(self.serve(crl=lists), self.behind_middle)

    def test_a_revoked_authority(self):
        fallen = Authority(self.directory, "fallen", self.root)
        client = fallen.issue("of-the-fallen", chain=[fallen])
        self.root.revoke(fallen.pem)
        lists = joined(os.path.join(self.directory, "fallen-lists.pem"), self.root.crl(), fallen.crl())
        self.assert_refused(self.serve(crl=lists), client, "certificate revoked")

    def test_a_list_that_is_out_of_date_lets_nobody_in(self):
        proxy = self.serve(crl=self.root.crl("stale", stale=True))
        proxy.log.wait_line("stale.pem: the list of CN=root is out of date since 2020-02-01: its clients are refused")
        self.assert_refused(proxy, self.shop, "CRL has expired")

    def test_every_name_asks(self):
        """SNI chooses another context, which asks no less."""
        named = issued(self.directory, "named", self.shop_authority(), "DNS:named.test")
        pairs = [{"certificate": each, "key": each} for each in (self.server, named)]
        tls = {"certificates": pairs, "client_certificates": self.clients()}
        proxy = self.start(config(service(self.backend()), listeners=[listener(tls=tls)], log={"level": "debug"}))
        for sni in (None, "named.test", "server.test", "other.test"):
            with self.subTest(sni=sni):
                client = self.client(proxy, self.shop, sni=sni)
                self.assertEqual(client.get("/").status, 200)
                with self.assertRaises(OSError):
                    self.client(proxy, sni=sni, context=tls_context(most=VERSIONS[0]))

    def shop_authority(self) -> str:
        return self_signed(self.directory, "another-server-ca", "/CN=Another")


class Changes(MutualTlsTest):
    """Files that change while we run."""

    def setUp(self):
        self.ca = os.path.join(self.directory, f"{self.id()}-ca.pem")
        self.crl = os.path.join(self.directory, f"{self.id()}-crl.pem")
        joined(self.ca, self.root.pem)
        joined(self.crl, self.root.crl())
        self.victim = self.root.issue(f"victim-{next(NUMBERS)}")

    def revoke(self):
        self.root.revoke(self.victim)
        joined(self.crl, self.root.crl())

    def test_a_revoked_client_keeps_its_connection_and_gets_no_other(self):
        proxy = self.serve(ca=self.ca, crl=self.crl)
        kept = self.client(proxy, self.victim)
        self.assertEqual(kept.get("/").status, 200)
        self.revoke()
        wait_until(lambda: not self.is_let_in(proxy, self.victim), "the new list to count")
        self.assert_refused(proxy, self.victim, "certificate revoked")
        self.assertEqual(kept.get("/").status, 200)
        self.assert_let_in(proxy, self.shop)

    def test_an_authority_comes_and_goes(self):
        other = Authority(self.directory, "coming")
        client = other.issue("newcomer")
        proxy = self.serve(ca=self.ca)
        kept = self.client(proxy, self.shop)
        self.assertFalse(self.is_let_in(proxy, client))
        joined(self.ca, self.root.pem, other.pem)
        wait_until(lambda: self.is_let_in(proxy, client), "the new authority")
        joined(self.ca, other.pem)
        wait_until(lambda: not self.is_let_in(proxy, self.shop), "the old one to go")
        self.assertTrue(self.is_let_in(proxy, client))
        self.assertEqual(kept.get("/").status, 200)

    def test_bad_files_are_refused_and_the_old_ones_kept(self):
        proxy = self.serve(ca=self.ca, crl=self.crl)
        garbage = os.path.join(self.directory, "garbage.pem")
        with open(garbage, "w", encoding="ascii") as out:
            out.write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        joined(self.ca, garbage)
        proxy.log.wait_line(r"ca\.pem: .*; the certificates it had stay in use")
        self.assert_let_in(proxy, self.shop)
        joined(self.ca, self.root.pem)
        forger = Authority(tempfile.mkdtemp(dir=self.directory), "root")
        joined(self.crl, forger.crl())
        proxy.log.wait_line("the list of CN=root is not signed by the one in .*; the certificates it had stay in use")
        self.assert_let_in(proxy, self.shop)
        self.revoke()
        wait_until(lambda: not self.is_let_in(proxy, self.victim), "the good list")

    def test_resumed_sessions_keep_what_was_proved(self):
        proxy = self.serve(ca=self.ca, crl=self.crl, propagate={"x_forwarded_client_cert": "replace"})
        for version in VERSIONS:
            context = tls_context(certificate=self.shop, most=version)
            first = self.client(proxy, context=context)
            told = dict(first.get("/").json()["fields"])[XFCC]
            second = self.client(proxy, context=context, session=first.sock.session)
            self.assertTrue(second.sock.session_reused)
            self.assertEqual(dict(second.get("/").json()["fields"])[XFCC], told)
        for record in proxy.wait_access(count=4):
            self.assertEqual(record["tls"]["client_fingerprint"], digest(self.shop))

    def test_no_session_outlives_a_revocation(self):
        proxy = self.serve(ca=self.ca, crl=self.crl)
        sessions = {}
        for version in VERSIONS:
            for certificate in (self.victim, self.shop):
                context = tls_context(certificate=certificate, most=version)
                client = self.client(proxy, context=context)
                client.get("/")
                sessions[version, certificate] = context, client.sock.session
        self.revoke()
        wait_until(lambda: not self.is_let_in(proxy, self.victim), "the new list to count")
        for (version, certificate), (context, session) in sessions.items():
            with self.subTest(version=version, certificate=certificate):
                if certificate == self.victim:
                    with self.assertRaises(OSError):
                        self.client(proxy, context=context, session=session).get("/")
                    continue
                client = self.client(proxy, context=context, session=session)
                self.assertFalse(client.sock.session_reused)
                self.assertEqual(client.get("/").status, 200)

    def test_no_session_outlives_its_certificate(self):
        proxy = self.serve(ca=self.ca, crl=self.crl)
        context = tls_context(certificate=self.root.issue("soon", seconds=12))
        first = self.client(proxy, context=context)
        first.get("/")

        def is_resumed():
            with TlsClient(proxy.address(), context=context, session=first.sock.session) as client:
                return client.sock.session_reused

        self.assertTrue(is_resumed())
        wait_until(lambda: not is_resumed(), "the certificate to expire")
        proxy.log.wait_line("certificate has expired")

    def test_a_session_without_a_certificate_is_none_where_one_is_required(self):
        listeners = [listener(mode, tls=self.tls(mode=mode)) for mode in ("optional", "required")]
        proxy = self.start(config(service(self.backend()), listeners=listeners))
        context = tls_context()
        with TlsClient(proxy.address("optional"), context=context) as client:
            client.get("/")
            session = client.sock.session
        with self.assertRaises(OSError):
            with TlsClient(proxy.address("required"), context=context, session=session) as client:
                client.get("/")


class Check(MutualTlsTest):
    def check(self, *arguments, **fields) -> tuple:
        file = os.path.join(self.directory, "check.yaml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(to_text(config(service("127.0.0.1:1"), listeners=[listener(tls=self.tls(**fields))])))
        argv = [binary_path(), "check", "-c", file, *arguments]
        done = subprocess.run(argv, capture_output=True, check=False, text=True, timeout=DEADLINE)
        if done.returncode == 2:
            run = subprocess.run([binary_path(), "run", "-c", file], capture_output=True, check=False, timeout=DEADLINE)
            self.assertEqual(run.returncode, 78)
        return done.returncode, done.stdout + done.stderr

    def test_files(self):
        other = Authority(self.directory, "other")
        forger = Authority(tempfile.mkdtemp(dir=self.directory), "root")
        both = joined(os.path.join(self.directory, "both.pem"), self.root.pem, other.pem)
        nothing = os.path.join(self.directory, "nothing.pem")
        with open(nothing, "w", encoding="ascii") as out:
            out.write("nothing\n")
        secret = shutil.copy(self.root.pem, os.path.join(self.directory, "secret.pem"))
        place = "listeners[0].tls.client_certificates."
        crl = self.root.crl()
        for fields, status, says in (
            ({}, 0, ""),
            ({"crl": crl}, 0, ""),
            ({"ca": "/nowhere.pem"}, 2, place + "ca: /nowhere.pem: No such file"),
            ({"ca": self.directory}, 2, "not a regular file"),
            ({"ca": nothing}, 2, place + f"ca: {nothing}: there is no certificate in it"),
            ({"ca": secret, "crl": "/nowhere.pem"}, 2, place + "crl: /nowhere.pem: No such file"),
            ({"crl": self.root.pem}, 2, "there is no revocation list in it"),
            ({"crl": forger.crl()}, 2, "the list of CN=root is not signed by the one in"),
            ({"ca": self.bare}, 1, "CN=bare is no authority: it vouches for nobody but itself"),
            ({"ca": both, "crl": crl}, 1, "there is no list of CN=other in it: its clients are refused"),
            ({"crl": self.root.crl("stale", stale=True)}, 1, "is out of date since 2020-02-01"),
            ({"mode": "off", "ca": "/nowhere.pem"}, 0, ""),
        ):
            with self.subTest(fields=fields, says=says):
                code, text = self.check("--strict", **fields)
                self.assertEqual(code, status, text)
                self.assertIn(says, text)


if __name__ == "__main__":
    main()
