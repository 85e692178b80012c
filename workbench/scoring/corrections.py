"""MEDEC (Ben Abacha et al. 2024): is there an error in a text, in which sentence, and how is that sentence put right?

As in the scripts of MEDIQA-CORR 2024, with two differences: BLEURT is left out of the composite, and ROUGE-1 and
BERTScore are this package's own (rouge_score, and the model of `bertscore_model` without rescaling).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from workbench.scoring.metrics import METRICS

NO_ERROR = -1
"""The sentence id that says that no sentence holds an error."""

NOTHING = "NA"
"""The correction that says that there is nothing to correct."""

MARKUP = re.compile(r"[*_`\"'\u201c\u201d]")
INTEGER = re.compile(r"(?<![\w./-])-?\d+(?!\w|[./-]\w)")  # not the 24 of "24-year-old", nor either part of 102/73
WORDS_BEFORE = r"(?:(?:the|error|sentence|answer|id|is)\b[\s:#]*)*"
OPENING = re.compile(rf"{WORDS_BEFORE}(-?\d+)(?!\w|[./-]\w)(?!\s*(?:,|and|or)\s*-?\d)", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """What is said of one text: whether it holds an error, in which sentence (-1: none), and what that should be."""

    error: bool
    sentence: int
    correction: str = NOTHING

    @property
    def nothing_to_correct(self) -> bool:
        """Without an error there is no correction, whatever is offered as one."""
        return not self.error or self.correction == NOTHING


def sentence_id(generation: str, ids: Collection[int]) -> int | None:
    """The answer to "the Sentence ID, or -1": one of `ids`, -1, or None when it is neither or cannot be told.

    The first line with an integer counts. An integer that opens it is the answer, for models repeat the sentence
    behind its id; otherwise it must hold exactly one ("There is an error in sentence 5.").
    """
    lines = MARKUP.sub("", generation).replace("\u2212", "-").splitlines()
    line = next((line.strip() for line in lines if INTEGER.search(line)), "")
    opening = OPENING.match(line)
    found = {int(number) for number in ([opening[1]] if opening else INTEGER.findall(line))}
    return answer if len(found) == 1 and ((answer := found.pop()) in ids or answer == NO_ERROR) else None


def detection_scores(gold: int, generation: str, ids: Collection[int]) -> dict[str, float]:
    """What an lm-eval `process_results` returns for one answer that is to be a sentence id or -1 (CLUE+).

    `sentence_accuracy` is the paper's score. `flag_accuracy` asks only whether an error is seen where there is one.
    """
    answer = sentence_id(generation, ids)
    return {
        "sentence_accuracy": float(answer == gold),
        "flag_accuracy": float(answer is not None and (answer == NO_ERROR) == (gold == NO_ERROR)),
        "unparsable": float(answer is None),
        "empty": float(not generation.strip()),
    }


def correction_scores(
    gold: Finding, predicted: Finding | None, metrics: Sequence[str] = ("rouge1", "bertscore")
) -> dict[str, float]:
    """All parts of MEDIQA-CORR 2024 for one text: flag, sentence, and the correction by each metric and their mean.

    None is an answer that could not be read: it scores 0 throughout and stays in the mean. `composite` averages over
    texts to the script's AggregateC, `corrected_rouge1` to its R1FC.
    """
    corrected = {f"corrected_{name}": _corrected(gold, predicted, name) for name in metrics}
    return {
        "flag_accuracy": float(predicted is not None and predicted.error == gold.error),
        "sentence_accuracy": float(predicted is not None and predicted.sentence == gold.sentence),
        **corrected,
        "composite": sum(corrected.values()) / len(corrected),
        "unparsable": float(predicted is None),
    }


def _corrected(gold: Finding, predicted: Finding | None, metric: str) -> float:
    """The script's rule for NA: 1 where both have nothing to correct, 0 where only one has, else the metric."""
    if predicted is None or predicted.nothing_to_correct != gold.nothing_to_correct:
        return 0.0
    return 1.0 if gold.nothing_to_correct else METRICS[metric](gold.correction, predicted.correction)
