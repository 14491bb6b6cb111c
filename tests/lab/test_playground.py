"""`./dev lab`: up, a shell in it, commands, and nothing left."""

import os
import pathlib
import subprocess
import sys
import unittest

from scene import main
from support.waiting import wait_until
from topology import CLIENT, VIP, namespaces

PLAYGROUND = pathlib.Path(__file__).with_name("playground.py")
NAME = f"test{os.getpid()}"


def playground(*arguments, stdin="") -> str:
    done = subprocess.run([sys.executable, PLAYGROUND, *arguments], input=stdin, stdout=subprocess.PIPE, check=False,
                          stderr=subprocess.STDOUT, text=True, env={**os.environ, "TELLTALE_LAB": NAME}, timeout=120)
    return done.stdout


class Playground(unittest.TestCase):
    def test_a_visit(self):
        self.addCleanup(playground, "down")
        ask = f"curl -s {VIP} | grep -E 'client_address|x-forwarded-for' | xargs"
        seen = playground("enter", stdin=f"{ask}\nlab policy Cluster\non lb1 ip -brief address show eth0\nexit\n")
        for expected in (f"client_address=10.240.0.11 x-forwarded-for={CLIENT}", "externalTrafficPolicy: Cluster",
                         "10.240.0.11/24", "curl 203.0.113.140", "lab restart"):
            self.assertIn(expected, seen)
        self.assertIn("10.180.2.136", playground("do", "endpoints", "node2"))
        self.assertIn("client_address=10.180.2.1", playground("on", "client", "curl", "-s", "10.240.0.5:30080"))
        self.assertIn("policy Cluster, or policy Local", playground("do", "policy", "local"))
        self.assertIn("no command 'fly'", playground("do", "fly"))
        self.assertEqual(playground("up"), "", "it is up already")

    def test_a_mistake_in_the_configuration_keeps_telltale_as_it_was(self):
        self.addCleanup(playground, "down")
        playground("up")
        config = pathlib.Path(f"/run/telltale-{NAME}/telltale.yaml")
        good = config.read_text(encoding="utf-8")
        config.write_text(good.replace("port: 30080", "port: 99999"), encoding="utf-8")
        self.assertIn("goes on as it was", playground("do", "restart"))
        status = ("on", "client", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", VIP)
        self.assertEqual(playground(*status), "200")
        config.write_text(good.replace("interval: 1s", "interval: 1s, send_proxy: v2"), encoding="utf-8")
        self.assertIn("kube-proxy's health port does not speak it", playground("do", "restart"))

    def test_nothing_is_left(self):
        playground("up")
        self.assertTrue(namespaces(f"telltale-{NAME}-"))
        playground("down")
        self.assertEqual(namespaces(f"telltale-{NAME}-"), [])
        self.assertFalse(os.path.exists(f"/run/telltale-{NAME}"))
        self.assertIn("the lab is not up", playground("do", "help"))

    def test_what_a_killed_one_left_is_removed(self):
        playground("up")
        listed = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, check=True, text=True).stdout
        environment = f"TELLTALE_LAB={NAME}\0".encode()
        holders = [int(line.split()[0]) for line in listed.splitlines() if line.endswith(f"{PLAYGROUND} serve")]
        (holder,) = [pid for pid in holders if environment in pathlib.Path(f"/proc/{pid}/environ").read_bytes()]
        os.kill(holder, 9)
        wait_until(lambda: "not up" in playground("do", "help"), "it to be gone")
        self.assertTrue(namespaces(f"telltale-{NAME}-"))
        playground("down")
        self.assertEqual(namespaces(f"telltale-{NAME}-"), [])


if __name__ == "__main__":
    main()
