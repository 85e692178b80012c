"""Question-answer pairs that the user had made of the impressions of MEDIQA 2021 task 3, shuffled as CLUE shuffles."""

from __future__ import annotations

from datasets import Dataset

from workbench.data.items import Item, json_items, require, split
from workbench.data.sources import path_of
from workbench.scoring.metrics import generation_scores

COLUMNS = ("findings", "question", "answer")
SHOTS = 3


def splits(at_least: int = 0, **_: object) -> dict[str, Dataset]:
    """Shots and test items. Raises UserError for an item without findings, a question or an answer."""
    path = path_of("rrs-qa", "rrs_qa.jsonl")
    items = json_items(path)
    require(path, items, COLUMNS, filled=COLUMNS)
    rows = [_row(at, item) for at, item in enumerate(items, 1)]
    return {name: Dataset.from_list(part) for name, part in split(path, rows, SHOTS, at_least).items()}


def _row(at: int, item: Item) -> Item:
    """A report's study_id, if it is kept, with the line, as a report has several questions; else the line."""
    name = f"{item['study_id']}-{at}" if "study_id" in item else str(at)
    return {"id": name} | {column: item[column] for column in COLUMNS}


def process_results(doc: dict[str, str], results: list[str]) -> dict[str, float]:
    return generation_scores(doc["answer"], results[0])
