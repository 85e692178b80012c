"""The training benchmark: rows are numbers, losses agree, and what is not the same work is refused in one sentence."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "speed"))

import train

ROW = re.compile(r"^(workbench|plain TRL|workbench / plain TRL)  +([\d., ]+)$", re.MULTILINE)
LOSSES = re.compile(r"losses: workbench (\S+) to (\S+); plain TRL (\S+) to (\S+); of one step at most (\S+) apart")
RUN = train.Run(
    seconds=3.0, cpu_seconds=4.0, losses=(2.5, 2.4, 2.3, 2.2), tokens=(2048, 2044, 2048, 2046), settings={"seed": 13},
    device="CPU", process_bytes=2_000_000_000, device_bytes=None,
)  # fmt: skip


def test_both_ways_are_measured_on_the_same_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base = tiny.save_model(tmp_path / "base", dtype=torch.bfloat16)
    monkeypatch.setattr(sys, "argv", ["train.py", "--base", str(base), "--steps", "2", "--repeats", "1"])
    train.main()
    printed = capsys.readouterr().out
    rows = {name: [float(cell.replace(",", "")) for cell in cells.split()] for name, cells in ROW.findall(printed)}
    assert list(rows) == ["workbench", "plain TRL", "workbench / plain TRL"]
    ours, plain, ratios = rows.values()
    assert all(value > 0 for row in rows.values() for value in row)
    assert ratios == pytest.approx([a / b for a, b in zip(ours, plain, strict=True)], abs=0.02)
    losses = LOSSES.search(printed)
    assert losses is not None
    first, last, their_first, their_last, apart = map(float, losses.groups())
    assert (first, last) == pytest.approx((their_first, their_last), abs=1e-3)
    assert 0 <= apart < 1e-3


def test_a_row_counts_only_the_steps_after_the_warm_up() -> None:
    assert train.WARM_UP == 2
    assert RUN.row == {
        "tokens/s": pytest.approx(4094 / 3), "s a step": 1.5, "CPU s a step": 2.0, "process GB": 2.0
    }  # fmt: skip
    assert replace(RUN, device_bytes=500_000_000).row["device GB"] == 0.5
    found = train.medians([RUN, replace(RUN, seconds=30.0), replace(RUN, seconds=4.0)])
    assert found["s a step"] == 2.0


def test_losses_a_little_apart_are_told() -> None:
    assert train.alike(RUN, replace(RUN, losses=(2.5, 2.41, 2.3, 2.2))) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"settings": {"seed": 14}}, r"the settings differ in 'seed': 13 here, 14 in plain TRL\."),
        ({"tokens": (2048, 2044, 2047, 2046)}, r"step 3 reads other tokens: 2,048 here, 2,047 in plain TRL\."),
        ({"losses": (2.5, 2.4, 2.3, 2.3)}, r"the losses of step 4 differ: 2\.2000 here, 2\.3000 in plain TRL\."),
    ],
)
def test_what_is_not_the_same_work_is_not_compared(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(SystemExit, match=sentence):
        train.alike(RUN, replace(RUN, **changes))


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("raise OSError('no weights in base')", r"plain TRL failed: OSError: no weights in base$"),
        ("raise SystemExit(3)", r"plain TRL failed: exit code 3, without a word$"),
        ("import os; os.kill(os.getpid(), 9)", r"plain TRL: its process was ended by SIGKILL\..*memory was short\."),
    ],
)
def test_a_process_that_fails_is_one_sentence(code: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=sentence):
        train.measured("plain TRL", [sys.executable, "-S", "-c", code], tmp_path / "record.json", {})


def test_a_base_that_is_no_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "--base", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"holds no model \(config\.json is missing\)\. Name the folder"):
        train.main()
