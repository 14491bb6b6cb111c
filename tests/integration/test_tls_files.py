"""What belongs to TLS and comes in files, followed as they change: responses to staple (OCSP), ticket keys that
instances share; and the log of keys, which only a flag makes."""

import base64
import os
import re
import ssl
import subprocess
from datetime import datetime, timedelta, timezone

from support import config, listener, main, service
from support.config import to_text
from support.process import find_program
from support.telltale import ENVIRONMENT
from support.tls import TlsBackend, TlsClient, server_context, tls_context
from support.tls_case import TlsTest, s_client, tls
from support.waiting import binary_path, wait_until

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def openssl(*arguments, **options) -> str:
    done = subprocess.run([find_program("openssl"), *arguments], capture_output=True, check=False, text=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"openssl {arguments}: {done.stderr}")
    return done.stdout


class FilesTest(TlsTest):
    def check(self, tls_fields) -> tuple:
        """Exit status and text of `telltale check`; what it calls an error must stop `run`, too."""
        conf = config(service("127.0.0.1:1"), listeners=[listener(tls=tls_fields)])
        path = self.write("check.yaml", to_text(conf))
        done = subprocess.run([binary_path(), "check", "-c", path], capture_output=True, check=False, text=True)
        if done.returncode != 0:
            run = subprocess.run([binary_path(), "run", "-c", path], capture_output=True, check=False)
            self.assertEqual((done.returncode, run.returncode), (2, 78))
        return done.returncode, done.stdout + done.stderr


class Staple(FilesTest):
    """`a` comes with its issuer, `b` alone."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(cls.authority, encoding="ascii") as file:
            issuer = file.read()
        with open(cls.a, "a", encoding="ascii") as file:
            file.write(issuer[: issuer.index("-----BEGIN PRIVATE")])

    def response(self, certificate, name="answer.der", *, status="V", days=7, digest="-sha1", signer=None) -> str:
        """What an OCSP responder answers, in DER."""
        serial = openssl("x509", "-in", certificate, "-noout", "-serial").strip().partition("=")[2]
        until = (datetime.now(timezone.utc) + timedelta(days=99)).strftime("%y%m%d%H%M%SZ")
        revoked = "260101000000Z" if status == "R" else ""
        index = self.write("index.txt", f"{status}\t{until}\t{revoked}\t{serial}\tunknown\t/CN=x\n" if status else "")
        signer = signer or self.authority
        out = os.path.join(self.directory, name)
        openssl("ocsp", "-index", index, "-CA", self.authority, "-issuer", self.authority, digest, "-cert", certificate,
                "-rsigner", signer, "-rkey", signer, "-ndays", str(days), "-respout", out)  # fmt: skip
        return out

    def expired(self, certificate, name="expired.der") -> str:
        """Its signature is for another time."""
        with open(self.response(certificate, name), "rb") as file:
            octets = file.read()
        times = re.findall(rb"20\d{12}Z", octets)
        return self.write(name, octets.replace(times[-1], b"20200101000000Z"))

    def fields(self, certificate, response) -> dict:
        return {"certificates": [{"certificate": certificate, "key": certificate, "ocsp": response}]}

    def serve(self, *files):
        certificates = [self.fields(*each)["certificates"][0] for each in files]
        listeners = [listener(tls={"certificates": certificates})]
        return self.start(config(service(self.backend()), listeners=listeners))

    def stapled(self, proxy, *arguments) -> str:
        """The status that a client is told; empty: nothing was stapled."""
        text = s_client(proxy.address(), "-status", *arguments)
        if "OCSP response: no response sent" in text:
            return ""
        return re.search(r"Cert Status: (\w+)", text)[1]

    def test_it_is_stapled_for_who_asks(self):
        proxy = self.serve((self.a, self.response(self.a)), (self.b, self.response(self.b, "b.der", status="R")))
        proxy.log.wait_line("OCSP response .*b.der says that the certificate is revoked")
        for version in ("-tls1_2", "-tls1_3"):
            with self.subTest(version):
                self.assertEqual(self.stapled(proxy, version), "good")
                self.assertEqual(self.stapled(proxy, version, "-servername", "b.test"), "revoked")
                self.assertNotIn("OCSP", s_client(proxy.address(), version))

    def test_a_new_one_is_taken_and_a_bad_one_refused(self):
        file = self.response(self.a)
        proxy = self.serve((self.a, file))
        self.assertEqual(self.stapled(proxy), "good")
        self.copy(self.response(self.a, "new.der", status="R"), file)
        wait_until(lambda: self.stapled(proxy) == "revoked", "the new response")
        self.copy(self.response(self.b, "b.der"), file)
        proxy.log.wait_line("says nothing of this certificate.*the certificates it had stay in use")
        self.assertEqual(self.stapled(proxy), "revoked")
        self.copy(self.response(self.a, "new.der"), file)
        wait_until(lambda: self.stapled(proxy) == "good", "the new response")

    def test_one_that_is_too_old_is_not_stapled(self):
        proxy = self.serve((self.b, self.expired(self.b)))
        proxy.log.wait_line("OCSP response .*is good until 2020-01-01T00:00Z only: it is not stapled")
        self.assertEqual(self.stapled(proxy), "")

    def test_files(self):
        other = self.issue("other", "DNS:other.test")
        with open(self.response(self.a), "rb") as file:
            octets = file.read()
        refused = bytes.fromhex("30030a0106")  # unauthorized, RFC 6960 4.2.1
        cases = [
            (self.a, self.response(self.a, "sha1.der"), 0, "ok: "),
            (self.a, self.response(self.a, "sha256.der", digest="-sha256"), 0, "ok: "),
            (self.b, self.response(self.b, "b.der"), 0, "ok: "),
            (self.a, self.response(self.a, "revoked.der", status="R"), 0, "revoked.der says that the certificate is revo"),
            (self.b, self.expired(self.b), 0, "expired.der is good until 2020-01-01T00:00Z only: it is not stapled"),
            (self.a, self.expired(self.a, "changed.der"), 2, "is not signed by the issuer of the certificate"),
            (self.a, self.response(self.a, "foreign.der", signer=other), 2, "is not signed by the issuer"),
            (self.a, self.response(self.b, "b.der"), 2, "b.der: says nothing of this certificate"),
            (self.a, self.response(self.a, "unknown.der", status=""), 2, "the responder does not know this certificate"),
            (self.a, self.write("refused.der", refused), 2, "the responder refused to answer: unauthorized"),
            (self.a, self.write("cut.der", octets[:-1]), 2, "cut.der: not an OCSP response in DER"),
            (self.a, self.write("more.der", octets + b"\n"), 2, "more.der: 1 bytes follow the OCSP response"),
            (self.a, "/nowhere/a.der", 2, "/nowhere/a.der: No such file"),
            (self.a, self.directory, 2, "not a regular file"),
        ]
        for certificate, response, status, says in cases:
            with self.subTest(says):
                code, text = self.check(self.fields(certificate, response))
                self.assertIn(says, text)
                self.assertEqual(code, status, text)
                if "ok" not in says:
                    self.assertIn("listeners[0].tls.certificates[0].ocsp: ", text)


def new_key() -> bytes:
    return os.urandom(80)


class Tickets(FilesTest):
    @staticmethod
    def lines(*keys) -> str:
        return "# shared\n\n" + "".join(base64.b64encode(key).decode() + "\n" for key in keys)

    def serve(self, file, **more):
        listeners = [listener(tls=tls(self.a, ticket_key_file=file)), listener("own", tls=tls(self.a))]
        return self.start(config(service(self.backend()), listeners=listeners), **more)

    def begin(self, proxy, version, name="web"):
        """A session, and the context that it is good for."""
        context = tls_context(most=version)
        with TlsClient(proxy.address(name), context=context) as client:
            client.get("/")  # TLS 1.3 sends tickets behind the handshake
            return context, client.sock.session

    def resumed(self, proxy, context, session) -> bool:
        with TlsClient(proxy.address(), context=context, session=session) as client:
            self.assertEqual(client.get("/").status, 200)
            return client.sock.session_reused

    def sealed_with(self, proxy, name="web") -> bytes:
        """The name of the key (RFC 5077 4)."""
        ticket = s_client(proxy.address(name), "-tls1_2").partition("TLS session ticket:\n")[2].splitlines()[0]
        return bytes.fromhex(re.match(r" *0000 - ([0-9a-f -]{47})", ticket)[1].replace("-", " "))

    def test_instances_resume_one_anothers_sessions(self):
        file = self.write("tickets", self.lines(new_key()))
        one, other = self.serve(file), self.serve(file)
        alone = self.serve(self.write("alone", self.lines(new_key())))
        for version in VERSIONS:
            with self.subTest(version):
                session = self.begin(one, version)
                self.assertTrue(self.resumed(other, *session))
                self.assertTrue(self.resumed(one, *session))
                self.assertFalse(self.resumed(alone, *session))

    def test_rotation_loses_no_session(self):
        old, new = new_key(), new_key()
        file = self.write("tickets", self.lines(old))
        one, other = self.serve(file), self.serve(file)
        own = self.sealed_with(one, "own")
        self.assertEqual(self.sealed_with(one), old[:16])
        sessions = [self.begin(one, version) for version in VERSIONS]
        for order in ((old, new), (new, old)):
            self.write("tickets", self.lines(*order))
            for proxy in (one, other):
                wait_until(lambda p=proxy: self.sealed_with(p) == order[0][:16], "the new key")
            sessions += [self.begin(one, version) for version in VERSIONS]
            for session in sessions:
                self.assertTrue(self.resumed(other, *session))
        self.write("tickets", self.lines(new))
        one.log.wait_line("listener web: new session ticket keys: the first of 1 seals from now on")
        self.assertFalse(self.resumed(one, *sessions[0]))
        self.assertTrue(self.resumed(one, *sessions[-1]))
        self.assertEqual(self.sealed_with(one, "own"), own)
        self.assertNotIn(own, (old[:16], new[:16]))

    def test_a_bad_file_is_refused_and_the_old_keys_kept(self):
        key = new_key()
        file = self.write("tickets", self.lines(key))
        proxy = self.serve(file)
        session = self.begin(proxy, ssl.TLSVersion.TLSv1_3)
        self.write("tickets", self.lines(key) + "c2VjcmV0\n")
        proxy.log.wait_line("tickets: line 4: not base64 of 80 octets.*the keys it had stay in use")
        self.assertTrue(self.resumed(proxy, *session))
        self.write("tickets", self.lines(new_key(), key), mode=0o644)
        proxy.log.wait_line("everybody on this machine may read it")
        proxy.log.wait_line("new session ticket keys: the first of 2 ")
        self.assertTrue(self.resumed(proxy, *session))
        self.assertNotIn("c2VjcmV0", proxy.log.text())
        self.assertNotIn(base64.b64encode(key).decode()[:20], proxy.log.text())

    def test_files(self):
        key = self.lines(new_key())
        for path, status, says in (
            (self.write("good", key), 0, "ok: "),
            (self.write("open", key, mode=0o644), 0, "everybody on this machine may read the keys"),
            (self.write("twice", key + key), 2, "line 6: a key with the name, the first 16 octets, of one above"),
            (self.write("nothing", "# none\n"), 2, "there is no key in it"),
            ("/nowhere/tickets", 2, "/nowhere/tickets: No such file"),
            ("tickets", 2, "is not an absolute path"),
        ):
            with self.subTest(says):
                code, text = self.check(tls(self.a, ticket_key_file=path))
                self.assertIn(says, text)
                self.assertEqual(code, status, text)


class KeyLog(FilesTest):
    def serve(self, *arguments, **environment):
        conf = config(service(self.backend()), listeners=[listener(tls=tls(self.a))])
        return self.start(conf, arguments=arguments, environment=environment)

    def handshakes(self, proxy) -> set:
        """The lines of some clients' own logs."""
        theirs = os.path.join(self.directory, f"{self.id()}.client")
        for version in VERSIONS:
            context = tls_context(most=version)
            context.keylog_filename = theirs
            self.client(proxy, context=context).get("/")
        with open(theirs, encoding="ascii") as file:
            return {line for line in file if not line.startswith("#")}

    def test_what_clients_log_is_logged(self):
        path = self.write("keys.log", "# ours\n")
        proxy = self.serve("--tls-key-log", path)
        proxy.log.wait_line("--tls-key-log: the keys of every TLS connection are written to")
        lines = self.handshakes(proxy)
        self.assertGreater(len(lines), 4)
        with open(path, encoding="ascii") as file:
            ours = file.readlines()
        self.assertEqual(ours[0], "# ours\n")
        self.assertLessEqual(lines, set(ours))

    def test_connections_to_backends_are_in_it(self):
        context = server_context(self.b)
        context.keylog_filename = os.path.join(self.directory, "backend.log")
        backend = self.enterContext(TlsBackend(context=context))
        path = os.path.join(self.directory, "keys-to-backends.log")
        conf = config(service(backend, tls={"verify": "none"}))
        self.assertEqual(self.start(conf, arguments=("--tls-key-log", path)).get("/").status, 200)
        with open(context.keylog_filename, encoding="ascii") as theirs, open(path, encoding="ascii") as ours:
            lines = {line for line in theirs if not line.startswith("#")}
            self.assertGreater(len(lines), 3)
            self.assertLessEqual(lines, set(ours))

    def test_the_file_is_the_owners_alone(self):
        path = os.path.join(self.directory, "new.log")
        proxy = self.serve("--tls-key-log", path)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        proxy.stop()
        os.chmod(path, 0o640)
        for file, says in ((path, "others than its owner may read or write it"), ("/nowhere/x", "No such file")):
            argv = [binary_path(), "run", "-c", proxy.file, "--tls-key-log", file]
            os.makedirs(os.path.dirname(proxy.file), exist_ok=True)
            with open(proxy.file, "w", encoding="ascii") as out:
                out.write(proxy.configuration)
            done = subprocess.run(argv, capture_output=True, check=False, text=True, env={**os.environ, **ENVIRONMENT})
            self.assertEqual(done.returncode, 64, done.stderr)
            self.assertIn(f"--tls-key-log {file}: {says}", done.stderr)

    def test_the_environment_alone_says_nothing(self):
        path = os.path.join(self.directory, "environment.log")
        proxy = self.serve(SSLKEYLOGFILE=path)
        self.handshakes(proxy)
        self.assertFalse(os.path.exists(path))


if __name__ == "__main__":
    main()
