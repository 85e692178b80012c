"""What freed memory costs, in a process of its own: the setting stays for as long as a process lives."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
from workbench.training.cpu_memory import keep_freed_memory
if "keep" in sys.argv and not keep_freed_memory():
    sys.exit(3)
def touch():
    bytearray(64 * 2**20)
touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    touch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _page_faults(*arguments: str) -> int:
    done = subprocess.run([sys.executable, "-c", FAULTS, *arguments], capture_output=True, text=True)
    if done.returncode == 3:
        pytest.skip("this C library's allocator takes no such settings")
    return int(done.stdout)


def test_freed_memory_is_taken_again_without_asking_the_system():
    assert _page_faults("keep") < _page_faults() / 10
