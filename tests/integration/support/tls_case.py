"""What the tests of TLS at a listener have in common."""

import os
import shutil
import subprocess
import tempfile

from .case import ProxyTest
from .certificates import issued, self_signed
from .process import find_program
from .tls import TlsClient
from .waiting import DEADLINE


def tls(*files, **fields) -> dict:
    """The field `tls` of a listener: PEM files, each of a certificate and its key."""
    return {"certificates": [{"certificate": file, "key": file} for file in files], **fields}


def s_client(address, *arguments, stdin=b"") -> str:
    """What `openssl s_client` prints of one connection."""
    argv = [find_program("openssl"), "s_client", "-connect", "{}:{}".format(*address), *arguments]
    done = subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=DEADLINE)
    return (done.stdout + done.stderr).decode("utf-8", "replace")


class TlsTest(ProxyTest):
    """With certificates: `a` (a.test, *.wild.test) and `b` (b.test), by `authority`."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="telltale-tls-"))
        cls.authority = self_signed(cls.directory, "ca", "/CN=Test Authority")
        cls.a = cls.issue("a", "DNS:a.test,DNS:*.wild.test")
        cls.b = cls.issue("b", "DNS:b.test")

    @classmethod
    def issue(cls, name, names, **options) -> str:
        return issued(cls.directory, name, cls.authority, names, **options)

    def client(self, proxy, name="web", **options) -> TlsClient:
        return self.enterContext(TlsClient(proxy.address(name), **options))

    def write(self, name, content, mode=0o600) -> str:
        """A file in the directory, made or replaced whole, by rename."""
        path = os.path.join(self.directory, name)
        new = path + ".new"
        with open(new, "wb") as out:
            out.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(new, mode)
        os.rename(new, path)
        return path

    def copy(self, source, path):
        """Likewise, of another file."""
        shutil.copy(source, path + ".new")
        os.chmod(path + ".new", 0o600)
        os.rename(path + ".new", path)
