"""MedicationQA's raw pairs, shuffled as CLUE shuffles: the first three are the shots, the others the test set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import openpyxl
from datasets import Dataset

from workbench.data.items import Item, require, split
from workbench.data.sources import path_of
from workbench.scoring.metrics import generation_scores

FILE = "MedInfo2019-QA-Medications.xlsx"
COLUMNS = ("Question", "Answer")
SHOTS = 3
MAX_WORDS = 200
"""An excerpt longer than this is a page, not an answer: ROUGE-1 against it would measure length."""


def splits(**_: object) -> dict[str, Dataset]:
    """Shots and test items of the 663 pairs that `kept` leaves of 690. Raises UserError for an empty side."""
    path = path_of("medicationqa", FILE)
    return {name: Dataset.from_list(part) for name, part in split(path, kept(read(path)), SHOTS, at_least=0).items()}


def read(path: Path) -> list[Item]:
    """The rows of the spreadsheet as {id, question, answer}; the id is the row's number, white space is one space."""
    book = openpyxl.load_workbook(path, read_only=True)
    header, *rows = book.active.iter_rows(values_only=True)
    book.close()
    items = [dict(zip(header, row, strict=False)) for row in rows]
    require(path, items, COLUMNS, filled=COLUMNS)
    return [
        {
            "id": f"medicationqa-{number}",
            "question": " ".join(item["Question"].split()),
            "answer": " ".join(item["Answer"].split()),
        }
        for number, item in enumerate(items, start=2)
    ]


def kept(items: Sequence[Item]) -> list[Item]:
    """The items without exact repeats (1 of 690) and without answers of more than MAX_WORDS words (26)."""
    distinct: dict[tuple[str, str], Item] = {}
    for item in items:
        distinct.setdefault((item["question"], item["answer"]), item)
    return [item for item in distinct.values() if len(item["answer"].split()) <= MAX_WORDS]


def process_results(doc: dict[str, str], results: list[str]) -> dict[str, float]:
    return generation_scores(doc["answer"], results[0])
