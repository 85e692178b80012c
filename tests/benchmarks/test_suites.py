"""The suites name tasks, metrics and sources that exist, and their chance levels are right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from lm_eval.tasks import TaskManager

from workbench.data.catalogue import SOURCES

SUITE_FOLDER = Path(__file__).parents[2] / "benchmarks" / "suites"

SUITES = ["mini_test", "mini_validation", "open_test", "open_validation"]
LEVELS = ("easy", "medium", "hard")


def suite(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((SUITE_FOLDER / f"{name}.yaml").read_text())
    return found


def test_these_are_all_suites() -> None:
    assert sorted(path.stem for path in (SUITE_FOLDER).glob("*.yaml")) == SUITES


@pytest.mark.parametrize("name", SUITES)
def test_entries_fit_their_tasks(name: str, manager: TaskManager) -> None:
    role = name.partition("_")[2]
    assert {key: suite(name)[key] for key in ("kind", "role")} == {"kind": "suite", "role": role}
    for entry in suite(name)["tasks"]:
        assert entry["task"] == entry["name"] + ("_validation" if role == "validation" else "")
        declared = manager.task_index[entry["task"]].cfg["metric_list"]
        metric = next(m for m in declared if m["metric"] == entry["metric"])
        assert entry.get("higher_is_better", True) == metric["higher_is_better"]
        assert entry.get("in_mean", True) == ("perplexity" not in entry["name"])
        assert entry.get("source", "meqsum") in SOURCES


@pytest.mark.parametrize("kind", ["mini", "open"])
def test_validation_and_test_have_the_same_columns(kind: str) -> None:
    columns = [[(e["name"], e["metric"]) for e in suite(f"{kind}_{role}")["tasks"]] for role in ("validation", "test")]
    assert columns[0] == columns[1]


@pytest.mark.parametrize("role", ["validation", "test"])
def test_open_adds_the_tasks_whose_data_is_fetched(role: str) -> None:
    mini, everything = suite(f"mini_{role}")["tasks"], suite(f"open_{role}")["tasks"]
    assert everything[: len(mini)] == mini
    sources = {entry["name"]: entry.get("source") for entry in everything[len(mini) :]}
    assert sources == {"meqsum": "meqsum", "pubmedqa": "pubmedqa", "clinical_notes_perplexity": "aci-bench"}


@pytest.mark.parametrize("name", SUITES)
def test_chance(name: str, manager: TaskManager) -> None:
    entries = {entry["name"]: entry for entry in suite(name)["tasks"]}
    detection = entries["mini_error_detection"]["task"]
    items = manager.load(detection)["tasks"][detection].eval_docs
    chance = {"mini_nli": 1 / 3, "pubmedqa": 1 / 3, **{f"icd10cm_{level}": 1 / 4 for level in LEVELS}}
    chance["mini_error_detection"] = sum(1 / (len(item["sentences"]) + 1) for item in items) / len(items)
    expected = {column: round(chance[column], 3) if column in chance else None for column in entries}
    assert {column: entry.get("chance") for column, entry in entries.items()} == expected
