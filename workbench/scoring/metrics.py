"""Scores of one text against one reference, by name, and the per-item scores of a generated answer.

ROUGE is F1 (Lin 2004) as in HF `evaluate`'s default: lower-cased, split at everything but a-z and 0-9, no stemming.
All values lie in 0..1.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

from rouge_score.rouge_scorer import RougeScorer

from workbench.errors import UserError
from workbench.scoring.bertscore import bertscore_f1
from workbench.scoring.concepts import concept_f1
from workbench.scoring.token_overlap import bigram_precision, token_f1, unigram_precision


@functools.cache
def _scorer(rouge: str, stemmed: bool) -> RougeScorer:
    return RougeScorer([rouge], use_stemmer=stemmed)


def _f1(rouge: str, reference: str, prediction: str, stemmed: bool = False) -> float:
    return float(_scorer(rouge, stemmed).score(reference, prediction)[rouge].fmeasure)


def rouge1_f1(reference: str, prediction: str) -> float:
    """F1 of the words that both texts share, counted with repeats; 0 when either text has no word."""
    return _f1("rouge1", reference, prediction)


def rouge2_f1(reference: str, prediction: str) -> float:
    """F1 of the pairs of neighbouring words that both texts share; 0 when either text has fewer than two words."""
    return _f1("rouge2", reference, prediction)


def rougeL_f1(reference: str, prediction: str) -> float:
    """F1 of the longest common subsequence of words of the two texts, each taken as one sequence."""
    return _f1("rougeL", reference, prediction)


def rougeL_stemmed_f1(reference: str, prediction: str) -> float:
    """`rougeL_f1` of words cut to their Porter stems, as in MedSwin's benchmark."""
    return _f1("rougeL", reference, prediction, stemmed=True)


METRICS: Mapping[str, Callable[[str, str], float]] = {
    "rouge1": rouge1_f1,
    "rouge2": rouge2_f1,
    "rougeL": rougeL_f1,
    "rougeL_stemmed": rougeL_stemmed_f1,
    "bertscore": bertscore_f1,
    "concept_f1": concept_f1,
    "token_f1": token_f1,
    "unigram_precision": unigram_precision,
    "bigram_precision": bigram_precision,
}
"""Each takes (reference, prediction). `bertscore` and `concept_f1` load their model or dictionary when first called."""


def generation_scores(reference: str, generation: str, metrics: Sequence[str] = ("rouge1",)) -> dict[str, float]:
    """What an lm-eval `process_results` returns for one generated answer: the named scores, and `empty`.

    With more than one name there is also their mean, `composite` (CLUE's score of a summary or an answer). An empty
    generation scores 0 and stays in the mean, so that silence never pays; `empty` is 1 for it, so that the mean of
    `empty` tells how much of a low score is silence. Raises UserError for a metric not in METRICS and for a reference
    without a letter or digit.
    """
    if unknown := [name for name in metrics if name not in METRICS]:
        raise UserError(f"unknown metric '{unknown[0]}'. Known: {', '.join(METRICS)}.")
    if not any(character.isalnum() for character in reference):
        raise UserError(f"the reference {reference!r} has no word, so nothing can be scored against it. Mend the data.")
    scores = {name: METRICS[name](reference, generation) for name in metrics}
    composite = {"composite": sum(scores.values()) / len(scores)} if len(scores) > 1 else {}
    return {**scores, **composite, "empty": float(not generation.strip())}
