"""Searches within a run, on tiny models: raced and exhaustive, drawn and plain, resumed, failing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tiny
import yaml

from workbench.errors import WorkbenchError
from workbench.plan import Plan, Step, plan
from workbench.run import Walk, walk
from workbench.specs.project import load_run
from workbench.store import Store

SEARCH = {
    "merge_method": "ties",
    "models": {"each": "experts"},
    "space": {"weight": {"low": 0.2, "high": 1.5, "each": True}, "density": [0.3, 1.0]},
    "budget": 4,
    "seed": 1,
    "out_dtype": "float32",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run file of a tiny project with one task that is at hand."""
    return tiny.save_one_task_project(tmp_path_factory.mktemp("search") / "project")


def planned(project: Path, limit: int = 8, select: dict[str, Any] | None = None, **changes: Any) -> Plan:
    return plan(load_run(tiny.searching(project, {"found": {**SEARCH, **changes}}, limit, select)))


def step_of(planned: Plan, kind: str) -> Step:
    return next(step for step in planned.steps if step.kind == kind and step.name == "found")


def walked(planned: Plan, runs: Path) -> Walk:
    done = walk(planned, Store(runs))
    assert [(end.step.name, end.reason) for end in done.failures()] == []
    return done


def found(planned: Plan, done: Walk) -> dict[str, Any]:
    return dict(done.context[step_of(planned, "search").id].json("found.json"))


def test_a_search_is_run_its_best_candidate_merged_scored_and_eligible(project: Path, tmp_path: Path) -> None:
    asked = planned(project)
    done = walked(asked, tmp_path)
    record = found(asked, done)
    assert [one["number"] for one in record["tried"]] == [0, 1, 2, 3]
    assert set(record["baselines"]) == {"linear", *(f"task_arithmetic, weight {w}" for w in ("0.5", "1", "1.5"))}
    scored = next(one for one in asked.board if one.name == "found")
    [row] = done.context[scored.scores["validation"].id].json("scores.json")
    assert row["value"] == pytest.approx(record["score"]), "what the live model scored, the checkpoint scores"
    recipe = yaml.safe_load((done.context[scored.model.id].path / "recipe.yaml").read_text())
    assert recipe["merge_method"] == record["recipe"]["merge_method"]
    selection = done.context[asked.select.id].json("selection.json")
    assert {selection["model"], *(one["model"] for one in selection["rejected"])} == {"sum", "found"}


def test_a_second_walk_does_nothing(project: Path, tmp_path: Path) -> None:
    walked(planned(project), tmp_path)
    again = walked(planned(project), tmp_path)
    assert {end.outcome for end in again.ended} == {"skipped"}


def test_a_larger_budget_goes_on_with_what_was_tried(project: Path, tmp_path: Path) -> None:
    first = planned(project)
    before = found(first, walked(first, tmp_path))
    more = planned(project, budget=6)
    after = found(more, walked(more, tmp_path))
    assert step_of(more, "search").id != step_of(first, "search").id
    assert after["tried"][:4] == before["tried"]
    assert len(after["tried"]) == 6


def test_without_racing_every_candidate_answers_everything(project: Path, tmp_path: Path) -> None:
    asked = planned(project, race=False)
    record = found(asked, walked(asked, tmp_path))
    assert {one["state"] for one in record["tried"]} == {"scored"}
    assert record["asked"] == record["exhaustive"] == 4 * 8


def test_racing_asks_less_and_keeps_the_scores_of_those_it_takes_to_the_end(project: Path, tmp_path: Path) -> None:
    whole, raced = planned(project, 24, race=False), planned(project, 24)
    exhaustive = found(whole, walked(whole, tmp_path / "whole"))
    record = found(raced, walked(raced, tmp_path / "raced"))
    values = {tuple(one["point"].values()): one["values"] for one in exhaustive["tried"]}
    same = [one for one in record["tried"] if one["state"] == "scored" and tuple(one["point"].values()) in values]
    assert same
    assert all(one["values"] == pytest.approx(values[tuple(one["point"].values())]) for one in same)
    assert record["asked"] <= exhaustive["asked"]


HALVED = {"sampler": "grid", "budget": 8, "space": {"weight": {"values": [0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.3, 1.6]}}}


def test_candidates_side_by_side_cost_their_budget_at_most(project: Path, tmp_path: Path) -> None:
    whole = planned(project, 24, **HALVED, race=False)
    halved = planned(project, 24, **HALVED, race={"mode": "halving", "budget": 0.5})
    exhaustive = found(whole, walked(whole, tmp_path / "whole"))
    record = found(halved, walked(halved, tmp_path / "halved"))
    assert record["asked"] <= 0.5 * exhaustive["asked"]
    states = [one["state"] for one in record["tried"]]
    assert (len(states), set(states)) == (8, {"scored", "stopped"})
    values = {tuple(one["point"].values()): one["values"] for one in exhaustive["tried"]}
    scored = [one for one in record["tried"] if one["state"] == "scored"]
    assert all(one["values"] == pytest.approx(values[tuple(one["point"].values())]) for one in scored)
    assert record["score"] == max([*(one["values"][0] for one in scored), *record["baselines"].values()])
    [kept] = (tmp_path / "halved" / "searches").glob("*/race.json")
    rounds = json.loads(kept.read_text())["rounds"]
    assert [len(one["comparisons"]) for one in rounds] == sorted(
        (len(one["comparisons"]) for one in rounds), reverse=True
    )
    assert len(rounds[-1]["comparisons"]) == len(scored)


def test_of_candidates_side_by_side_those_that_are_no_merge_are_recorded(project: Path, tmp_path: Path) -> None:
    space = {"weight": {"values": [0.5]}, "density": {"values": [0.4, 0.9]}, "gamma": {"values": [0.3]}}
    asked = planned(
        project, merge_method="breadcrumbs", space=space, sampler="grid", budget=2, race={"mode": "halving"}
    )
    record = found(asked, walked(asked, tmp_path))
    assert sorted(one["state"] for one in record["tried"]) == ["failed", "scored"]


def test_side_by_side_nobody_can_be_scored(project: Path, tmp_path: Path) -> None:
    space = {"weight": {"values": [1e39, 2e39]}}
    asked = planned(
        project, merge_method="task_arithmetic", space=space, sampler="grid", budget=2, race={"mode": "halving"}
    )
    record = found(asked, walked(asked, tmp_path))
    assert [one["state"] for one in record["tried"]] == ["failed", "failed"]
    assert "None of the 2 candidates could be scored" in record["tried"][0]["reason"]
    assert record["name"] in record["baselines"]


def test_only_what_is_known_at_the_start_races_side_by_side(project: Path) -> None:
    with pytest.raises(WorkbenchError, match="'mode: halving' takes candidates that are all known at the start"):
        planned(project, race={"mode": "halving"})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"race": {"mode": "strict", "risk": 0.1}}, "'mode: strict' does not read 'risk' (it is for approximate and h"),
        ({"race": {"mode": "halving", "alpha": 0.1}}, "'mode: halving' does not read 'alpha' (it is for strict)"),
        ({"race": {"budget": 0.3}}, "'mode: approximate' does not read 'budget' (it is for halving)"),
        ({**HALVED, "minutes": 5, "race": {"mode": "halving"}}, "ends with its 'budget': take 'minutes' away"),
        (
            {"sampler": "nsga2", "objectives": ["mean", "letters"], "race": {"first": 0.2}},
            "with several objectives every candidate is asked every item: take 'race' away",
        ),
    ],
)
def test_no_setting_of_a_race_is_passed_over(project: Path, given: dict[str, Any], expected: str) -> None:
    with pytest.raises(WorkbenchError, match=re.escape(expected)):
        planned(project, **given)


def test_a_method_that_draws_is_ranked_by_the_mean_of_its_draws(project: Path, tmp_path: Path) -> None:
    asked = planned(project, merge_method="dare_linear", race=False, budget=2, baselines=False)
    record = found(asked, walked(asked, tmp_path))
    assert all(one["spread"] is not None for one in record["tried"])
    assert record["recipe"]["seed"] == 1000, "the first draw, not the luckiest"
    names = sorted(path.name for path in (tmp_path / "answers").iterdir() if path.suffix == ".sqlite")
    assert len(names) >= 3 * 2


def test_a_candidate_that_is_no_merge_is_recorded_and_the_search_goes_on(project: Path, tmp_path: Path) -> None:
    space = {"weight": [0.2, 1.5], "density": {"values": [0.9]}, "gamma": {"values": [0.5]}}
    asked = planned(project, merge_method="breadcrumbs", space=space, budget=2)
    record = found(asked, walked(asked, tmp_path))
    assert [one["state"] for one in record["tried"]] == ["failed", "failed"]
    assert "gamma (0.5) and density (0.9) add up to more than 1" in record["tried"][0]["reason"]
    assert record["name"] in record["baselines"], "what has to be beaten was not"


def test_a_merge_that_is_no_number_is_recorded_with_its_tensor(project: Path, tmp_path: Path) -> None:
    space = {"weight": {"values": [1e39, 0.5]}}
    asked = planned(project, merge_method="task_arithmetic", space=space, sampler="grid", budget=2)
    record = found(asked, walked(asked, tmp_path))
    [failed] = [one for one in record["tried"] if one["state"] == "failed"]
    assert failed["point"] == {"weight": 1e39}
    assert "model." in failed["reason"]
    assert {one["state"] for one in record["tried"]} != {"failed"}


def test_two_processes_run_one_search(project: Path, tmp_path: Path) -> None:
    file = planned(project, budget=12, race=False).declared.file
    words = [sys.executable, "-m", "workbench", "run", str(file), "--runs", str(tmp_path)]
    processes = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
    said = [process.communicate(timeout=500)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    asked = planned(project, budget=12, race=False)
    record = found(asked, walked(asked, tmp_path))
    assert [one["number"] for one in record["tried"]] == list(range(12))
    assert {one["state"] for one in record["tried"]} == {"scored"}


def test_a_search_whose_rule_nobody_meets_says_so(project: Path, tmp_path: Path) -> None:
    asked = planned(project, limit=8, select={"at_least": {"datasets_gained": 2}})
    done = walk(asked, Store(tmp_path))
    [failure] = [end for end in done.failures() if end.step.kind == "search"]
    assert failure.reason.startswith("none of the 4 candidates tried meets 'select': 4 answered every item and break")
    assert "of 1 tasks; the rule asks for at least 2" in failure.reason


def test_a_search_that_scores_nothing_says_why(project: Path, tmp_path: Path) -> None:
    space = {"weight": [0.2, 1.5], "density": {"values": [0.9]}, "gamma": {"values": [0.5]}}
    asked = planned(project, merge_method="breadcrumbs", space=space, budget=2, baselines=False)
    done = walk(asked, Store(tmp_path))
    [failure] = done.failures()
    assert failure.reason.startswith("no candidate of the search could be scored. The first: ")
    assert not (tmp_path / "store" / "search").exists() or not list((tmp_path / "store" / "search").glob("found-*"))


def test_a_search_reads_no_test_item(project: Path, tmp_path: Path) -> None:
    asked = planned(project)
    step = step_of(asked, "search")
    assert json.dumps(step.spec).count("mini_nli_validation") == 1
    tests = {scored.scores["test"].id for scored in asked.board}
    assert tests.isdisjoint(step.inputs)


def test_the_dtype_of_candidates_is_that_of_scoring(project: Path) -> None:
    with pytest.raises(WorkbenchError, match=r"'out_dtype' \(bfloat16\) and the score's 'dtype' \(float32\) must be"):
        planned(project, out_dtype="bfloat16")
