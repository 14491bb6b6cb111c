"""Load from the client's host by wrk, at a steady pace, and what came of every request."""

import json
import os
import signal
import tempfile

from support.process import Process, find_program
from support.waiting import DEADLINE

# wrk has one Lua state for each thread and one of its own at the end: with one thread, `counts` is the whole truth.
_SCRIPT = """
statuses, bodies, who = {}, {}, nil
function setup(thread) who = thread end
function delay() return %d end
function response(status, headers, body)
  local key = tostring(status)
  statuses[key] = (statuses[key] or 0) + 1
  bodies[body] = (bodies[body] or 0) + 1
end
local function pairs_of(counts)
  local out = {}
  for key, count in pairs(counts) do
    out[#out + 1] = string.format("[%%q,%%d]", key, count):gsub("\\\\\\n", "\\\\n")
  end
  return "[" .. table.concat(out, ",") .. "]"
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\nDONE {"requests":%%d,"connect":%%d,"read":%%d,"write":%%d,"timeout":%%d,' ..
    '"slowest":%%d,"median":%%d,"statuses":%%s,"bodies":%%s}\\n',
    summary.requests, e.connect, e.read, e.write, e.timeout, latency.max, latency:percentile(50),
    pairs_of(who:get("statuses")), pairs_of(who:get("bodies"))))
end
"""


class Outcome:
    """`requests` that were answered; how many by `statuses` and `bodies`; `broken`: connections that failed."""

    def __init__(self, counts):
        self.requests = counts["requests"]
        self.statuses = {int(status): count for status, count in counts["statuses"]}
        self.bodies = dict(counts["bodies"])
        self.broken = {kind: counts[kind] for kind in ("connect", "read", "write", "timeout") if counts[kind]}
        self.slowest, self.median = counts["slowest"] / 1e6, counts["median"] / 1e6

    @property
    def failures(self) -> int:
        return sum(count for status, count in self.statuses.items() if status != 200) + sum(self.broken.values())

    def values(self, name: str) -> dict:
        """How many answers had each value of a `name=value` line."""
        out = {}
        for body, count in self.bodies.items():
            for line in body.splitlines():
                if line.startswith(name + "="):
                    value = line[len(name) + 1 :]
                    out[value] = out.get(value, 0) + count
        return out

    def __str__(self):
        return f"{self.requests} answered, {self.failures} failed: {self.statuses} {self.broken}"


class Load:
    """Runs from its making to stop(). A context manager that ends it in any case."""

    def __init__(self, host, url, *, connections=8, pause_ms=10, keep=True, timeout="20s"):
        """`keep`: connections are used again; else each request has one of its own. `pause_ms`: between two requests of
        one connection."""
        script = tempfile.NamedTemporaryFile("w", suffix=".lua", delete=False)
        with script:
            script.write(_SCRIPT % pause_ms)
        self._script = script.name
        how = [] if keep else ["-H", "Connection: close"]
        argv = [find_program("wrk"), "-t1", f"-c{connections}", "-d600s", "--timeout", timeout, "-s", self._script,
                *how, url]
        with host:
            self._process = Process(argv)

    def stop(self) -> Outcome:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(DEADLINE)
        for line in self._process.stdout.lines():
            if line.startswith("DONE "):
                return Outcome(json.loads(line[5:]))
        raise AssertionError(f"wrk said nothing: {self._process.stdout.text()} {self._process.stderr.text()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        os.unlink(self._script)
