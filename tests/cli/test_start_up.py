"""The command answers at once: `--help` and `plan` load no heavy library and take less than a second of CPU."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT_S = 1.0
HEAVY = ["torch", "transformers", "mergekit", "lm_eval", "trl", "peft", "pandas", "datasets"]
PROBE = f"""
import atexit, json, sys
atexit.register(lambda: print(json.dumps([name for name in {HEAVY} if name in sys.modules]), file=sys.stderr))
from workbench.cli.main import main
main(sys.argv[1:])
"""


def cpu_seconds() -> float:
    """User and system time of all children that have ended: unlike wall time, it hardly depends on other load."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


@pytest.mark.parametrize("words", [["--help"], ["plan", "merges/demo.yaml"]], ids=["help", "plan"])
def test_answers_in_under_a_second_without_heavy_libraries(words: list[str], repository: Path) -> None:
    taken: list[float] = []
    while len(taken) < 3 and min(taken, default=LIMIT_S) >= LIMIT_S:  # the best of three
        before = cpu_seconds()
        done = subprocess.run([sys.executable, "-c", PROBE, *words], cwd=repository, capture_output=True, text=True)
        taken.append(cpu_seconds() - before)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stderr.splitlines()[-1]) == []
        assert ("usage: workbench" if words == ["--help"] else "steps are done. Nothing was run.") in done.stdout
    assert min(taken) < LIMIT_S, taken


def test_python_m_workbench_is_the_command(repository: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workbench", "plan", "nope"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nope: there is no such run file. In merges/: none here.\n"
