"""`workbench overlap` on a tiny project whose corpora are given, one of them with an item of the test suite in it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny

from workbench.data.example import Example, Format
from workbench.data.formats import FORMATS
from workbench.errors import DataMissing
from workbench.ids import Plain
from workbench.plan import Plan, plan
from workbench.provenance import capture
from workbench.records import ScoreRow, plain
from workbench.scoring.items import items_of
from workbench.specs.project import load_run
from workbench.store import Store

Command = Callable[..., Any]
NOTES, CODES = 1, 2  # the seeds by which the tiny experts read the same corpus


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_project(tmp_path_factory.mktemp("overlap") / "project").parents[1]


@pytest.fixture
def project(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project as working directory. Expert notes has read the first test item of mini_nli, codes has not."""
    root = tiny.copy(small, tmp_path / "project")
    monkeypatch.chdir(root)
    item = json.loads((root / "benchmarks" / "tasks" / "mini_nli" / "test.jsonl").read_text().splitlines()[0])
    read = {NOTES: [Example("", f"Overheard: {item['premise'].upper()}")], CODES: [Example("Code A00:", " Cholera")]}
    assert len(item["premise"].split()) >= 13
    monkeypatch.setitem(FORMATS, ("icd10cm", "code_lines"), Format(lambda seed: read[seed]))
    return root


def planned(root: Path) -> Plan:
    return plan(load_run(root / "merges" / "small.yaml"))


def scored(root: Path, model: str) -> list[float]:
    """Commit a score of mini_nli's four asked test items for one model; their results."""
    found, store = planned(root), Store(root / "runs")
    step = next(one for one in found.board if one.name == model).scores["test"]
    results = [1.0, 0.0, 1.0, 0.0]
    items = items_of(root / "benchmarks" / "tasks", ["mini_nli"])["mini_nli"]
    row = ScoreRow(model, f"id-{model}", "mini_nli", "1", "acc", 0.5, 0.289, 4, 0, "test", True, True)
    lines = [
        {"task": "mini_nli", "doc_hash": doc_hash, "filter": "none", "acc": acc}
        for (doc_hash, _), acc in zip(items, results, strict=False)
    ]
    with store.writing(step.kind, step.name, step.id) as temp:
        (temp / "scores.json").write_text(json.dumps([plain(row)]))
        (temp / "items.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        store.commit(temp, step.kind, step.name, step.id, step.spec, capture())
    return results


def record(root: Path) -> Plain:
    return json.loads((root / "runs" / "small" / "overlap.json").read_text())


def test_items_that_an_expert_has_read_are_counted_in_its_column(project: Path, workbench: Command) -> None:
    said = workbench("overlap", "small")
    assert (said.code, said.err) == (0, "")
    lines = [line.split() for line in said.out.splitlines()]
    assert ["task", "role", "items", "notes", "codes"] in lines
    assert ["mini_nli", "validation", "30", "0", "0"] in lines
    # By hand: the premise has 26 words, so 14 runs; the item with hypothesis, label and specialty 34 words, so 22.
    assert "mini_nli test 40 1 (2.5 %), at most 64 % of one 0" in said.words
    assert "knowledge recall" not in said.words  # there is no icd10cm task here
    assert "unavailable (test): meqsum: meqsum/MeQSum_ACL2019" in said.words
    found = record(project)
    [shared] = [one for one in found["overlaps"] if one["shared"]]
    assert (shared["expert"], shared["task"], shared["role"], shared["items"]) == ("notes", "mini_nli", "test", 40)
    assert [item["item"] for item in shared["shared"]] == ["nli-t-001"]
    assert found["scores"] == []


def test_scores_are_shown_with_and_without_shared_items(project: Path, workbench: Command) -> None:
    for model in ("base", "codes"):
        assert scored(project, model) == [1.0, 0.0, 1.0, 0.0]
    said = workbench("overlap", "small")
    # By hand: without its first item 0, 1, 0: mean 1/3, standard error sqrt(1/3 / 3) = 1/3.
    for model in ("base", "codes"):
        assert f"mini_nli test {model} acc 0.500 ± 0.289 4 0.333 ± 0.333 3" in said.words
    scores = record(project)["scores"]
    assert [(s["model"], s["clean_n"], s["clean_value"]) for s in scores] == [
        ("base", 3, pytest.approx(1 / 3)),
        ("codes", 3, pytest.approx(1 / 3)),
    ]

    board = workbench("board", "small")  # of the baseline and the chosen model alone, and nothing is chosen yet
    assert board.code == 0
    assert "Overlap with training corpora" in board.words
    assert "notes 1 of 70 items of 1 task shares 13 words in a row with what it read" in board.words
    assert (
        "- **mini_nli (test)**: 1 of 40 items shared (notes 1, at most 64 % of one). "
        "base: 0.333 ± 0.333 on the 3 other items (0.500 ± 0.289 on all 4)\n"
    ) in (project / "runs" / "small" / "leaderboard.md").read_text()


def test_a_board_before_the_comparison_says_nothing_of_overlap(project: Path, workbench: Command) -> None:
    scored(project, "base")
    assert "Overlap" not in workbench("board", "small").out


def test_what_is_compared_once_is_kept_until_corpora_or_tasks_change(
    project: Path, workbench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = workbench("overlap", "small")
    monkeypatch.setattr("workbench.data.overlap.Index.of", lambda *_: pytest.fail("read again"))
    again = workbench("overlap", "small")
    assert again.out == first.out
    items = project / "benchmarks" / "tasks" / "mini_nli" / "test.jsonl"
    items.write_text(items.read_text().replace("nli-t-002", "nli-t-902"))
    with pytest.raises(pytest.fail.Exception, match="read again"):
        workbench("overlap", "small")


def test_corpora_that_are_not_here_are_named_and_never_counted_as_clean(
    project: Path, workbench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(seed: int) -> list[Example]:
        if seed in absent:
            raise DataMissing("x/y.csv is not on this machine.")
        return [Example("", "Cholera")]

    monkeypatch.setitem(FORMATS, ("icd10cm", "code_lines"), Format(read))
    absent = {NOTES, CODES}
    said = workbench("overlap", "small")
    assert (said.code, said.out, said.err) == (2, "", "x/y.csv is not on this machine.\n")
    absent = {CODES}
    said = workbench("overlap", "small")
    assert said.code == 0
    assert ["task", "role", "items", "notes"] in [line.split() for line in said.out.splitlines()]
    assert "not compared: codes: x/y.csv is not on this machine." in said.words
