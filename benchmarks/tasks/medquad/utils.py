"""MedQuAD as MedSwin's benchmark draws it: all pairs with an answer shuffled by seed 13, the first 5,000 asked."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from datasets import Dataset

from workbench.data.items import json_items, require
from workbench.data.sources import path_of
from workbench.scoring.metrics import generation_scores

SEED, MAX_ITEMS = 13, 5_000
SCORES = ("rougeL_stemmed", "bertscore", "token_f1", "unigram_precision", "bigram_precision")


def splits(**_: object) -> dict[str, Dataset]:
    """5,000 of the 16,346 pairs. A question may occur twice, with another answer."""
    return {"test": Dataset.from_list(drawn(path_of("medquad", "medquad.jsonl")))}


def drawn(path: Path) -> list[dict[str, Any]]:
    """Rows {id, question, answer}, runs of white space as one space; ids count the file's lines.

    Raises UserError, naming the file and the item, for a pair without a question or an answer.
    """
    items = json_items(path)
    require(path, items, ("question", "answer"), filled=("question", "answer"))
    rows = [
        {"id": f"medquad-{at}", **{key: " ".join(item[key].split()) for key in ("question", "answer")}}
        for at, item in enumerate(items, 1)
    ]
    random.Random(SEED).shuffle(rows)
    return rows[:MAX_ITEMS]


def process_results(doc: dict[str, str], results: list[str]) -> dict[str, float]:
    """MedSwin's five scores and `empty`; their mean, which it does not report, is left out."""
    scores = generation_scores(doc["answer"], results[0], SCORES)
    return {name: scores[name] for name in (*SCORES, "empty")}
