"""Network namespaces of a test's own: hosts with addresses and routes, gone at the end.

A namespace belongs to a thread: inside `with host:` every socket and every process that this thread makes is on that
host; those that exist already stay where they were made, so a test can hold a client on one host and a backend on
another. Nothing outside of the namespaces is touched."""

import contextlib
import ctypes
import os
import shlex
import subprocess
import threading

from .process import find_program

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, check=False, text=True)
    if done.returncode != 0:
        raise AssertionError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def own_prefix() -> str:
    return f"telltale-{os.getpid()}"


def why_not() -> str:
    """Why no namespaces can be made here; empty: they can."""
    name = f"{own_prefix()}-probe"
    try:
        done = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False, text=True)
        if done.returncode != 0:
            return f"`ip netns add` says: {done.stderr.strip()}"
        subprocess.run(["ip", "netns", "del", name], check=True)
        return ""
    except FileNotFoundError:
        return "the program `ip` (package iproute2) is not installed"


class Host:
    """One namespace with its loopback up; a context manager that moves the calling thread into it for a while."""

    def __init__(self, role: str, prefix=""):
        """`prefix` begins the name of the namespace instead of one that is this process's own."""
        self.name = f"{prefix or own_prefix()}-{role}"
        _ip("netns", "add", self.name)
        self._entered = threading.local()  # where each thread came from
        self.ip("link", "set", "lo", "up")

    def ip(self, *arguments):
        """`ip -n NAME …`"""
        _ip("-n", self.name, *arguments)

    def batch(self, *commands: str):
        """Many `ip …` commands, without the `ip`, by one process."""
        done = subprocess.run(["ip", "-n", self.name, "-batch", "-"], input="\n".join(commands) + "\n",
                              capture_output=True, check=False, text=True)
        if done.returncode != 0:
            raise AssertionError(f"on {self.name}: {done.stderr.strip()}")

    def run(self, commands: str, **names):
        """Lines of `ip …` and `nft …` as the documentation has them; {names} are filled in."""
        for line in (commands.format(**names) if names else commands).strip().splitlines():
            program, *arguments = shlex.split(line)
            assert program in ("ip", "nft"), line
            _ip("netns", "exec", self.name, find_program(program), *arguments)

    def add(self, interface: str, *addresses: str):
        for address in addresses:
            # No duplicate address detection: an address that is still tentative cannot be bound to.
            self.ip("address", "add", address, "dev", interface, *(["nodad"] if ":" in address else []))
        self.ip("link", "set", interface, "up")

    def __enter__(self):
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            self._set(there)
        except BaseException:
            os.close(here)
            raise
        finally:
            os.close(there)
        self._entered.__dict__.setdefault("stack", []).append(here)
        return self

    def __exit__(self, *_):
        before = self._entered.stack.pop()
        try:
            self._set(before)
        finally:
            os.close(before)

    @staticmethod
    def _set(descriptor: int):
        if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))

    def delete(self):
        _ip("netns", "del", self.name)


@contextlib.contextmanager
def hosts(*roles: str):
    """Namespaces of these roles; all of them go at the end, whatever happened."""
    with contextlib.ExitStack() as stack:
        made = []
        for role in roles:
            made.append(Host(role))
            stack.callback(made[-1].delete)
        yield made


def cable(one: Host, interface: str, other: Host, other_interface: str):
    """A veth pair between two hosts."""
    _ip("-n", one.name, "link", "add", interface, "type", "veth", "peer", "name", other_interface, "netns", other.name)
