"""MEDEC's MS texts: two shots from the validation set, its 572 others for validation, the 597 labelled ones as test."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from datasets import Dataset

from workbench.data.items import Item, csv_items, require, split, wrong
from workbench.data.sources import path_of
from workbench.scoring.corrections import NO_ERROR, NOTHING, Finding, correction_scores, detection_scores

VALIDATION = "MEDEC-MS-ValidationSet-with-GroundTruth-and-ErrorType.csv"
TEST = "MEDEC-MS-TestSet-with-GroundTruth-and-ErrorType.csv"
COLUMNS = ("Text ID", "Sentences", "Error Flag", "Error Sentence ID", "Corrected Sentence")
SHOTS = 2

NUMBERED = re.compile(r"^(\d+) ", re.MULTILINE)
ANSWER = re.compile(r"^\s*([01])[ \t]+(-?\d+)(?:[ \t]+(.*))?$", re.MULTILINE)


def splits(**_: object) -> dict[str, Dataset]:
    """Shots, validation and test. Raises UserError for a text whose gold labels do not fit it or each other."""
    validation, test = (path_of("medec-ms", file) for file in (VALIDATION, TEST))
    parts = split(validation, read(validation), SHOTS, at_least=0)
    rows = {"fewshot": parts["fewshot"], "validation": parts["test"], "test": read(test)}
    return {name: Dataset.from_list(texts) for name, texts in rows.items()}


def read(path: Path) -> list[Item]:
    """The texts of one file. Rows without any entry are left out: 328 in the test file, none in the validation file."""
    items = [item for item in csv_items(path) if any((field or "").strip() for field in item.values())]
    require(path, items, COLUMNS, filled=COLUMNS)
    return [_text(path, at, item) for at, item in enumerate(items, 1)]


def _text(path: Path, at: int, item: Item) -> Item:
    """One text: its numbered sentences, their ids, the one with the error (-1 for none) and its correction (or NA)."""
    sentences = "\n".join(line.rstrip() for line in item["Sentences"].splitlines() if line.strip())
    ids = [int(number) for number in NUMBERED.findall(sentences)]
    flag, gold, corrected = item["Error Flag"], item["Error Sentence ID"], " ".join(item["Corrected Sentence"].split())
    fits = gold in map(str, ids) and corrected != NOTHING if flag == "1" else (flag, gold) == ("0", str(NO_ERROR))
    if not fits:
        raise wrong(
            path,
            at,
            f"'Error Flag' {flag} and 'Error Sentence ID' {gold} do not fit its sentences or its correction. "
            "Use the file as published.",
        )
    return {
        "id": item["Text ID"],
        "sentences": sentences,
        "sentence_ids": ids,
        "error_sentence": int(gold),
        "corrected": corrected if flag == "1" else NOTHING,
    }


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    return detection_scores(doc["error_sentence"], results[0], doc["sentence_ids"])


def process_correction(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    gold = Finding(doc["error_sentence"] != NO_ERROR, doc["error_sentence"], doc["corrected"])
    return {**correction_scores(gold, finding(results[0])), "empty": float(not results[0].strip())}


def finding(generation: str) -> Finding | None:
    """The first line of the form "1 10 Corrected sentence." or "0 -1 NA"; None when there is none."""
    found = ANSWER.search(generation)
    return Finding(found[1] == "1", int(found[2]), (found[3] or "").strip(' "')) if found else None
