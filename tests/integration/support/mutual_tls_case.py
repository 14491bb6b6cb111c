"""What tests of clients with certificates have in common."""

import contextlib
import hashlib
import ssl
import tempfile

from .authority import Authority
from .case import ProxyTest
from .certificates import issued, self_signed
from .config import config, listener, service
from .tls import TlsClient, der_of, tls_context
from .waiting import wait_until

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
SANS = "DNS:a.test,URI:spiffe://test/shop,IP:192.0.2.1,email:a@b.test"


def digest(file) -> str:
    return hashlib.sha256(der_of(file)).hexdigest()


class MutualTlsTest(ProxyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="telltale-mtls-"))
        own = self_signed(cls.directory, "server-ca", "/CN=Server Authority")
        cls.server = issued(cls.directory, "server", own, "DNS:server.test")
        cls.root = Authority(cls.directory, "root")
        cls.shop = cls.root.issue("shop", "/C=DE/O=Example/CN=shop", sans=SANS)
        cls.bare = cls.root.issue("bare")

    def clients(self, **fields) -> dict:
        return {"ca": self.root.pem, **fields}

    def tls(self, **fields) -> dict:
        pair = {"certificate": self.server, "key": self.server}
        return {"certificates": [pair], "client_certificates": self.clients(**fields)}

    def serve(self, backend=None, *, propagate=None, listener_fields=None, top=None, **fields):
        """`fields`: of client_certificates."""
        return self.start(
            config(
                service(backend or self.backend(), propagate=propagate or {}),
                listeners=[listener(tls=self.tls(**fields), **(listener_fields or {}))],
                log={"level": "debug"},
                **(top or {}),
            )
        )

    def client(self, proxy, certificate=None, **options) -> TlsClient:
        context = options.pop("context", None) or tls_context(certificate=certificate)
        return self.enterContext(TlsClient(proxy.address(), context=context, **options))

    def get(self, proxy, certificate=None, target="/", fields=(), **options):
        with TlsClient(proxy.address(), context=tls_context(certificate=certificate, **options)) as client:
            return client.get(target, fields)

    def assert_let_in(self, proxy, certificate=None):
        for version in VERSIONS:
            self.assertEqual(self.get(proxy, certificate, most=version).status, 200)

    def is_let_in(self, proxy, certificate=None) -> bool:
        with contextlib.suppress(OSError):
            return self.get(proxy, certificate).status == 200
        return False

    def assert_refused(self, proxy, certificate, why):
        """With TLS 1.3 a client takes the handshake for done before its certificate is judged."""
        for version in VERSIONS:
            before = len([line for line in proxy.log.lines() if why in line])
            with self.assertRaises(OSError):
                self.get(proxy, certificate, most=version)
            wait_until(
                lambda: len([line for line in proxy.log.lines() if why in line]) > before, f"{why!r} to be logged"
            )
