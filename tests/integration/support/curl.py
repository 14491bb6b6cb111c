"""curl, as people use it."""

import dataclasses
import subprocess

from .messages import Response, parse_response_head
from .process import find_program
from .waiting import DEADLINE


@dataclasses.dataclass
class CurlResult:
    returncode: int
    response: Response
    stderr: str

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def body(self) -> bytes:
        return self.response.body

    def json(self):
        return self.response.json()


def curl(*arguments, expect=0, stdin=None) -> CurlResult:
    """`curl -i …`: the last head and the decoded body; interim heads are in `response.interim`."""
    argv = [find_program("curl"), "-q", "-sS", "-i", "--noproxy", "*", "--max-time", str(int(DEADLINE)), *arguments]
    done = subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=DEADLINE * 2)
    if done.returncode != expect:
        raise AssertionError(f"curl exited with {done.returncode}: {done.stderr.decode()}")
    rest, interim, response = done.stdout, [], None
    while rest.startswith(b"HTTP/"):
        head, gap, rest = rest.partition(b"\r\n\r\n")
        response = parse_response_head(head + gap)
        if not 100 <= response.status < 200 or response.status == 101:
            break
        interim.append(response)
    if response is not None:
        response.interim, response.body = interim, rest
    return CurlResult(done.returncode, response, done.stderr.decode())
