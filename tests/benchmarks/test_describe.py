"""The table of tasks in benchmarks/README.md is what the tasks are."""

from __future__ import annotations

from pathlib import Path

import describe
import pytest
from lm_eval.tasks import TaskManager

from workbench.data.catalogue import SOURCES
from workbench.data.sources import missing

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FORMS = [
    pytest.param(
        items.task + form,
        count,
        id=items.task + form,
        marks=[
            pytest.mark.skipif(reason is not None, reason=str(reason))
            for reason in (missing(source) for source in items.sources)
        ],
    )
    for items in describe.ITEMS
    for form, count in (("", items.test), ("_validation", items.validation))
    if count is not None
]


def test_the_page_holds_today_s_table() -> None:
    assert describe.page() == (BENCHMARKS / "README.md").read_text(encoding="utf-8")


def test_every_task_is_described_once(manager: TaskManager) -> None:
    rows = [name for items in describe.ITEMS for name in (items.task, items.task + "_validation")]
    members = {
        str(member)
        for name in manager.all_groups
        for member in (manager.task_index[name].cfg or {}).get("task", [])
        if name in rows
    }
    assert len({items.task for items in describe.ITEMS}) == len(describe.ITEMS)
    assert set(manager.all_tasks) - set(rows) - members == set()
    assert {items.task for items in describe.ITEMS if items.test is not None} <= set(manager.all_tasks)
    assert {source for items in describe.ITEMS for source in items.sources} <= SOURCES.keys()


@pytest.mark.parametrize(("task", "count"), FORMS)
def test_as_many_items_as_the_table_says(task: str, count: int, manager: TaskManager) -> None:
    assert sum(len(one.eval_docs) for one in manager.load(task)["tasks"].values()) == count
