"""MeQSum in the order that CLUE shuffles it into: its first three items are the shots, the other 997 the test set."""

from __future__ import annotations

from pathlib import Path

import openpyxl
from datasets import Dataset

from workbench.data.items import Item, require, split
from workbench.data.sources import path_of
from workbench.scoring.metrics import generation_scores

FILE = "MeQSum_ACL2019_BenAbacha_Demner-Fushman.xlsx"
COLUMNS = ("File", "CHQ", "Summary")
SHOTS = 3
METRICS = ("rougeL", "rouge1", "rouge2", "bertscore")


def splits(**_: object) -> dict[str, Dataset]:
    """Shots and test items. Raises UserError for an item without a name, a question or a summary."""
    path = path_of("meqsum", FILE)
    rows = [{"id": item["File"], "CHQ": item["CHQ"], "Summary": item["Summary"].strip()} for item in read(path)]
    return {name: Dataset.from_list(part) for name, part in split(path, rows, SHOTS, at_least=0).items()}


def read(path: Path) -> list[Item]:
    """The rows of the spreadsheet, by column. Most of its columns have neither name nor content."""
    book = openpyxl.load_workbook(path, read_only=True)
    header, *rows = book.active.iter_rows(values_only=True)
    book.close()
    items = [{name: cell for name, cell in zip(header, row, strict=False) if name} for row in rows]
    require(path, items, COLUMNS, filled=COLUMNS)
    return items


def process_results(doc: dict[str, str], results: list[str]) -> dict[str, float]:
    return generation_scores(doc["Summary"], results[0], METRICS)
