"""MeDiSumQA's question-answer pairs; CLUE's one shot is the first item after the shuffle."""

from __future__ import annotations

from datasets import Dataset

from workbench.data.items import Item, json_items, require, split
from workbench.data.sources import path_of
from workbench.scoring.metrics import generation_scores

LETTERS = ("discharge_summary", "without_discharge_summary")
"""The letter without the instructions that the answers come from: in CLUE's evaluation, and in its builder's output."""

SHOTS = 1
METRICS = ("rougeL", "rouge1", "rouge2", "bertscore", "concept_f1")


def splits(at_least: int = 0, **_: object) -> dict[str, Dataset]:
    """Shot and test items. Raises UserError for an item without a letter, a question or an answer."""
    path = path_of("medisumqa", "MeDiSumQA.json")
    items = json_items(path)
    letter = next((name for name in LETTERS if items and name in items[0]), LETTERS[0])
    columns = (letter, "Question", "Answer")
    require(path, items, columns, filled=columns)
    rows = [_row(at, item, letter) for at, item in enumerate(items, 1)]
    return {name: Dataset.from_list(part) for name, part in split(path, rows, SHOTS, at_least).items()}


def _row(at: int, item: Item, letter: str) -> Item:
    """A note has several questions, so that its id alone would not tell the items apart."""
    name = f"{item['note_id']}-{at}" if "note_id" in item else str(at)
    return {"id": name, "letter": item[letter], "question": item["Question"], "answer": item["Answer"]}


def process_results(doc: dict[str, str], results: list[str]) -> dict[str, float]:
    return generation_scores(doc["answer"], results[0], METRICS)
