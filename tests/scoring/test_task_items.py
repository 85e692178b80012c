"""The items of tasks as lm-eval asks them, and its hash of each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny

from workbench.errors import DataMissing
from workbench.scoring.items import items_of

GROUP = "group: both\ntask: [mini_nli, mini_question_summary_validation]\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two mini tasks, and a group of one's test form and the other's validation form."""
    copied = tiny.copy_tasks(tmp_path_factory.mktemp("items") / "tasks", "mini_nli", "mini_question_summary")
    (copied / "both.yaml").write_text(GROUP)
    return copied


def test_hashes_are_those_of_lm_evals_own_samples(folder: Path) -> None:
    name = "mini_question_summary_validation"  # its texts hold letters beyond ASCII
    found = simple_evaluate(
        model="dummy", tasks=[name], task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        log_samples=True, bootstrap_iters=0,
    )  # fmt: skip
    assert found is not None
    asked = [(sample["doc_hash"], sample["doc"]) for sample in found["samples"][name]]
    assert items_of(folder, [name])[name] == asked
    assert len(asked) == 30


def test_a_form_has_its_own_items_and_a_group_those_of_its_members(folder: Path) -> None:
    names = ["mini_nli", "mini_nli_validation", "mini_question_summary_validation", "both"]
    found = items_of(folder, names)
    assert list(found) == names
    assert [len(found[name]) for name in names] == [40, 30, 30, 70]
    assert found["both"] == found["mini_nli"] + found["mini_question_summary_validation"]
    assert {item["id"] for _, item in found["mini_nli"]}.isdisjoint(item["id"] for _, item in found[names[1]])


def test_a_task_without_its_data_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKBENCH_MIRROR", raising=False)
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    tasks = tiny.copy_tasks(tmp_path / "tasks", "meqsum")
    with pytest.raises(DataMissing, match="Run: workbench fetch meqsum"):
        items_of(tasks, ["meqsum"])
