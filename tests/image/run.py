#!/usr/bin/env python3
"""Starts the built image and asks it: the image as it would run in production, on this machine.

It runs as the image's own user, on a read-only root file system, without capabilities: an echo backend and the proxy in
front of it, each a container of its own on the host's network. With docker or podman these are ordinary containers.
Where no engine runs, the image that buildah built is mounted, and each container is a chroot in its own mount namespace,
which needs root. Standard library and curl only.
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build/image"
CONFIG_PATH = "/etc/telltale/telltale.yaml"
DEADLINE = 20

CONFIG = """\
workers: 1
admin: {{ listen: "127.0.0.1:{admin}" }}
drain: {{ delay: 100ms, grace: 2s }}
listeners:
  - listen: "127.0.0.1:{port}"
    service: echo
services:
  - name: echo
    endpoints: ["127.0.0.1:{echo}"]
"""


def output(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what: str) -> None:
    until = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"not in {DEADLINE} s: {what}")
        time.sleep(0.05)


class EngineImage:
    """The image in docker or podman."""

    def __init__(self, engine: str, name: str):
        self.engine, self.name = engine, name
        config = json.loads(output(engine, "image", "inspect", name))[0]
        self.config = config["Config"]
        if "Healthcheck" not in self.config and config.get("Healthcheck"):  # podman keeps it beside
            self.config["Healthcheck"] = config["Healthcheck"]

    def start(self, arguments: list[str], config: pathlib.Path | None):
        mount = ["-v", f"{config}:{CONFIG_PATH}:ro"] if config else []
        container = output(self.engine, "run", "-d", "--read-only", "--network", "host", "--cap-drop", "ALL",
                           "--security-opt", "no-new-privileges", *mount, self.name, *arguments).strip()
        return EngineContainer(self.engine, container)

    def close(self) -> None:
        pass


class EngineContainer:
    def __init__(self, engine: str, container: str):
        self.engine, self.id = engine, container

    def pid(self) -> int:
        return int(output(self.engine, "inspect", "-f", "{{.State.Pid}}", self.id))

    def running(self) -> bool:
        return output(self.engine, "inspect", "-f", "{{.State.Running}}", self.id).strip() == "true"

    def run_inside(self, argv: list[str]) -> int:
        return subprocess.run([self.engine, "exec", self.id, *argv], check=False, capture_output=True).returncode

    def terminate(self) -> int:
        subprocess.run([self.engine, "kill", "--signal", "TERM", self.id], check=True, capture_output=True)
        return int(subprocess.run([self.engine, "wait", self.id], check=True, capture_output=True, text=True,
                                  timeout=DEADLINE).stdout)

    def log(self) -> str:
        done = subprocess.run([self.engine, "logs", self.id], check=False, capture_output=True, text=True)
        return done.stdout + done.stderr

    def remove(self) -> None:
        subprocess.run([self.engine, "rm", "-f", self.id], check=False, capture_output=True)


class BuildahImage:
    """The image in docker/build's own storage, mounted."""

    def __init__(self, name: str):
        if os.geteuid() != 0:
            raise SystemExit("tests/image: without a container engine this needs root (sudo)")
        self.buildah = ["buildah", "--root", str(WORK / "storage"), "--runroot", str(WORK / "run"), "--storage-driver", "vfs"]
        inspected = json.loads(output(*self.buildah, "inspect", "--type", "image", name))
        self.config = inspected["Docker"]["config"]
        self.container = output(*self.buildah, "from", "--pull-never", name).strip()
        self.root = output(*self.buildah, "mount", self.container).strip()

    def start(self, arguments: list[str], config: pathlib.Path | None):
        return ChrootContainer(self, arguments, config)

    def close(self) -> None:
        subprocess.run([*self.buildah, "rm", self.container], check=False, capture_output=True)


# $1 root, $2 configuration or nothing, then the rest. What a container engine sets up, in few lines. The configuration
# lies in a tmpfs, for the image has no such file and its root is read-only.
MOUNTS = """
set -e
root=$1 config=$2
shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
if [ -n "$config" ]; then
  mount -t tmpfs -o mode=755 tmpfs "$root/etc/telltale"
  cp "$config" "$root/etc/telltale/telltale.yaml"
  chmod 644 "$root/etc/telltale/telltale.yaml"
  mount -o remount,ro "$root/etc/telltale"
fi
mount -o remount,bind,ro "$root"
exec "$@"
"""

# root, uid:gid, command...: no capability, no way to get one, and out of root's hands.
ENTER = """
import ctypes, os, sys
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
root, user, *command = sys.argv[1:]
uid, gid = (int(part) for part in user.split(":"))
prctl = ctypes.CDLL(None, use_errno=True).prctl
os.chdir(root)
os.chroot(".")
for capability in range(64):
    prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
os.setgroups([])
os.setgid(gid)
os.setuid(uid)
os.execv(command[0], command)
"""


class ChrootContainer:
    def __init__(self, image: BuildahImage, arguments: list[str], config: pathlib.Path | None):
        self.image = image
        pathlib.Path(image.root, "proc").mkdir(exist_ok=True)
        self.sink = tempfile.TemporaryFile("w+")
        user = image.config["User"]
        command = [*image.config["Entrypoint"], *(arguments or image.config["Cmd"])]
        environment = dict(item.split("=", 1) for item in image.config.get("Env") or [])
        self.popen = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNTS, "mounts", image.root, str(config or ""),
             sys.executable, "-c", ENTER, image.root, user, *command],
            stdout=self.sink, stderr=self.sink, env={"PATH": os.environ["PATH"], **environment})

    def pid(self) -> int:
        return self.popen.pid

    def running(self) -> bool:
        return self.popen.poll() is None

    def run_inside(self, argv: list[str]) -> int:
        user = self.image.config["User"]
        return subprocess.run(["nsenter", "--mount", f"--target={self.popen.pid}", "--root",
                               f"--setuid={user.split(':')[0]}", f"--setgid={user.split(':')[-1]}", "--", *argv],
                              check=False, capture_output=True).returncode

    def terminate(self) -> int:
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(DEADLINE)

    def log(self) -> str:
        self.sink.seek(0)
        return self.sink.read()

    def remove(self) -> None:
        if self.running():
            self.popen.kill()
        self.popen.wait()
        self.sink.close()


class Image(unittest.TestCase):
    engine = ""
    name = ""

    @classmethod
    def setUpClass(cls):
        cls.image = BuildahImage(cls.name) if cls.engine == "buildah" else EngineImage(cls.engine, cls.name)
        cls.addClassCleanup(cls.image.close)

    def setUp(self):
        self.echo_port, self.port = free_port(), free_port()

    def start(self, *arguments: str, config: pathlib.Path | None = None):
        container = self.image.start(list(arguments), config)
        self.addCleanup(container.remove)
        return container

    def curl(self, url: str, *options: str) -> str:
        done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", "5", *options, url], check=False,
                              capture_output=True, text=True)
        return done.stdout

    def start_both(self):
        """An echo backend, and the proxy started by the image's own CMD on the mounted configuration."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        os.chmod(folder.name, 0o755)
        config = pathlib.Path(folder.name, "telltale.yaml")
        config.write_text(CONFIG.format(admin=9901, port=self.port, echo=self.echo_port))
        config.chmod(0o644)
        echo = self.start("echo", "--listen", f"127.0.0.1:{self.echo_port}")
        proxy = self.start(config=config)
        for container, port in ((echo, self.echo_port), (proxy, self.port)):
            def answers():
                self.assertTrue(container.running(), container.log())
                return self.curl(f"http://127.0.0.1:{port}/") != ""
            wait_until(answers, f"an answer on port {port}")
        return echo, proxy

    def test_image_says_how_it_runs(self):
        config = self.image.config
        self.assertEqual(config["User"], "65532:65532")
        self.assertEqual(config["Entrypoint"], ["/usr/bin/telltale"])
        self.assertEqual(config["Cmd"], ["run"])
        self.assertEqual(config["Healthcheck"]["Test"], ["CMD", "/usr/bin/telltale", "status", "--quiet"])

    def test_serves_and_tells_the_backend_who_the_client_is(self):
        self.start_both()
        answer = self.curl(f"http://127.0.0.1:{self.port}/who", "-H", "X-Forwarded-For: 203.0.113.9")
        self.assertIn("CLIENT VALUES:", answer)
        self.assertIn("x-forwarded-for=127.0.0.1\n", answer)
        self.assertNotIn("203.0.113.9", answer)

    def test_runs_as_nobody_with_nothing(self):
        for container in self.start_both():
            status = dict(line.split(":\t", 1) for line in
                          pathlib.Path(f"/proc/{container.pid()}/status").read_text().splitlines() if ":\t" in line)
            self.assertEqual(set(status["Uid"].split()), {"65532"})
            self.assertEqual(set(status["Gid"].split()), {"65532"})
            self.assertEqual(int(status["CapEff"], 16), 0)
            self.assertEqual(int(status["CapBnd"], 16), 0)
            self.assertEqual(status["NoNewPrivs"], "1")

    def test_root_file_system_is_read_only(self):
        for container in self.start_both():
            mounts = pathlib.Path(f"/proc/{container.pid()}/mounts").read_text().splitlines()
            root = [line.split()[3].split(",") for line in mounts if line.split()[1] == "/"]
            self.assertIn("ro", root[-1])
            with self.assertRaises(OSError):
                pathlib.Path(f"/proc/{container.pid()}/root/written").write_text("")

    def test_health_check_follows_the_proxy(self):
        _, proxy = self.start_both()
        check = self.image.config["Healthcheck"]["Test"][1:]
        wait_until(lambda: proxy.run_inside(check) == 0, "healthy")
        # Of an address where nothing listens.
        self.assertNotEqual(proxy.run_inside([*check, "--admin", f"127.0.0.1:{free_port()}"]), 0)

    def test_ends_with_success_when_asked(self):
        _, proxy = self.start_both()
        self.assertEqual(proxy.terminate(), 0, proxy.log() if proxy.running() else "")

    def test_says_what_is_missing_without_a_configuration(self):
        container = self.start()
        wait_until(lambda: not container.running(), "an end")
        self.assertIn("telltale.yaml", container.log())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", help="docker, podman or buildah; default: the one that built it")
    parser.add_argument("--image", default="telltale:latest")
    options, rest = parser.parse_known_args()
    Image.engine = options.engine or (WORK / "engine").read_text().strip()
    # buildah's names carry where they live.
    Image.name = f"localhost/{options.image}" if Image.engine == "buildah" else options.image
    with contextlib.suppress(KeyboardInterrupt):
        unittest.main(argv=[sys.argv[0], "-v", *rest])


if __name__ == "__main__":
    main()
