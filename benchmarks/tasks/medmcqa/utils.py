"""MedMCQA's validation questions, in upstream's order."""

from __future__ import annotations

from datasets import Dataset

from workbench.data.exams import medmcqa
from workbench.data.sources import path_of


def splits(**_: object) -> dict[str, Dataset]:
    """The 4,183 questions of upstream's dev file. Raises UserError for an item that cannot be asked."""
    return {"test": Dataset.from_list(medmcqa(path_of("mirage", "medmcqa_dev.json")))}
