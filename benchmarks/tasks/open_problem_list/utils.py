"""Open stand-in for PLS: a visit note of ACI-Bench without its assessment and plan, and the problems named there.

Test items come from test1 to test3 (118 of 120 notes: the first three in CLUE's order are the shots, 115 are asked),
validation items from valid (19 of 20). Left out are the notes whose assessment names no problem apart: D2N075 and
D2N181 are prose, D2N096 has none. The train split is a training corpus and not read.
"""

from __future__ import annotations

import random

from datasets import Dataset

from workbench.data.encounters import HELD_OUT, aci_notes, problems_of
from workbench.scoring.metrics import generation_scores

SHOTS = 3
METRICS = ("rougeL", "rouge1", "rouge2", "bertscore", "concept_f1")
ASSESSMENT = frozenset({"ASSESSMENT AND PLAN", "ASSESSMENT", "IMPRESSION", "PLAN", "ORDERS", "INSTRUCTIONS"})


def splits(**_: object) -> dict[str, Dataset]:
    """CLUE's rule: the first three of the shuffled test items are the shots of both forms."""
    test = items("test")
    random.Random(1).shuffle(test)
    chosen = {"fewshot": test[:SHOTS], "test": test[SHOTS:], "validation": items("validation")}
    return {split: Dataset.from_list(rows) for split, rows in chosen.items()}


def items(role: str) -> list[dict[str, str]]:
    """Every note of the role's splits that names its problems, in the files' order."""
    named = [(note, problems_of(note)) for split in HELD_OUT[role] for note in aci_notes(split)]
    return [{"id": n.id, "note": n.without(ASSESSMENT), "problems": "; ".join(found)} for n, found in named if found]


def process_results(doc: dict[str, str], results: list[str]) -> dict[str, float]:
    return generation_scores(doc["problems"], results[0], METRICS)
