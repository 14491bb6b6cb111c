#!/usr/bin/env python3
"""Every configuration that the tree hands out passes `telltale check`: those of the README files, of compose, in the
Kubernetes ConfigMaps, and the one that the benchmarks use. The commands that the README files show work on them."""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import textwrap
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/bench"))
import contenders  # noqa: E402

SCRATCH = tempfile.TemporaryDirectory(prefix="telltale-configs-")
PORTS = contenders.Ports(8080, 8443, 8082, 8081, pathlib.Path(SCRATCH.name) / "certificate.pem")
contenders.make_certificate(PORTS.certificate)
ENVIRONMENT = {"ECHO_SERVICE_HOST": "10.96.12.34", "ECHO_SERVICE_PORT": "80"}  # as Kubernetes sets them


def in_config_maps(text: str) -> list[str]:
    return [textwrap.dedent(block) for block in re.findall(r"^  telltale\.yaml: \|\n((?:    .*\n|\n)+)", text, re.MULTILINE)]


def in_markdown(text: str) -> list[str]:
    """The YAML blocks that are whole configurations."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [block for block in blocks if re.search(r"^listeners:", block, re.MULTILINE)]


def shipped() -> dict[str, str]:
    found = {"docker/compose/telltale.yaml": (ROOT / "docker/compose/telltale.yaml").read_text(),
             "tests/bench/contenders.py": contenders.TELLTALE.format(admin="off", ports=PORTS)}
    for path in sorted((ROOT / "docker/kubernetes").glob("*.yaml")):
        for number, text in enumerate(in_config_maps(path.read_text())):
            found[f"{path.relative_to(ROOT)} #{number}"] = text
    for path in (ROOT / "README.md", ROOT / "docker/README.md"):
        for number, text in enumerate(in_markdown(path.read_text())):
            found[f"{path.relative_to(ROOT)} #{number}"] = text
    return found


def commands(text: str) -> list[tuple[str, str]]:
    """Each `telltale explain …` or `check …` of a shell block, with the whole configuration that stands before it."""
    found, configuration = [], ""
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if language == "yaml" and re.search(r"^listeners:", block, re.MULTILINE):
            configuration = block
        for line in block.splitlines() if language == "sh" else []:
            if re.match(r"(build/)?telltale (explain|check) ", line):
                found.append((configuration, line))
    return found


class Shipped(unittest.TestCase):
    def test_configurations_are_found(self):
        self.assertGreaterEqual(len(shipped()), 5, list(shipped()))

    def test_each_passes_the_check(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in shipped().items():
                with self.subTest(name):
                    file = pathlib.Path(folder, "telltale.yaml")
                    file.write_text(text)
                    done = subprocess.run([os.environ["TELLTALE"], "check", "-c", str(file)], check=False, text=True,
                                          capture_output=True, env=os.environ | ENVIRONMENT, timeout=60)
                    self.assertEqual(done.returncode, 0, f"{done.stdout}{done.stderr}")
                    self.assertNotIn("error:", done.stdout + done.stderr)

    def test_the_commands_beside_them_work(self):
        found = [each for name in ("README.md", "conf/README.md") for each in commands((ROOT / name).read_text())]
        self.assertGreaterEqual(len(found), 1)
        with tempfile.TemporaryDirectory() as folder:
            for configuration, line in found:
                with self.subTest(line):
                    pathlib.Path(folder, "telltale.yaml").write_text(configuration)
                    _, *arguments = shlex.split(line, comments=True)
                    done = subprocess.run([os.environ["TELLTALE"], *arguments], check=False, text=True, capture_output=True,
                                          cwd=folder, env=os.environ | ENVIRONMENT, timeout=60)
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                    self.assertNotIn("the connection is closed", done.stdout)


if __name__ == "__main__":
    unittest.main()
