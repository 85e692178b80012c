"""The scoring benchmark: rows are numbers, and answers that differ are no result."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "speed"))

import score

ROW = re.compile(r"^(mini_nli_validation|icd10cm_easy_validation)  +([\de., -]+)$", re.MULTILINE)


def run(model: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    tasks = ("--tasks", "mini_nli_validation", "icd10cm_easy_validation")
    given = ("--model", str(model), *tasks, "--limit", "3", "--repeats", "2", "--device", "cpu", *arguments)
    monkeypatch.setattr(sys, "argv", ["score.py", *given])
    score.main()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_model(tmp_path_factory.mktemp("timed") / "model")


def test_ours_and_hflm_are_measured_on_the_same_items(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(model, monkeypatch, "--batch-sizes", "2", "4")
    printed = capsys.readouterr().out
    rows = {name: [float(cell) for cell in cells.split()] for name, cells in ROW.findall(printed)}
    assert list(rows) == ["mini_nli_validation", "icd10cm_easy_validation"]
    for items, ours, theirs, batch, ratio, cpu_ratio, nats, choices in rows.values():
        assert (items, choices) == (3, 0)
        assert batch in (2, 4)
        assert ratio == pytest.approx(ours / theirs, rel=0.05)
        assert cpu_ratio > 0
        assert nats <= score.APART
    (mean,) = re.findall(r"geometric mean of the ratios ([\d.]+)", printed)
    ratios = [row[4] for row in rows.values()]
    assert float(mean) == pytest.approx((ratios[0] * ratios[1]) ** 0.5, abs=0.02)


def test_answers_that_differ_are_no_result(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loglikelihood = score.PackedScorer.loglikelihood

    def wrong(scorer: score.PackedScorer, *arguments: object, **options: object) -> score.Answers:
        return [(number - 0.01, best) for number, best in loglikelihood(scorer, *arguments, **options)]

    monkeypatch.setattr(score.PackedScorer, "loglikelihood", wrong)
    with pytest.raises(SystemExit, match=r"^mini_nli_validation: answers differ, by up to 0\.01 nats, in 0 best texts"):
        run(model, monkeypatch, "--batch-sizes", "4")


def test_what_is_apart_is_counted() -> None:
    requests = [SimpleNamespace(doc_id=doc, args=(f"question {doc}", option)) for doc in (0, 1) for option in "ab"]
    ours = [(-1.0, True), (-2.0, False), (-3.0, False), (-2.5, False)]
    theirs = [(-1.5, True), (-2.0, False), (-2.0, True), (-2.5, False)]
    assert score.apart(requests, ours, ours) == (0.0, 0, 0)
    assert score.apart(requests, ours, theirs) == (1.0, 1, 1)
