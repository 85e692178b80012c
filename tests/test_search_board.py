"""Searches on the board of a run of tiny models, and the files beside it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import tiny

from workbench.cli import main as cli

SEARCH = {"merge_method": "ties", "models": {"each": "experts"}, "budget": 3, "seed": 1, "out_dtype": "float32"}
SEARCHES = {
    "raced": {**SEARCH, "space": {"weight": {"low": 0.2, "high": 1.5, "each": True}}},
    "several": {
        **SEARCH,
        "space": {"weight": [0.2, 1.5]},
        "sampler": "nsga2",
        "objectives": ["mean", "mini_nli"],
        "baselines": False,
    },
}


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run with two searches on one task that is at hand."""
    return tiny.searching(tiny.save_one_task_project(tmp_path_factory.mktemp("search_board") / "project"), SEARCHES)


def test_a_run_tells_of_its_searches_and_keeps_their_candidates(
    run_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "_quiet_libraries", lambda: None)
    assert cli.run(["run", str(run_file), "--runs", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    [folder] = [path.parent for path in tmp_path.glob("*/leaderboard.md")]
    page = (folder / "leaderboard.md").read_text()
    for heading in ("Search raced: ties by tpe", "Search several: ties by nsga2", "Pareto front of several"):
        assert f"# {heading}" in page
        assert heading in said
    assert "Pareto front (mean, largest fall below base on a task): " in page
    assert "- **tried**: 3 candidates in " in page
    assert "- **baselines**: linear: " in page
    files = {name: folder / f"search-{name}.csv" for name in SEARCHES}
    assert all(f"wrote {path}" in said for path in files.values())
    axes = {"raced": {"weight of notes", "weight of codes"}, "several": {"weight", "mini_nli", "front"}}
    for name, path in files.items():
        rows = list(csv.DictReader(path.read_text().splitlines()))
        assert [row["number"] for row in rows] == ["0", "1", "2"]
        assert axes[name] <= rows[0].keys()
    rows = list(csv.DictReader(files["several"].read_text().splitlines()))
    assert {row["state"] for row in rows} == {"scored"}
    assert max(rows, key=lambda row: float(row["mean"]))["front"] == "yes"

    before = {path: path.read_text() for path in files.values()}
    for path in files.values():
        path.unlink()
    assert cli.run(["board", str(run_file), "--runs", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert all(f"wrote {path}" in said for path in files.values())
    assert {path: path.read_text() for path in files.values()} == before
    assert (folder / "leaderboard.md").read_text() == page
