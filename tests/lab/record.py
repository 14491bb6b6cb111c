#!/usr/bin/env python3
"""Runs the scenes and writes what they saw into README.md, between its markers.

    TELLTALE=build/telltale tests/lab/record.py [test_scene5_propagation.py …]"""

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def main(names) -> int:
    files = [HERE / name for name in names] or sorted(HERE.glob("test_scene*.py"))
    environment = {**os.environ, "TELLTALE_LAB_RECORD": "1"}
    return max(subprocess.run([sys.executable, file], env=environment, check=False).returncode for file in files)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
