"""The test questions of one medical subject of MMLU, in upstream's order."""

from __future__ import annotations

from datasets import Dataset

from workbench.data.exams import mmlu
from workbench.data.sources import path_of


def splits(subject: str, **_: object) -> dict[str, Dataset]:
    """All test questions of a subject. Raises UserError for an item that cannot be asked."""
    return {"test": Dataset.from_list(mmlu(path_of("mirage", f"mmlu_{subject}_test.csv"), subject))}
