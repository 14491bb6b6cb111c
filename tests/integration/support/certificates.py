"""Certificates for TLS peers, made on the spot."""

import os
import subprocess

from .process import find_program


def self_signed(directory, name, subject) -> str:
    """A certificate for `/CN=…` and its key, in one PEM file in the directory."""
    path = os.path.join(directory, name + ".pem")
    key = os.path.join(directory, name + ".key")
    argv = [find_program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    argv += ["-utf8", "-days", "2", "-subj", subject, "-keyout", key, "-out", path]
    done = subprocess.run(argv, capture_output=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"openssl: {done.stderr.decode()}")
    with open(key, encoding="ascii") as file, open(path, "a", encoding="ascii") as out:
        out.write(file.read())
    return path
