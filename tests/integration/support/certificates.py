"""Certificates for TLS peers, made on the spot."""

import os
import subprocess

from .process import find_program


_KEYS = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}


def _make(directory, name, *arguments, key_type="ec", days=365) -> str:
    """A certificate and its key, in one PEM file in the directory."""
    path = os.path.join(directory, name + ".pem")
    key = os.path.join(directory, name + ".key")
    argv = [find_program("openssl"), "req", "-x509", "-newkey", *_KEYS[key_type], "-nodes"]
    argv += ["-utf8", "-days", str(days), "-keyout", key, "-out", path, *arguments]
    done = subprocess.run(argv, capture_output=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"openssl: {done.stderr.decode()}")
    with open(key, encoding="ascii") as file, open(path, "a", encoding="ascii") as out:
        out.write(file.read())
    os.chmod(path, 0o600)
    return path


def self_signed(directory, name, subject) -> str:
    """A certificate for `/CN=…` and its key, in one PEM file in the directory."""
    return _make(directory, name, "-subj", subject)


def issued(directory, name, authority, names, **options) -> str:
    """Likewise, for these names (`DNS:app.internal,IP:127.0.0.1`), signed by a self_signed() one."""
    extensions = ["-addext", f"subjectAltName={names}", "-addext", "basicConstraints=critical,CA:FALSE"]
    return _make(directory, name, "-subj", f"/CN={name}", "-CA", authority, "-CAkey", authority, *extensions, **options)
