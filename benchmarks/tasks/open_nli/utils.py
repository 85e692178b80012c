"""Open stand-in for MedNLI: Evidence Inference 2.0 (DeYoung et al. 2020), its prompts whose annotators agree.

The official splits, which share no article: all 204 test prompts, all 174 validation prompts, and as shots the first of
each label of the shuffled training prompts.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from datasets import Dataset

from workbench.data.items import json_items, require
from workbench.data.sources import path_of
from workbench.errors import UserError

LABELS = ("significantly increased", "significantly decreased", "no significant difference")
"""In the order of the task's choices."""
ASKED = ("evidence", "intervention", "comparator", "outcome")
COLUMNS = ("prompt_id", "pmcid", "split", "label", *ASKED)


def splits(**_: object) -> dict[str, Dataset]:
    """Test and validation prompts, and one training prompt of each label."""
    path = path_of("evidence-inference", "evidence_inference_v2.jsonl")
    prompts = json_items(path)
    require(path, prompts, COLUMNS, COLUMNS)
    rows = {split: [_row(p) for p in prompts if p["split"] == split] for split in ("train", "validation", "test")}
    train = rows.pop("train")
    random.Random(1).shuffle(train)
    first = {row["answer"]: row for row in reversed(train)}
    shots = [row for row in train if row is first[row["answer"]]]
    return {split: Dataset.from_list(chosen) for split, chosen in {**rows, "fewshot": shots}.items()}


def _row(prompt: dict[str, Any]) -> dict[str, Any]:
    """A prompt on one line a field; `answer` is the index of its choice. Raises UserError for an unknown label."""
    if prompt["label"] not in LABELS:
        raise UserError(
            f"evidence-inference: prompt '{prompt['prompt_id']}' has the label '{prompt['label']}'. "
            f"Known: {', '.join(LABELS)}."
        )
    texts = {key: " ".join(prompt[key].split()) for key in ASKED}
    return {"id": prompt["prompt_id"], "pmcid": prompt["pmcid"], **texts, "answer": LABELS.index(prompt["label"])}


def macro_f1(pairs: Iterable[tuple[int, int]]) -> float:
    """Mean over the three labels of the F1 of (gold, predicted) pairs; a label that nobody names has 0."""
    counted = list(pairs)
    return sum(_f1(label, counted) for label in range(len(LABELS))) / len(LABELS)


def _f1(label: int, pairs: list[tuple[int, int]]) -> float:
    right = sum(gold == predicted == label for gold, predicted in pairs)
    named = sum((gold == label) + (predicted == label) for gold, predicted in pairs)
    return 2 * right / named if named else 0.0
