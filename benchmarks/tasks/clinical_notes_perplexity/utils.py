"""Notes of ACI-Bench's validation and first test split; experts read its training split only."""

from __future__ import annotations

from datasets import Dataset

from workbench.data.items import csv_items
from workbench.data.sources import path_of

FILES = {"validation": "valid.csv", "test": "clinicalnlp_taskB_test1.csv"}


def splits(**_: object) -> dict[str, Dataset]:
    """The visit notes of both splits, without their dialogues."""
    rows = {split: csv_items(path_of("aci-bench", file)) for split, file in FILES.items()}
    return {split: Dataset.from_list([_row(row) for row in rows[split]]) for split in rows}


def _row(row: dict[str, str]) -> dict[str, str]:
    return {"id": row["encounter_id"], "text": row["note"].strip()}
