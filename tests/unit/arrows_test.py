#!/usr/bin/env python3
"""The dependency arrows: protocol <- conf <- proxy, and inside proxy/ downstream -> exchange -> upstream.

Reads every #include of the three folders and fails when an arrow points back. The rules themselves are tested on small
made-up trees first, so that a rule that stopped matching cannot pass in silence.
"""

import argparse
import pathlib
import re
import sys
import tempfile
import unittest

SUFFIXES = {".h", ".hh", ".hpp", ".ipp", ".c", ".cc", ".cpp"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
LAYERS = ("protocol", "conf", "proxy", "tests")

# (who, must not include, why). `who` and the target are path prefixes; the first element of a quoted path that is none
# of LAYERS is taken as relative to the including file.
FORBIDDEN = [
    ("protocol/", "conf/", "protocol knows nothing above it"),
    ("protocol/", "proxy/", "protocol knows nothing above it"),
    ("conf/", "proxy/", "conf includes only protocol and conf"),
    ("protocol/", "tests/", "no source includes a file of the tests"),
    ("conf/", "tests/", "no source includes a file of the tests"),
    ("proxy/", "tests/", "no source includes a file of the tests"),
    ("proxy/downstream/", "proxy/upstream/", "downstream reaches upstream only through exchange"),
    ("proxy/upstream/", "proxy/downstream/", "upstream does not know who asked"),
    ("proxy/exchange/", "proxy/downstream/", "an exchange knows no session"),
    ("proxy/exchange/", "proxy/explain/", "the data path does not explain itself"),
    ("proxy/downstream/", "proxy/explain/", "the data path does not explain itself"),
    ("proxy/discovery/", "proxy/server/", "discovery does not know whom it tells"),
    ("proxy/files/", "proxy/server/", "a file does not know who follows it"),
    # Libraries that belong to one place.
    ("protocol/", "boost/asio", "protocol does no I/O"),
    ("protocol/", "boost/beast", "protocol does no I/O"),
    ("protocol/", "spdlog/", "protocol does not log"),
    ("protocol/", "yaml-cpp/", "only conf reads YAML"),
    ("proxy/", "yaml-cpp/", "only conf reads YAML"),
    ("protocol/", "sys/socket.h", "protocol has no sockets"),
    ("conf/", "boost/asio", "loading a configuration does no I/O"),
    ("conf/", "boost/beast", "loading a configuration does no I/O"),
    ("conf/", "llhttp", "llhttp is used by protocol/http1 alone"),
    ("proxy/", "llhttp", "llhttp is used by protocol/http1 alone"),
]
# (who may, what): everyone else may not.
ONLY = [
    ("proxy/net/", "sys/epoll.h", "proxy/net is the only place that knows epoll"),
    ("proxy/discovery/", "ares.h", "c-ares is used by proxy/discovery alone"),
]


def resolve(including: str, included: str, quoted: bool) -> str:
    """The included path as the rules see it: relative to the root of the tree."""
    if quoted and included.split("/")[0] not in LAYERS:
        parts = list(pathlib.PurePosixPath(including).parent.parts)
        for part in pathlib.PurePosixPath(included).parts:
            if part == "..":
                if parts:
                    parts.pop()
            elif part != ".":
                parts.append(part)
        return "/".join(parts)
    return included


def violations_of(name: str, text: str) -> list[str]:
    found = []
    for match in INCLUDE.finditer(text):
        quoted = match.group(1) is not None
        target = resolve(name, match.group(1) or match.group(2), quoted)
        line = text.count("\n", 0, match.start()) + 1
        for who, what, why in FORBIDDEN:
            if name.startswith(who) and target.startswith(what):
                found.append(f"{name}:{line}: includes {target}: {why}")
        for who, what, why in ONLY:
            if not name.startswith(who) and target.startswith(what):
                found.append(f"{name}:{line}: includes {target}: {why}")
    return found


def check_tree(root: pathlib.Path) -> tuple[list[str], int]:
    found, count = [], 0
    for layer in LAYERS[:3]:
        for path in sorted((root / layer).rglob("*")):
            if path.is_file() and path.suffix in SUFFIXES:
                count += 1
                found += violations_of(path.relative_to(root).as_posix(), path.read_text(errors="replace"))
    return found, count


class Rules(unittest.TestCase):
    CASES = [
        # description, file, line, violations
        ("protocol may include protocol", "protocol/net/cidr.cc", '#include "protocol/net/cidr.h"', 0),
        ("protocol must not include conf", "protocol/net/cidr.cc", '#include "conf/model.h"', 1),
        ("protocol must not include proxy", "protocol/a.h", '#include "proxy/net/stream.h"', 1),
        ("protocol must not include asio", "protocol/a.h", "#include <boost/asio/ip/tcp.hpp>", 1),
        ("protocol/http1 may include llhttp", "protocol/http1/parser.cc", "#include <llhttp/llhttp.h>", 0),
        ("proxy must not include llhttp", "proxy/downstream/a.cc", "#include <llhttp.h>", 1),
        ("conf may include protocol", "conf/model.h", '#include "protocol/net/cidr.h"', 0),
        ("conf must not include proxy", "conf/model.cc", '#include "proxy/main.h"', 1),
        ("conf must not reach proxy by a relative path", "conf/model.cc", '#include "../proxy/main.h"', 1),
        ("proxy may include all below", "proxy/cli/a.cc", '#include "conf/model.h"\n#include "protocol/a.h"', 0),
        ("downstream must not include upstream", "proxy/downstream/s.cc", '#include "proxy/upstream/service.h"', 1),
        ("downstream may include exchange", "proxy/downstream/s.cc", '#include "proxy/exchange/failure.h"', 0),
        ("exchange may include upstream", "proxy/exchange/e.cc", '#include "proxy/upstream/service.h"', 0),
        ("exchange must not include downstream", "proxy/exchange/e.cc", '#include "proxy/downstream/s.h"', 1),
        ("upstream must not include downstream", "proxy/upstream/p.cc", '#include "proxy/downstream/s.h"', 1),
        ("the data path must not include explain", "proxy/exchange/e.cc", '#include "proxy/explain/live.h"', 1),
        ("discovery must not include server", "proxy/discovery/d.cc", '#include "proxy/server/server.h"', 1),
        ("server may include discovery", "proxy/server/s.cc", '#include "proxy/discovery/d.h"', 0),
        ("no source includes a test's file", "proxy/cli/a.cc", '#include "tests/support/peer.h"', 1),
        ("epoll only in proxy/net", "proxy/net/loop.cc", "#include <sys/epoll.h>", 0),
        ("epoll nowhere else", "proxy/health/loop.cc", "#include <sys/epoll.h>", 1),
        ("odd spacing is still an include", "conf/a.cc", '  #  include   "proxy/a.h"', 1),
        ("a comment is not an include", "conf/a.cc", '// #include "proxy/a.h"', 0),
        ("the line number is not lost after others", "conf/a.cc", '\n\n#include "proxy/a.h"', 1),
    ]

    def test_each_rule_on_a_line(self):
        for description, name, text, expected in self.CASES:
            with self.subTest(description):
                self.assertEqual(len(violations_of(name, text)), expected)

    def test_place_is_named(self):
        self.assertTrue(violations_of("conf/a.cc", '\n\n#include "proxy/a.h"')[0].startswith("conf/a.cc:3: "))

    def test_tree_is_read_recursively(self):
        with tempfile.TemporaryDirectory() as root:
            bad = pathlib.Path(root, "protocol/http/deep/bad.h")
            bad.parent.mkdir(parents=True)
            bad.write_text('#include "conf/model.h"\n')
            self.assertEqual(len(check_tree(pathlib.Path(root))[0]), 1)


class Tree(unittest.TestCase):
    root = pathlib.Path(__file__).resolve().parents[2]

    def test_no_arrow_points_back(self):
        found, count = check_tree(self.root)
        self.assertGreater(count, 20, f"{self.root} does not look like the source tree")
        self.assertFalse(found, "\n" + "\n".join(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tree", type=pathlib.Path, default=Tree.root)
    options, rest = parser.parse_known_args()
    Tree.root = options.tree
    unittest.main(argv=[sys.argv[0], *rest])
