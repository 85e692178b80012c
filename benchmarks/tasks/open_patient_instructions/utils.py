"""Open stand-in for MeDiSumQA: a visit note of ACI-Bench without its INSTRUCTIONS section, and that section.

Test items are the 64 notes of test1 to test3 that have the section: the first in CLUE's order is the shot, 63 are
asked. Validation items are the 11 of valid. The train split is a training corpus and not read.
"""

from __future__ import annotations

import random

from datasets import Dataset

from workbench.data.encounters import HELD_OUT, aci_notes
from workbench.scoring.metrics import generation_scores

SHOTS = 1
METRICS = ("rougeL", "rouge1", "rouge2", "bertscore", "concept_f1")
SECTION = "INSTRUCTIONS"


def splits(**_: object) -> dict[str, Dataset]:
    """CLUE's rule: the first of the shuffled test items is the shot of both forms."""
    test = items("test")
    random.Random(1).shuffle(test)
    chosen = {"fewshot": test[:SHOTS], "test": test[SHOTS:], "validation": items("validation")}
    return {split: Dataset.from_list(rows) for split, rows in chosen.items()}


def items(role: str) -> list[dict[str, str]]:
    """Every note of the role's splits with instructions, in the files' order; these on one line."""
    notes = [note for split in HELD_OUT[role] for note in aci_notes(split) if note.section(SECTION)]
    return [
        {"id": n.id, "note": n.without({SECTION}), "instructions": " ".join(n.section(SECTION).split())} for n in notes
    ]


def process_results(doc: dict[str, str], results: list[str]) -> dict[str, float]:
    return generation_scores(doc["instructions"], results[0], METRICS)
