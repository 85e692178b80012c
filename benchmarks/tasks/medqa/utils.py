"""MedQA's US test questions with four options, in upstream's order."""

from __future__ import annotations

from datasets import Dataset

from workbench.data.exams import medqa
from workbench.data.sources import path_of


def splits(**_: object) -> dict[str, Dataset]:
    """The 1,273 test questions. Raises UserError for an item that cannot be asked."""
    return {"test": Dataset.from_list(medqa(path_of("mirage", "medqa_us_4opt_test.jsonl")))}


def answers(row: dict[str, list[str]]) -> list[str]:
    """The options as the cloze form scores them."""
    return [f"Answer: {option}" for option in row["options"]]
