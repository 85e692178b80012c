"""The suites name tasks, metrics and sources that exist, and their chance levels are right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import describe
import pytest
import yaml
from lm_eval.tasks import TaskManager

from workbench.data.catalogue import SOURCES
from workbench.data.sources import missing

SUITE_FOLDER = Path(__file__).parents[2] / "benchmarks" / "suites"

ROLES = {
    "clue_plus": "test",
    "clue_plus_open": "test",
    "clue_plus_open_short": "test",
    "domains_validation": "validation",
    "exams": "test",
    "icd10cm_levels": "test",
    "medswin": "test",
    "mini": "test",
    "mini_validation": "validation",
    "quick": "test",
    "quick_validation": "validation",
    "topics_validation": "validation",
}
PAPER = [
    "mednli", "pls", "meqsum", "longhealth", "medisumqa", "medisumcode", "rrs_qa", "medicationqa", "medec", "aci_bench",
    "sdoh", "icd10cm_clue",
]  # fmt: skip
"""The columns of the paper's tables 11 and 12, in their order."""


def suite(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((SUITE_FOLDER / f"{name}.yaml").read_text())
    return found


def test_these_are_all_suites() -> None:
    assert sorted(path.stem for path in (SUITE_FOLDER).glob("*.yaml")) == sorted(ROLES)


@pytest.mark.parametrize("name", ROLES)
def test_entries_fit_their_tasks(name: str, manager: TaskManager) -> None:
    assert {key: suite(name)[key] for key in ("kind", "role")} == {"kind": "suite", "role": ROLES[name]}
    for entry in suite(name)["tasks"]:
        assert entry["task"] == entry["name"] + ("_validation" if ROLES[name] == "validation" else "")
        found = manager.task_index[entry["task"]].cfg
        members = [manager.task_index[member].cfg for member in found["task"]] if "group" in found else [found]
        for declared in members:
            metric = next(m for m in declared["metric_list"] if m["metric"] == entry["metric"])
            assert entry.get("higher_is_better", True) == metric["higher_is_better"]
        assert entry.get("in_mean", True) == (entry["metric"] != "bits_per_byte")
        assert set(entry.get("sources", [])) <= SOURCES.keys()


@pytest.mark.parametrize("name", ROLES)
def test_a_suite_asks_for_the_sources_that_its_tasks_read(name: str) -> None:
    described = {items.task: items.sources for items in describe.ITEMS}
    for entry in suite(name)["tasks"]:
        of_group = entry["name"].rpartition("_")[0]
        read = described.get(entry["name"], described.get(of_group, ()))
        fetched = {source for source in read if SOURCES[source].files}
        assert set(entry.get("sources", [])) == fetched, entry["name"]


def test_clue_plus_has_the_paper_s_twelve_in_order_and_the_others_as_many() -> None:
    assert [entry["name"] for entry in suite("clue_plus")["tasks"]] == PAPER
    for name in ("clue_plus_open", "mini", "mini_validation", "topics_validation"):
        assert sum(entry.get("in_mean", True) for entry in suite(name)["tasks"]) == 12


def test_mini_validation_and_test_have_the_same_columns() -> None:
    columns = [[(e["name"], e["metric"]) for e in suite(name)["tasks"]] for name in ("mini", "mini_validation")]
    assert columns[0] == columns[1]


@pytest.mark.parametrize(
    ("part", "whole"),
    [("quick", "mini"), ("quick_validation", "mini_validation"), ("clue_plus_open_short", "clue_plus_open")],
)
def test_a_quicker_suite_is_a_part_of_the_whole(part: str, whole: str) -> None:
    some, every = suite(part)["tasks"], suite(whole)["tasks"]
    assert [entry for entry in every if entry in some] == some
    assert len(some) < len(every)


def asked(name: str) -> list[Any]:
    return [
        pytest.param(entry, id=entry["task"], marks=[
            pytest.mark.skipif(reason is not None, reason=str(reason))
            for reason in map(missing, entry.get("sources", []))
        ])
        for entry in suite(name)["tasks"]
    ]  # fmt: skip


@pytest.mark.parametrize("entry", [entry for name in ROLES for entry in asked(name)])
def test_chance_is_that_of_a_uniform_guess(entry: dict[str, Any], manager: TaskManager) -> None:
    tasks = manager.load(entry["task"])["tasks"].values()
    if any(task.config.output_type != "multiple_choice" for task in tasks):
        labelled = entry["name"] in ("mednli",)  # it generates one of three labels
        assert ("chance" in entry) == labelled
        return
    choices = [len(task.doc_to_choice(doc)) for task in tasks for doc in task.eval_docs]
    assert entry["chance"] == pytest.approx(sum(1 / n for n in choices) / len(choices), abs=6e-4)
