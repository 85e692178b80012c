"""MeQSum in the order that CLUE shuffles it into; CLUE's three shots are its first items, far from both splits here."""

from __future__ import annotations

import random

import openpyxl
from datasets import Dataset

from workbench.data.sources import path_of
from workbench.scoring.metrics import generation_scores

ROUGE = ("rouge1", "rouge2", "rougeL")


def splits(**_: object) -> dict[str, Dataset]:
    """The last 150 of the 1,000 shuffled items as test, the 100 before them as validation."""
    book = openpyxl.load_workbook(path_of("meqsum", "MeQSum_ACL2019_BenAbacha_Demner-Fushman.xlsx"), read_only=True)
    rows = list(book.active.iter_rows(min_row=2, max_col=3, values_only=True))
    book.close()
    items = [{"file": file, "CHQ": question, "Summary": summary} for file, question, summary in rows]
    random.Random(1).shuffle(items)  # the order of CLUE's random.seed(1); random.shuffle(items)
    return {"validation": Dataset.from_list(items[-250:-150]), "test": Dataset.from_list(items[-150:])}


def process_results(doc: dict[str, str], results: list[str]) -> dict[str, float]:
    return generation_scores(doc["Summary"], results[0], ROUGE)
