"""Which of the offered answers a generation gives; None when it cannot be told, which scores 0 and is counted."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

LONG_HEALTH = re.compile(r"The correct answer is (\w):")
ARTICLE = re.compile(r"(\A|[.!?\n])[\s\"'*]*A(?= (?!and\b|or\b)[a-z])")  # "A chest film", but not "A or B"


def named_once(label: str, generation: str) -> bool:
    """CLUE's rule for MedNLI: the gold label occurs exactly once, in any case, whatever else is said.

    "Neutral or contradiction" is so right for both: `label_of` is the parse that does not know the gold label.
    """
    return generation.upper().count(label.upper()) == 1


def label_of(generation: str, labels: Sequence[str]) -> str | None:
    """The one label that a generation names, once, in any case; None when it names no label, several, or one twice."""
    counts = {label: generation.upper().count(label.upper()) for label in labels}
    named = [label for label, n in counts.items() if n]
    return named[0] if len(named) == 1 and counts[named[0]] == 1 else None


def letter_of(generation: str, letters: str = "ABCDE") -> str | None:
    """The option letter that a generated answer gives: "B", "b)", "(B) Asthma", "The answer is B.", "**B**".

    The first of these that is there decides, and the answer is None if it is there with different letters: a letter
    that opens the answer and has a mark or the line's end behind it; one behind "answer", "answer is", "option" or
    "choice"; a capital letter that stands alone, save the article that opens a sentence ("A chest film").
    """
    opening, named, alone = _patterns(letters)
    for pattern, text in ((opening, generation), (named, generation), (alone, ARTICLE.sub(r"\1", generation))):
        if found := {letter.upper() for letter in pattern.findall(text)}:
            return found.pop() if len(found) == 1 else None
    return None


@functools.cache
def _patterns(letters: str) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    capital, any_case = f"[{letters}]", f"[{letters}{letters.lower()}]"
    before, after = r"[\s(\[*\"'`]*", r"(?=[)\].:*\"'`]|[^\S\n]*(?:\n|\Z))"
    behind = rf"(?i:\b(?:answer|option|choice)(?: is)?)\s*[:=]?{before}"
    return (
        re.compile(rf"\A{before}({any_case}){after}"),
        re.compile(rf"{behind}({capital}\b|{any_case}{after})"),
        re.compile(rf"(?<![\w'-])({capital})(?![\w'-])"),
    )


def long_health_letter(generation: str) -> str | None:
    """LongHealth's answer as CLUE reads it: the one character X of the first "The correct answer is X:"."""
    found = LONG_HEALTH.search(generation)
    return found[1] if found else None
