"""Chance that can be had again: a test that fails says its seed, and TELLTALE_SEED sets it."""

import os
import random

SEED = int(os.environ.get("TELLTALE_SEED", random.SystemRandom().randrange(1 << 32)))
_asked = []


def chance() -> random.Random:
    """A generator that begins at SEED."""
    _asked.append(True)
    return random.Random(SEED)


def what_to_repeat() -> str:
    """How to have the same chance again; empty: there was none."""
    return f"TELLTALE_SEED={SEED}" if _asked else ""
