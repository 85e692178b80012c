"""The test notes of BioNLP 2023 task 1A; CLUE's three shots are its first items after the shuffle."""

from __future__ import annotations

from datasets import Dataset

from workbench.data.items import Item, csv_items, require, split
from workbench.data.sources import path_of
from workbench.scoring.metrics import generation_scores

COLUMNS = ("File ID", "Subjectives", "Assessment", "Summary")
SHOTS = 3
METRICS = ("rougeL", "rouge1", "rouge2", "bertscore", "concept_f1")


def splits(at_least: int = 0, **_: object) -> dict[str, Dataset]:
    """Shots and test items. Raises UserError for an item without a column or without a summary."""
    path = path_of("pls", "BioNLP2023-1A-Test.csv")
    items = csv_items(path)
    require(path, items, COLUMNS, filled=["Summary"])
    rows = [_row(item) for item in items]
    return {name: Dataset.from_list(part) for name, part in split(path, rows, SHOTS, at_least).items()}


def _row(item: Item) -> Item:
    """Problems separated by commas, as CLUE has them, which means to drop a last ";" but leaves a comma for it."""
    problems = (problem.strip() for problem in item["Summary"].split(";"))
    return {
        "id": item["File ID"],
        "subjective": item["Subjectives"],
        "assessment": item["Assessment"],
        "summary": ", ".join(problem for problem in problems if problem),
    }


def process_results(doc: dict[str, str], results: list[str]) -> dict[str, float]:
    return generation_scores(doc["summary"], results[0], METRICS)
