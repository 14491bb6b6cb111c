"""The signed assertion once more, with Python's own hmac: the tests do not lean on the code they test."""

import base64
import hashlib
import hmac
import os
import time
from dataclasses import dataclass


def new_key() -> bytes:
    return os.urandom(32)


def key_line(key_id: str, key: bytes) -> str:
    return f"{key_id} {base64.b64encode(key).decode()}\n"


def write_keys(path, *lines: str, mode=0o600):
    """Replaces the file, as a rotation does: never half of it is there."""
    path = str(path)
    with open(path + ".new", "w", encoding="ascii") as out:
        out.writelines(lines)
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)


def _mac(key: bytes, text: str) -> str:
    return base64.urlsafe_b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode().rstrip("=")


def sign(key_id: str, key: bytes, client: str, authority: str, *, at=None) -> str:
    text = f"v1;kid={key_id};t={int(time.time() if at is None else at)};c={client};a={authority}"
    return f"{text};s={_mac(key, text)}"


@dataclass
class Assertion:
    key_id: str
    time: int
    client: str
    authority: str


def verify(text: str, key_id: str, key: bytes) -> Assertion:
    """What it says; anything wrong with it is an AssertionError."""
    signed, _, mac = text.rpartition(";s=")
    assert hmac.compare_digest(mac, _mac(key, signed)), f"the signature of {text!r} does not fit"
    version, *fields = signed.split(";")
    named = [field.partition("=") for field in fields]
    assert version == "v1" and [name for name, _, _ in named] == ["kid", "t", "c", "a"], text
    said = Assertion(named[0][2], int(named[1][2]), named[2][2], named[3][2])
    assert said.key_id == key_id, text
    assert abs(said.time - time.time()) < 60, text
    return said
