"""MedQuAD as MedSwin's benchmark draws it: all pairs with an answer shuffled by seed 13, the first 5,000 asked."""

from __future__ import annotations

from datasets import Dataset

from workbench.data.corpora.medquad import FILE, drawn
from workbench.data.sources import path_of
from workbench.scoring.metrics import generation_scores

SCORES = ("rougeL_stemmed", "bertscore", "token_f1", "unigram_precision", "bigram_precision")


def splits(**_: object) -> dict[str, Dataset]:
    """5,000 of the 16,346 pairs. A question may occur twice, with another answer."""
    return {"test": Dataset.from_list(drawn(path_of("medquad", FILE)))}


def process_results(doc: dict[str, str], results: list[str]) -> dict[str, float]:
    """MedSwin's five scores and `empty`; their mean, which it does not report, is left out."""
    scores = generation_scores(doc["answer"], results[0], SCORES)
    return {name: scores[name] for name in (*SCORES, "empty")}
