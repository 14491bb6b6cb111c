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


def expired(directory, name, authority, names) -> str:
    """Likewise, but its time is over."""
    path, key, request = (os.path.join(directory, name + end) for end in (".pem", ".key", ".csr"))
    files = {
        ".cnf": f"[ca]\ndefault_ca=d\n[d]\nnew_certs_dir={directory}\ndatabase={directory}/{name}.db\n"
        f"serial={directory}/{name}.serial\ndefault_md=sha256\npolicy=p\ncopy_extensions=copy\n"
        "[p]\ncommonName=supplied\n",
        ".db": "",
        ".serial": "01\n",
    }
    for end, text in files.items():
        with open(os.path.join(directory, name + end), "w", encoding="ascii") as out:
            out.write(text)
    openssl = find_program("openssl")
    asked = [openssl, "req", "-new", "-newkey", *_KEYS["ec"], "-nodes", "-subj", f"/CN={name}", "-keyout", key]
    signed = [openssl, "ca", "-batch", "-notext", "-config", os.path.join(directory, name + ".cnf"), "-cert", authority]
    for argv in (
        [*asked, "-addext", f"subjectAltName={names}", "-out", request],
        [*signed, "-keyfile", authority, "-in", request, "-startdate", "20200101000000Z", "-enddate",
         "20200102000000Z", "-out", path],
    ):  # fmt: skip
        done = subprocess.run(argv, capture_output=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"openssl: {done.stderr.decode()}")
    with open(key, encoding="ascii") as file, open(path, "a", encoding="ascii") as out:
        out.write(file.read())
    return path
