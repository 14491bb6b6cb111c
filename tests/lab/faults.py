"""Links that lose and delay. `tc netem` where the kernel has it; where it has not, losing is done by nftables, and
delaying by a link through a process (delay_link.py) instead of a veth pair."""

import contextlib
import fcntl
import os
import pathlib
import re
import struct
import subprocess
import sys

from support.process import Process, find_program
from topology import CLIENT

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_DELAY_LINK = pathlib.Path(__file__).with_name("delay_link.py")

_LOSS = """
nft add table netdev faults
nft add chain netdev faults in-{device} '{{ type filter hook ingress device {device} priority 0; }}'
nft add rule netdev faults in-{device} numgen random mod 1000 < {permille} counter drop
nft add chain netdev faults out-{device} '{{ type filter hook egress device {device} priority 0; }}'
nft add rule netdev faults out-{device} numgen random mod 1000 < {permille} counter drop
"""


def _netem(host, device, *how) -> bool:
    """Whether the kernel took it."""
    with host:
        argv = [find_program("tc"), "qdisc", "replace", "dev", device, "root", "netem", *how]
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def lose(lab, name: str, percent: float):
    """That share of the packets to and from a host, lb1 … node2 or the client, is lost each way."""
    fabric = lab.hosts["fabric"]
    # At the fabric's end of the link: what leaves it by netem, what comes in by netem of the host's own end.
    if _netem(fabric, name, "loss", f"{percent}%") and _netem(lab.hosts[name], "eth0", "loss", f"{percent}%"):
        return
    fabric.run(_LOSS, device=name, permille=round(percent * 10))


def lost(lab, *names: str) -> int:
    """How many packets to these hosts, or from them, that was so far."""
    fabric, count = lab.hosts["fabric"], 0
    for host, devices in ((fabric, names), *((lab.hosts[name], ["eth0"]) for name in names)):
        for device in devices:
            with host:
                said = subprocess.run([find_program("tc"), "-s", "qdisc", "show", "dev", device], capture_output=True,
                                      check=True, text=True).stdout
            count += sum(map(int, re.findall(r"qdisc netem.*?dropped (\d+)", said, re.DOTALL)))
    with fabric:
        said = subprocess.run([find_program("nft"), "list", "ruleset"], capture_output=True, check=True,
                              text=True).stdout
    return count + sum(map(int, re.findall(r"numgen random .* counter packets (\d+)", said)))


def _tun(host, name: str) -> int:
    """A new interface of the host's that is a descriptor here."""
    with host:
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        try:
            fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
        except BaseException:
            os.close(descriptor)
            raise
    return descriptor


@contextlib.contextmanager
def slow_client(lab, milliseconds: int):
    """Between the client and the rest everything takes this much longer, each way."""
    client, fabric = lab.hosts["client"], lab.hosts["fabric"]
    delay = f"{milliseconds}ms"
    if _netem(client, "eth0", "delay", delay) and _netem(fabric, "client", "delay", delay):
        yield
        return
    with contextlib.ExitStack() as ours:  # closed here once the process has them, or if there is no second one
        ends = []
        for host in (client, fabric):
            ends.append(_tun(host, "slow"))
            ours.callback(os.close, ends[-1])
        client.batch("link set slow up", f"address add {CLIENT}/32 dev slow", "route replace default dev slow")
        fabric.batch("link set slow up", f"route add {CLIENT}/32 dev slow")
        link = Process([sys.executable, _DELAY_LINK, str(milliseconds), *map(str, ends)], pass_fds=ends)
    try:
        yield
    finally:
        link.kill()


def why_no_delay(lab) -> str:
    """Why links cannot be delayed here; empty: they can."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(slow_client(lab, 1))
            return ""
        except OSError as error:
            return f"no netem in this kernel, and a TUN interface in its place: {error.strerror}"
