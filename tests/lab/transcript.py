"""What a scene types and sees, and the page of it in README.md, which must be the same."""

import os
import pathlib
import re
import subprocess

from support.waiting import DEADLINE, binary_path

README = pathlib.Path(__file__).with_name("README.md")
RECORDING = bool(os.environ.get("TELLTALE_LAB_RECORD"))

_KNOWN_PORTS = {80, 8080, 8081, 9000, 9901, 10249, 10256, 30080, 30081, 30082, 32122}
_VOLATILE = [
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"), "TIME"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000 UTC m=\+\d+\.\d+"), "TIME"),
    (re.compile(r"\b\d+ of the last \d+\b"), "N of the last N"),
    (re.compile(r"@if\d+"), "@ifN"),
    (re.compile(r"\bcurl/[\d.]+|\btelltale \d[\w.-]*|\bPython/[\d.]+"), "PROGRAM"),
    (re.compile(r"^Date: .*$", re.MULTILINE), "Date: DATE"),
    (re.compile(r"\b[0-9a-f]{16,32}\b"), "ID"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s|requests|answers|connections|packets|bytes)\b"), r"N \2"),
]


def normalised(text: str) -> str:
    """Without what differs from run to run: times, ids, counts of requests, ports that the kernel chose."""
    for pattern, instead in _VOLATILE:
        text = pattern.sub(instead, text)
    text = re.sub(r"(\d+\.\d+\.\d+\.\d+:|\bport )(\d+)", _port, text)
    return re.sub(" {2,}", "  ", text)  # columns are as wide as what differs


def _port(match) -> str:
    return match[0] if int(match[2]) in _KNOWN_PORTS else f"{match[1]}PORT"


def _environment() -> dict:
    """Programs as a user has them: found, and neither through a proxy nor set up by files of this machine's user."""
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    path = f"{os.path.dirname(os.path.abspath(binary_path()))}:{kept.get('PATH', '')}:/usr/sbin:/sbin"
    return {**kept, "PATH": path, "HOME": "/nonexistent", "LC_ALL": "C", "PS4": "+ "}


def shell(host, command: str, cwd=None, **environment) -> str:
    """What `sh -c COMMAND` on a host prints, errors included."""
    with host:
        done = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, timeout=DEADLINE * 2, text=True, cwd=cwd,
                              env={**_environment(), **environment})
    return done.stdout


class Transcript:
    """One section of the page. A context manager: at its end, if nothing failed, the page must say what was seen, but
    for what normalised() leaves out; or, with TELLTALE_LAB_RECORD=1, is made to."""

    def __init__(self, lab, section: str):
        self._lab, self._section, self._parts = lab, section, []

    def run(self, host: str, command: str, cwd=None, **environment) -> str:
        out = shell(self._lab.hosts[host], command, cwd, **environment)
        self._parts.append(f"{host}$ {command}\n{out}")
        return out

    def file(self, host: str, name: str, text: str) -> str:
        """A file that a program on this host was given."""
        self._parts.append(f"{host}$ cat {name}\n{text.strip()}\n")
        return text

    def log(self, host: str, proxy, pattern: str) -> str:
        """The first line that the proxy there logs and that looks like this; without its time."""
        line = proxy.log.wait_line(f"^.*(?:{pattern}).*$")[0]
        line = line.partition("Z ")[2] or line
        self._parts.append(f"{host}, log of telltale:\n{line}\n")
        return line

    def note(self, text: str):
        """What is no program's output: what was changed, what was measured."""
        self._parts.append(text.strip() + "\n")

    def text(self) -> str:
        return re.sub(r"[ \t]+$", "", "\n".join(self._parts), flags=re.MULTILINE)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            _put(self._section, self.text()) if RECORDING else _compare(self._section, self.text())


def _block(section: str) -> re.Pattern:
    return re.compile(rf"(<!-- output: {re.escape(section)} -->\n```text\n)(.*?)(```\n<!-- end -->)", re.DOTALL)


def sections() -> dict:
    """What the page says now, by section."""
    text = README.read_text(encoding="utf-8")
    return {name: _block(name).search(text)[2] for name in re.findall(r"<!-- output: (.*) -->", text)}


def _compare(section: str, seen: str):
    found = _block(section).search(README.read_text(encoding="utf-8"))
    if not found:
        raise AssertionError(f"README.md has no section {section!r}; tests/lab/record.py writes it between its markers")
    if normalised(found[2]) != normalised(seen):
        raise AssertionError(f"README.md, section {section!r}, does not say what was seen; tests/lab/record.py "
                             f"writes it anew.\n--- README.md\n{normalised(found[2])}\n--- seen\n{normalised(seen)}")


def _put(section: str, seen: str):
    page = README.read_text(encoding="utf-8")
    if not _block(section).search(page):
        raise AssertionError(f"README.md has no markers for the section {section!r}")
    README.write_text(_block(section).sub(lambda m: m[1] + seen + m[3], page), encoding="utf-8")
