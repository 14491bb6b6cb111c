"""The base class of the integration tests."""

import os
import sys
import unittest

from . import telltale
from .backend import Backend
from .chance import what_to_repeat
from .telltale import Telltale


class ProxyTest(unittest.TestCase):
    """Starts things for one test, or (in setUpClass) for a class, and ends them the other way round. A test that fails
    shows the log of every telltale that is up, and the seed if chance had a part in it."""

    maxDiff = None

    def start(self, configuration, **options) -> Telltale:
        return self.enterContext(Telltale(configuration, **options))

    def backend(self, handler=None, **options) -> Backend:
        return self.enterContext(Backend(handler, **options))

    @classmethod
    def class_start(cls, configuration, **options) -> Telltale:
        return cls.enterClassContext(Telltale(configuration, **options))

    @classmethod
    def class_backend(cls, handler=None, **options) -> Backend:
        return cls.enterClassContext(Backend(handler, **options))

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        up, first = list(telltale.running), len(telltale.started)
        outcome = super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            if seed := what_to_repeat():
                print(f"--- to repeat {self.id()}: {seed}", file=sys.stderr)
            for instance in up + telltale.started[first:]:
                print(f"--- log of {self.id()}:", *instance.log.lines()[-60:], sep="\n", file=sys.stderr)
        return outcome


class _Result(unittest.TextTestResult):
    """Says of each test that was skipped why, in a line that `./dev test` looks for."""

    def printErrors(self):
        super().printErrors()
        for test, reason in self.skipped:
            self.stream.writeln(f"skipped: {test.id().removeprefix('__main__.')}: {' '.join(reason.split())}")


def main():
    """Runs the tests of the calling file. TELLTALE_TEST_VERBOSE=1 names each."""
    verbosity = 2 if os.environ.get("TELLTALE_TEST_VERBOSE") else 1
    unittest.main(module="__main__", testRunner=unittest.TextTestRunner(resultclass=_Result, verbosity=verbosity))
