"""Freed memory goes back to the system, between blocks that are still held as well."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

FRAGMENTED = """
import numpy
from workbench.memory import give_back
def held():
    return int(open("/proc/self/status").read().split("VmRSS:")[1].split()[0]) // 1024
small = 100_000  # bytes, which the C library takes from its heap
blocks = [numpy.ones(small, numpy.uint8) for _ in range(4000)]
del blocks[: len(blocks) - 1]
before = held()
give_back()
print(before - held())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library gives memory back by itself")
def test_what_lies_below_a_block_that_is_held_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", FRAGMENTED], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 300  # MB, of 400
