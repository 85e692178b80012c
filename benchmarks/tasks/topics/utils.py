"""The questions of a topic as a data set, and what their builders need of the other task folders."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

from datasets import Dataset

from workbench.data.topics.item import Item
from workbench.data.topics.material import Material
from workbench.data.topics.table import items

TASKS = Path(__file__).parents[1]


def splits(topic: str, **_: object) -> dict[str, Dataset]:
    """A topic's one split. lm-eval passes the task's metadata and model arguments along; they are ignored."""
    return {"validation": Dataset.from_list([_row(item) for item in items(topic, Material(TASKS, tested_codes))])}


def _row(item: Item) -> dict[str, object]:
    return {
        "id": item.id,
        "source": item.source,
        "context": item.context,
        "question": item.question,
        "options": list(item.options),
        "answer": item.answer,
    }


@functools.cache
def tested_codes() -> frozenset[str]:
    """The codes that the tests of the icd10cm tasks ask about, in whatever form."""
    spec = importlib.util.spec_from_file_location("icd10cm_utils", TASKS / "icd10cm" / "utils.py")
    assert spec is not None
    assert spec.loader is not None
    icd10cm = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(icd10cm)
    draws = (icd10cm.drawn(), icd10cm.clue_drawn(), icd10cm.held_out_drawn())
    tests = (asked for draw in draws for (split, _level), asked in draw.items() if split == "test")
    return frozenset(question.code for asked in tests for question in asked)


def answers(row: dict[str, list[str]]) -> list[str]:
    """The options as the cloze form scores them."""
    return [f"Answer: {option}" for option in row["options"]]
