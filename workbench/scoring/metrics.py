"""ROUGE F1 of one text against one reference (Lin 2004), and the per-item scores of a generated answer.

As in HF `evaluate`'s default: lower-cased, split at everything but a-z and 0-9, no stemming. All values lie in 0..1.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from rouge_score.rouge_scorer import RougeScorer


@functools.cache
def _scorer(rouge: str) -> RougeScorer:
    return RougeScorer([rouge], use_stemmer=False)


def _f1(rouge: str, reference: str, prediction: str) -> float:
    return float(_scorer(rouge).score(reference, prediction)[rouge].fmeasure)


def rouge1_f1(reference: str, prediction: str) -> float:
    """F1 of the words that both texts share, counted with repeats; 0 when either text has no word."""
    return _f1("rouge1", reference, prediction)


def rouge2_f1(reference: str, prediction: str) -> float:
    """F1 of the pairs of neighbouring words that both texts share; 0 when either text has fewer than two words."""
    return _f1("rouge2", reference, prediction)


def rougeL_f1(reference: str, prediction: str) -> float:
    """F1 of the longest common subsequence of words of the two texts, each taken as one sequence."""
    return _f1("rougeL", reference, prediction)


ROUGE = {"rouge1": rouge1_f1, "rouge2": rouge2_f1, "rougeL": rougeL_f1}


def generation_scores(reference: str, generation: str, rouge: Sequence[str] = ("rouge1",)) -> dict[str, float]:
    """What an lm-eval `process_results` returns for one generated answer: the named ROUGE scores, and `empty`.

    An empty generation scores 0 and stays in the mean, so that silence never pays; `empty` is 1 for it, so that
    the mean of `empty` tells how much of a low score is silence.
    """
    return {**{name: ROUGE[name](reference, generation) for name in rouge}, "empty": float(not generation.strip())}
