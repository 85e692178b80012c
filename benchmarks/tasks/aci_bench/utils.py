"""ACI-Bench's visits: one training encounter as the shot, 20 for validation, the 120 of all three test sets."""

from __future__ import annotations

from datasets import Dataset

from workbench.data.items import Item, csv_items, require, split
from workbench.data.sources import path_of
from workbench.scoring.metrics import generation_scores

TRAIN, VALIDATION = "train.csv", "valid.csv"
TESTS = ("clinicalnlp_taskB_test1.csv", "clinicalnlp_taskC_test2.csv", "clef_taskC_test3.csv")
COLUMNS = ("encounter_id", "dialogue", "note")
SHOTS = 1
METRICS = ("rouge1", "rouge2", "rougeL")


def splits(**_: object) -> dict[str, Dataset]:
    """Shot, validation and test. Raises UserError for a visit without a dialogue or a note."""
    rows = {
        "fewshot": split(path_of("aci-bench", TRAIN), read(TRAIN), SHOTS, at_least=0)["fewshot"],
        "validation": read(VALIDATION),
        "test": [visit for file in TESTS for visit in read(file)],
    }
    return {name: Dataset.from_list(visits) for name, visits in rows.items()}


def read(file: str) -> list[Item]:
    """The visits of one file as {id, dialogue, note}, in its order."""
    path = path_of("aci-bench", file)
    items = csv_items(path)
    require(path, items, COLUMNS, filled=COLUMNS)
    return [
        {"id": item["encounter_id"], "dialogue": item["dialogue"].strip(), "note": item["note"].strip()}
        for item in items
    ]


def process_results(doc: dict[str, str], results: list[str]) -> dict[str, float]:
    scores = generation_scores(doc["note"], results[0], METRICS)
    return {name: scores[name] for name in (*METRICS, "empty")}  # their mean is no score of the paper
