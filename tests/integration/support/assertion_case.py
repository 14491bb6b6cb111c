"""What the tests of the signed assertion have in common."""

import itertools
import os
import subprocess
import tempfile

from . import assertion
from .case import ProxyTest
from .config import config, listener
from .telltale import ENVIRONMENT
from .waiting import DEADLINE, binary_path

HOST = "test.example"  # what Client asks for
KEY, OLD, FOREIGN = assertion.new_key(), assertion.new_key(), assertion.new_key()


class AssertionTest(ProxyTest):
    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="telltale-test-"))
        self.keys = self.key_file("edge.keys", assertion.key_line("new", KEY), assertion.key_line("old", OLD))

    def key_file(self, name, *lines, mode=0o600):
        path = os.path.join(self.directory, name)
        assertion.write_keys(path, *lines, mode=mode)
        return path

    def believing(self, *services, **client_ip):
        """A listener that believes the signature, and else what `client_ip` says."""
        client_ip = {"assertion": {"key_file": self.keys}, **client_ip}
        return self.start(config(*services, listeners=[listener(client_ip=client_ip)], workers=1))

    def run_telltale(self, *arguments):
        return subprocess.run([binary_path(), *arguments], capture_output=True, check=False, text=True,
                              timeout=DEADLINE, env={**os.environ, **ENVIRONMENT})

    numbers = itertools.count()

    def logged(self, proxy, *fields, **options):
        """(response, access-log record) of one request, told from others by its target: records of several workers come
        in any order, and late."""
        target = f"/{next(self.numbers)}"
        response = proxy.get(target, fields, **options)
        return response, proxy.wait_access(lambda record: record["target"] == target)[0]
