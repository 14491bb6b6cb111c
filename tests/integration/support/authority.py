"""Authorities that issue, revoke and say so: OpenSSL's `ca`, for the certificates of clients."""

import os
import subprocess
import time

from .process import find_program
from .waiting import DEADLINE

_CONF = """
[ca]
default_ca = own
[own]
dir = {dir}
database = $dir/index.txt
new_certs_dir = $dir
crlnumber = $dir/crlnumber
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha256
default_days = 365
default_crl_days = 30
rand_serial = yes
unique_subject = no
copy_extensions = copy
policy = any
[any]
countryName = optional
organizationName = optional
commonName = optional
[req]
distinguished_name = none
[none]
"""


def _openssl(*arguments):
    done = subprocess.run([find_program("openssl"), *arguments], capture_output=True, check=False, timeout=DEADLINE)
    if done.returncode != 0:
        raise AssertionError(f"openssl {arguments[0]}: {done.stderr.decode()}")


class Authority:
    """With a directory of its own. `pem` is the file with its certificate; signed by `issuer`, None: by itself."""

    def __init__(self, directory, name, issuer=None):
        self.directory = os.path.join(directory, name)
        os.mkdir(self.directory)
        self.pem = self._path("ca.pem")
        self._conf = self._path("openssl.cnf")
        for file, text in ((self._conf, _CONF.format(dir=self.directory)), ("index.txt", ""), ("crlnumber", "01\n")):
            with open(self._path(file), "w", encoding="ascii") as out:
                out.write(text)
        request = self._request("ca", f"/CN={name}", "basicConstraints=critical,CA:TRUE")
        (issuer or self)._sign(request, self.pem, *([] if issuer else ["-selfsign"]))

    def _path(self, name) -> str:
        return os.path.join(self.directory, name)

    def _request(self, name, subject, *extensions) -> str:
        path = self._path(name + ".csr")
        more = [argument for extension in extensions for argument in ("-addext", extension)]
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self._path(name + ".key")]
        _openssl("req", "-new", *key, "-utf8", "-config", self._conf, "-subj", subject, "-out", path, *more)
        return path

    def _sign(self, request, out, *arguments):
        _openssl("ca", "-batch", "-config", self._conf, "-notext", "-in", request, "-out", out, *arguments)

    def issue(self, name, subject=None, *, sans="", expired=False, seconds=0, use="", chain=()) -> str:
        """A file with a client's certificate, those of `chain` (authorities), and its key. `seconds`: how long it is
        good; 0: for a year. `use`: extendedKeyUsage."""
        extensions = ["basicConstraints=critical,CA:FALSE"]
        extensions += [f"subjectAltName={sans}"] if sans else []
        extensions += [f"extendedKeyUsage={use}"] if use else []
        request = self._request(name, subject or f"/CN={name}", *extensions)
        path = self._path(name + ".pem")
        dates = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"] if expired else []
        dates += ["-enddate", time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))] if seconds else []
        self._sign(request, path, *dates)
        self._append(path, *[authority.pem for authority in chain], self._path(name + ".key"))
        return path

    def revoke(self, certificate):
        _openssl("ca", "-config", self._conf, "-revoke", certificate)

    def crl(self, name="crl", *, stale=False) -> str:
        """A file with the list of those revoked until now."""
        path = self._path(name + ".pem")
        dates = ["-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z"] if stale else []
        _openssl("ca", "-config", self._conf, "-gencrl", "-out", path, *dates)
        return path

    @staticmethod
    def _append(path, *files):
        with open(path, "a", encoding="ascii") as out:
            for each in files:
                with open(each, encoding="ascii") as file:
                    out.write(file.read())


def joined(path, *files) -> str:
    """A file with the content of these, put in its place at once."""
    new = path + ".new"
    with open(new, "w", encoding="ascii") as out:
        for each in files:
            with open(each, encoding="ascii") as file:
                out.write(file.read())
    os.rename(new, path)
    return path
