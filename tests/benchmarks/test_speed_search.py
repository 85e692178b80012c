"""The search benchmark: real commands on a tiny project agree with ours, and what fails is one sentence."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import tiny

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "speed"))

import command_loop
import search
import search_tables
from search_tables import ALL, LOOP, RACE

from workbench.specs.merge import MergeSpec

ROW = re.compile(rf"^({re.escape(LOOP)}|{re.escape(ALL)}|{re.escape(RACE)})  +(.+)$", re.MULTILINE)
SCORES = re.compile(r"^(ties|breadcrumbs|slerp)( .*?)  +([\d.]+)(?:  +([\d.]+)  +(\d+))? *$", re.MULTILINE)


def run(root: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.chdir(root)
    names = ("--base", "tiny", "--experts", "notes", "codes", "--runs", str(root / "runs"), "--dtype", "float32")
    tasks = ("--tasks", "mini_nli_validation", "--limit", "8")
    monkeypatch.setattr(sys, "argv", ["search.py", *names, *tasks, *arguments])
    search.main()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_project(tmp_path_factory.mktemp("searched")).parents[1]


def test_ours_and_the_loop_are_measured_on_the_same_candidates_and_agree(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = root / "made" / "search.json"
    run(root, monkeypatch, "--candidates", "3", "--loop-candidates", "1", "--seeds", "2", "--out", str(out))
    printed = capsys.readouterr().out
    rows = {kind: [float(cell) for cell in re.findall(r"([\d.]+)(?: \(\d+%\))?(?: |$)", cells)]
            for kind, cells in ROW.findall(printed)}  # fmt: skip
    assert list(rows) == [LOOP, ALL, RACE]
    for *stages, whole, cpu, an_hour, ratio, cpu_ratio in rows.values():
        assert len(stages) == 4
        assert all(seconds >= 0 for seconds in stages)
        assert cpu > 0
        assert sum(stages) == pytest.approx(whole, abs=0.03)
        assert an_hour == pytest.approx(3600 / whole, rel=0.02)
        assert ratio == pytest.approx(an_hour / rows[LOOP][-3], rel=0.02)
        assert cpu_ratio == pytest.approx(rows[LOOP][-4] / cpu, rel=0.02)
    scored = SCORES.findall(printed)
    assert [row[0] for row in scored] == ["ties", "breadcrumbs", "slerp"]
    assert scored[0][2] == scored[0][3]  # ours and the loop's
    assert "scores of 1: 0 of 8 items differ, a score by 0.00 points at most" in printed
    assert "The loop ran the first 1: its candidates an hour are from these." in " ".join(printed.split())
    record = json.loads(out.read_text())
    first = next(iter(record["recipes"]))
    assert record["loop"] == {first: record["ours"][first]}
    assert record["race"]["exhaustive"] == 24
    assert record["race"]["winner"] == search_tables.best(record["ours"])
    assert record["replay"]["races"] == 2
    assert record["conditions"]["items"] == {"mini_nli_validation": 8}
    assert list((root / "runs" / "speed").iterdir()) == []


def test_the_table_makes_different_recipes_of_four_methods() -> None:
    made = search.recipes(["a", "b"], 16, "bfloat16")
    assert len(made) == 16
    methods = [recipe["merge_method"] for recipe in made.values()]
    assert {method: methods.count(method) for method in methods} == {
        "ties": 4, "breadcrumbs": 4, "slerp": 4, "dare_ties": 4
    }  # fmt: skip
    for name, recipe in made.items():
        MergeSpec.model_validate(recipe)
        assert ("seed" in recipe) == name.startswith("dare_ties")
    assert [r["models"][0]["model"] for n, r in made.items() if n.startswith("slerp")] == ["a", "b", "a", "b"]


def test_the_run_of_the_median_total_counts() -> None:
    parts = [{"merge": 1.0, "score": 8.0}, {"merge": 2.0, "score": 3.0}, {"merge": 3.0, "score": 3.0}]
    found = search_tables.way(2, [search_tables.Run(seconds, 4.0) for seconds in parts])
    assert found.run.seconds == {"merge": 3.0, "score": 3.0}
    assert found.an_hour == 1200
    assert found.totals == (9.0, 5.0, 6.0)


VALUES = {"a": {"t": [1.0, 0.0], "u": [1.0]}, "b": {"t": [1.0, 1.0], "u": [1.0]}, "c": {"t": [0.0, 0.0], "u": [0.0]}}


@pytest.mark.parametrize(
    ("loop", "drawn", "line"),
    [
        (VALUES, [], "scores of 3: 0 of 9 items differ, a score by 0.00 points at most; the winner is the same, b"),
        (
            {"a": {"t": [1.0, 1.0], "u": [1.0]}, "b": {"t": [0.0, 1.0], "u": [1.0]}},
            [],
            "scores of 2: 2 of 6 items differ, a score by 25.00 points at most; the winner is b here and a in the "
            "loop, by 25.00 points there",
        ),
        (
            {"a": VALUES["a"], "b": {"t": [0.0, 0.0], "u": [0.0]}},
            ["b"],
            "scores of 1: 0 of 3 items differ, a score by 0.00 points at most; one candidate has no winner",
        ),
        ({"b": VALUES["b"]}, ["b"], "scores: nothing to compare, all candidates of the loop draw random numbers"),
    ],
)
def test_scores_and_winner_are_compared_where_nothing_is_drawn(
    loop: dict[str, dict[str, list[float]]], drawn: list[str], line: str
) -> None:
    assert search_tables.agreement(VALUES, loop, drawn) == line


def test_stages_are_told_by_what_a_command_prints() -> None:
    code = "import time; print('begin', flush=True); time.sleep(0.4); print('work\\rdone', flush=True); time.sleep(0.2)"
    (start_up, begun, done, never), cpu = command_loop.watched([sys.executable, "-c", code], ["begin", "done", "never"])
    assert start_up > 0
    assert begun >= 0.3
    assert done == 0
    assert never >= 0.1
    assert cpu > 0


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ([sys.executable, "-c", "raise OSError('disk full')"], r"^python\S* failed: OSError: disk full$"),
        ([sys.executable, "-c", "raise SystemExit(3)"], r"^python\S* failed: exit code 3, without a word$"),
        ([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], r"was ended by SIGKILL\..*memory was short\."),
        (["/no/such/mergekit-yaml", "x"], r"^mergekit-yaml cannot be started: .*Is it installed beside this Python\?"),
    ],
)
def test_a_command_that_fails_is_one_sentence(command: list[str], sentence: str) -> None:
    with pytest.raises(SystemExit, match=sentence):
        command_loop.watched(command)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--tasks", "mini_nil"), r"^unknown task 'mini_nil'\."),
        (("--experts", "notes", "notes"), r"^notes: a model named 'notes' is given already\."),
        (("--experts", "nobody"), r"^nobody: neither a folder with a config\.json nor declared in experts/\."),
    ],
)
def test_names_nobody_knows_are_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(SystemExit, match=sentence):
        run(root, monkeypatch, *arguments)
