"""ICD-10-CM codes in a generated text, and what CLUE measures of them (MeDiSumCode; Dada et al. 2024).

CLUE's pattern, made a little wider: any case, the chapter U (COVID-19), and the categories with a letter in third place
(C4A, Z3A). Codes are sets here: in CLUE a right code that is repeated raises the exact-match precision.
All values lie in 0..1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

CODE = re.compile(r"\b([A-Z][0-9][0-9AB]|QA0)(?:\.?([0-9A-Z]{1,4}))?\b")


def codes_of(text: str) -> tuple[str, ...]:
    """The codes that a text names, as "E11.9", each once and in order of first mention, whether they exist or not."""
    found = CODE.findall(text.upper())
    return tuple(dict.fromkeys(f"{category}.{rest}" if rest else category for category, rest in found))


def categories_of(codes: Iterable[str]) -> frozenset[str]:
    """The three-character categories of the codes: E11 of E11.9."""
    return frozenset(code[:3] for code in codes)


def em_f1(gold: Iterable[str], predicted: Iterable[str]) -> float:
    """Exact-match F1 of two sets of codes; 0 when they share none, so also when either is empty."""
    one, other = frozenset(gold), frozenset(predicted)
    return 2 * len(one & other) / (len(one) + len(other)) if one & other else 0.0


def category_f1(gold: Iterable[str], predicted: Iterable[str]) -> float:
    """F1 of the two sets of three-character categories (CLUE's approximate match); 0 when they share none."""
    return em_f1(categories_of(gold), categories_of(predicted))


def valid_rate(predicted: Iterable[str]) -> float:
    """Share of the codes that ICD-10-CM has, headings such as E11 included; 0 for no code, as in CLUE."""
    import simple_icd_10_cm as icd  # reads its tables for seconds: only when a code is asked about

    codes = frozenset(predicted)
    return sum(icd.is_valid_item(code) for code in codes) / len(codes) if codes else 0.0


def code_scores(gold: Iterable[str], generation: str) -> dict[str, float]:
    """What an lm-eval `process_results` returns for one generated list of codes.

    `composite` is the mean of `em_f1`, `category_f1` and `valid`, which is MeDiSumCode's score in CLUE. A generation
    without a code scores 0 in all and stays in the mean; `unparsable` is 1 for it, and `empty` if it is silent too.
    """
    wanted, predicted = codes_of(" ".join(gold)), codes_of(generation)
    parts = {
        "em_f1": em_f1(wanted, predicted),
        "category_f1": category_f1(wanted, predicted),
        "valid": valid_rate(predicted),
    }
    composite = sum(parts.values()) / len(parts)
    return {
        **parts,
        "composite": composite,
        "unparsable": float(not predicted),
        "empty": float(not generation.strip()),
    }
