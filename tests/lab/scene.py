"""The base class of the scenes. Imported first: it makes the integration tests' `support` known."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

# pylint: disable=wrong-import-position
from support import ProxyTest, case, netns  # noqa: E402
from support.process import find_program  # noqa: E402

from apps import HAProxyAt, Proxy  # noqa: E402
from lab import Lab  # noqa: E402
from load import Load  # noqa: E402
from transcript import Transcript, shell  # noqa: E402

SKIPPED = 77  # CMakeLists.txt: SKIP_RETURN_CODE


class Scene(ProxyTest):
    """Each test has a lab of its own."""

    def setUp(self):
        self.lab = self.enterContext(Lab())

    def page(self, section: str) -> Transcript:
        return Transcript(self.lab, section)

    def telltale(self, host: str, configuration: str) -> Proxy:
        """On a load balancer, or on a node's own network."""
        with self.lab.hosts[host]:
            return self.enterContext(Proxy(configuration))

    def haproxy(self, host: str, text: str, address: str, port: int) -> HAProxyAt:
        with self.lab.hosts[host]:
            return self.enterContext(HAProxyAt(text, address, port))

    def load(self, url: str, **how) -> Load:
        return self.enterContext(Load(self.lab.hosts["client"], url, **how))

    def on(self, host: str, command: str, **environment) -> str:
        """As Transcript.run(), unrecorded."""
        return shell(self.lab.hosts[host], command, None, **environment)


def why_not() -> str:
    """Why there can be no lab here; empty: there can."""
    if os.geteuid() != 0:
        return "not root, who alone makes network namespaces"
    if reason := netns.why_not():
        return reason
    find_program("nft")  # what is missing fails the tests; what is forbidden skips them
    with netns.hosts("probe") as (host,):
        try:
            host.run("nft add table ip probe")
        except AssertionError as error:
            return f"no nftables in network namespaces: {error}"
    return ""


def main():
    """Runs the tests of the calling file; ends with 77 where there can be no lab, and says why."""
    if reason := why_not():
        print(f"skipped: no lab here: {reason}")
        sys.exit(SKIPPED)
    case.main()
