#!/usr/bin/env python3
"""The lab to walk about in: `./dev lab`. A process in the background holds it until `down`.

    playground.py enter            brings it up if it is not, and starts a shell on the client's host
    playground.py up | down
    playground.py on HOST COMMAND…
    playground.py do COMMAND…      such as `policy Local`; `do help` lists them

TELLTALE names the binary, TELLTALE_LAB (`lab`) the lab, so that there can be several."""

import contextlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

# pylint: disable=wrong-import-position
from support import netns  # noqa: E402
from support.waiting import binary_path, wait_until  # noqa: E402

import balancer  # noqa: E402
from lab import Lab  # noqa: E402
from topology import NODES, namespaces, remove_namespaces  # noqa: E402
from transcript import shell  # noqa: E402

NAME = os.environ.get("TELLTALE_LAB", "lab")
PREFIX = f"telltale-{NAME}"
FOLDER = pathlib.Path("/run", PREFIX)
CONTROL, CONFIG, LOG, ACCESS = (FOLDER / n for n in ("control", "telltale.yaml", "telltale.log", "access.log"))

_CONFIG = "# Telltale on lb1, the load balancer at the VIP. `lab restart` takes what you change here.\n"

_WELCOME = f"""
You are on the client's host, 198.51.100.79. Telltale is the load balancer at 203.0.113.140; the application runs on
node1.

  curl 203.0.113.140                              who the backend thinks you are
  curl 10.240.0.3:30080                           its NodePort, past the load balancer; 10.240.0.5 is node2
  on busybox curl -s 10.0.170.92                  its ClusterIP, from a pod
  on node2 curl -si localhost:32122/healthz       what the load balancer asks the nodes
  on lb1 curl -s '127.0.0.1:9901/explain?last=1'  who Telltale thinks you are, and why; /services: the nodes' states

  lab policy Cluster | Local                      externalTrafficPolicy of the Service
  lab endpoints node1 | node2 | node1 node2       where the application runs; node2 alone: it has moved
  lab cut HOST, lab mend HOST                     the link of node1, node2, lb1 goes dead, comes back
  $EDITOR {CONFIG}      then: lab restart
  tail -f {LOG}         Telltale's log; {ACCESS}

`exit` leaves the lab running: `./dev lab` enters it again, `./dev lab down` removes it.
Hosts: client fabric lb1 lb2 node1 node2 source-ip-app-1 source-ip-app-2 busybox.
"""

_SHELL = f"""
PS1='client$ '
on() {{ local host=$1; shift; ip netns exec {PREFIX}-"$host" "$@"; }}
lab() {{ {shlex.quote(sys.executable)} {shlex.quote(str(HERE / 'playground.py'))} do "$@"; }}
"""


class Playground:
    """What the background process holds. Each method without a `_` is a command; it returns what is to be printed."""

    def __init__(self, lab):
        self._lab, self._telltale = lab, None
        lab.vip_on("lb1")
        self._pods = {f"node{n}": lab.pod(f"source-ip-app-{n}", f"node{n}", 136) for n in (1, 2)}
        for pod in self._pods.values():
            pod.echo("--proxy-protocol")
        lab.pod("busybox", "node2", 8)
        self._service = lab.load_balanced(self._pods["node1"].endpoint())
        CONFIG.write_text(_CONFIG + balancer.at_the_vip(balancer.service("app")), encoding="utf-8")
        self.restart()
        wait_until(self._probed, "the first answers of the nodes' health ports")

    def _probed(self) -> bool:
        seen = shell(self._lab.hosts["lb1"], "curl -s 127.0.0.1:9901/services")
        return '"healthy"' in seen and '"unknown"' not in seen

    def help(self):
        """what can be done"""
        methods = {n: getattr(self, n).__doc__ for n in dir(self) if not n.startswith("_")}
        return "\n".join(f"{name:10} {what}" for name, what in methods.items())

    def policy(self, policy):
        """Cluster or Local: externalTrafficPolicy"""
        if policy not in ("Cluster", "Local"):
            return "policy Cluster, or policy Local"
        self._service.external_traffic_policy = policy
        self._lab.sync()
        return f"externalTrafficPolicy: {policy}"

    def endpoints(self, *nodes):
        """NODE…: where the application runs"""
        if not set(nodes) <= set(NODES):
            return f"nodes are {', '.join(NODES)}"
        self._service.endpoints[:] = [self._pods[node].endpoint() for node in nodes]
        self._lab.sync()
        return "endpoints: " + (", ".join(e.address for e in self._service.endpoints) or "none")

    def cut(self, host):
        """HOST: its link goes dead"""
        self._lab.cut(host)
        return f"the link of {host} is dead"

    def mend(self, host):
        """HOST: its link comes back"""
        self._lab.mend(host)
        return f"the link of {host} is back"

    def restart(self):
        """Telltale, with the configuration as it is now"""
        checked = subprocess.run([binary_path(), "check", "-c", str(CONFIG)], capture_output=True, text=True,
                                 check=False)
        if checked.returncode != 0:
            return checked.stderr + checked.stdout + "Telltale goes on as it was."
        self._end()
        with self._lab.hosts["lb1"], open(LOG, "ab") as log, open(ACCESS, "ab") as access:
            self._telltale = subprocess.Popen([binary_path(), "run", "-c", str(CONFIG)], stdin=subprocess.DEVNULL,
                                              stdout=access, stderr=log)
        return checked.stderr + checked.stdout + "Telltale was started anew."

    def _end(self):
        if self._telltale and self._telltale.poll() is None:
            self._telltale.send_signal(signal.SIGINT)
            self._telltale.wait()

    def _do(self, words) -> str:
        name, *arguments = words or ["help"]
        command = None if name.startswith("_") else getattr(self, name, None)
        if command is None:
            return f"no command {name!r}\n{self.help()}"
        try:
            return command(*arguments)
        except (AssertionError, TypeError, KeyError) as fault:
            return f"{name}: {fault}"


def serve():
    """Holds the lab until it is told `down`, or SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with socket.socket(socket.AF_UNIX) as listening, contextlib.ExitStack() as stack:
        listening.bind(str(CONTROL))
        listening.listen()
        lab = stack.enter_context(Lab(PREFIX))
        playground = Playground(lab)
        stack.callback(playground._end)  # pylint: disable=protected-access
        print("ready", flush=True)
        while True:
            with listening.accept()[0] as caller, contextlib.suppress(OSError):
                words = json.loads(caller.makefile().readline() or "[]")
                if words == ["down"]:
                    stack.close()
                    caller.sendall(b"down\n")
                    return
                caller.sendall(playground._do(words).encode() + b"\n")  # pylint: disable=protected-access


def call(*words):
    """What the background process says to a command; None: there is none."""
    with socket.socket(socket.AF_UNIX) as control:
        try:
            control.connect(str(CONTROL))
        except OSError:
            return None
        control.sendall(json.dumps(words).encode() + b"\n")
        return control.makefile().read()


def up():
    if call("help") is not None:
        return
    clear()
    FOLDER.mkdir(mode=0o700)
    with open(FOLDER / "lab.log", "wb") as log:
        process = subprocess.Popen([sys.executable, __file__, "serve"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=log, start_new_session=True)
    if process.stdout.readline() != b"ready\n":
        process.wait()
        said = (FOLDER / "lab.log").read_text(encoding="utf-8")
        clear()
        sys.exit(f"the lab did not come up:\n{said}")


def clear():
    """Whatever a background process left that was killed."""
    remove_namespaces(namespaces(PREFIX + "-"))
    shutil.rmtree(FOLDER, ignore_errors=True)


def down():
    call("down")
    clear()


def enter() -> int:
    up()
    rc = FOLDER / "bashrc"
    rc.write_text(_SHELL, encoding="utf-8")
    print(_WELCOME, flush=True)
    return on("client", "bash", "--rcfile", str(rc), "-i")


def on(host, *command) -> int:
    return subprocess.run(["ip", "netns", "exec", f"{PREFIX}-{host}", *command], check=False).returncode


def main(arguments) -> int:
    if os.geteuid() != 0:
        sys.exit("only root may make network namespaces")
    if reason := netns.why_not():
        sys.exit(f"no network namespaces here: {reason}")
    command, *rest = arguments or ["enter"]
    if command == "on" and rest:
        return on(*rest)
    if command == "do":
        said = call(*rest)
        print("the lab is not up: ./dev lab" if said is None else said.rstrip())
        return 0 if said is not None else 1
    known = {"enter": enter, "up": up, "down": down, "serve": serve}
    if command not in known or rest:
        sys.exit(__doc__)
    return known[command]() or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
