"""MedNLI's published test file; CLUE's three shots are its first items after the shuffle."""

from __future__ import annotations

from pathlib import Path

from datasets import Dataset

from workbench.data.items import Item, json_items, require, split, wrong
from workbench.data.sources import path_of
from workbench.scoring.choices import label_of, named_once

LABELS = ("entailment", "neutral", "contradiction")
COLUMNS = ("sentence1", "sentence2", "gold_label")
SHOTS = 3


def splits(at_least: int = 0, **_: object) -> dict[str, Dataset]:
    """Shots and test items. Raises UserError for an item without a text or with another label than LABELS."""
    path = path_of("mednli", "mli_test_v1.jsonl")
    items = json_items(path)
    require(path, items, COLUMNS, filled=COLUMNS)
    rows = [_row(path, at, item) for at, item in enumerate(items, 1)]
    return {name: Dataset.from_list(part) for name, part in split(path, rows, SHOTS, at_least).items()}


def _row(path: Path, at: int, item: Item) -> Item:
    if item["gold_label"] not in LABELS:
        raise wrong(
            path, at, f"gold_label '{item['gold_label']}' is none of {', '.join(LABELS)}. Use the file as published."
        )
    return {"id": str(item.get("pairID", at))} | {column: item[column] for column in COLUMNS}


def process_results(doc: dict[str, str], results: list[str]) -> dict[str, float]:
    found = label_of(results[0], LABELS)
    return {
        "acc": float(named_once(doc["gold_label"], results[0])),
        "acc_parsed": float(found == doc["gold_label"]),
        "unparsable": float(found is None),
        "empty": float(not results[0].strip()),
    }
