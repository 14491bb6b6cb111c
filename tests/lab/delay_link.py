#!/usr/bin/env python3
"""A link between two TUN interfaces that holds every packet for a while, each way.

    delay_link.py MILLISECONDS DESCRIPTOR DESCRIPTOR"""

import collections
import contextlib
import os
import select
import sys
import time

_LARGEST_PACKET = 65535


def main(seconds, one, other):
    across = {one: other, other: one}
    held = collections.deque()  # (when it is due, where to, the packet), in the order they came
    while True:
        wait = max(0.0, held[0][0] - time.monotonic()) if held else None
        for descriptor in select.select(list(across), [], [], wait)[0]:
            with contextlib.suppress(BlockingIOError):
                while True:
                    held.append((time.monotonic() + seconds, across[descriptor], os.read(descriptor, _LARGEST_PACKET)))
        while held and held[0][0] <= time.monotonic():
            _, destination, packet = held.popleft()
            with contextlib.suppress(BlockingIOError):  # a full queue loses it, as any link would
                os.write(destination, packet)


if __name__ == "__main__":
    main(float(sys.argv[1]) / 1000, int(sys.argv[2]), int(sys.argv[3]))
