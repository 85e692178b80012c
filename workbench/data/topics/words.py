"""Words, stems and likeness of short texts: what the builders compare."""

from __future__ import annotations

import functools
import re

ALIKE = 0.8
"""From this Jaccard index of words on, two texts count as near-identical."""

_FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and any are as at be by can do due for from had has have he her his i in into is it its may my "
        "no nor not of on or other our she so some such than that the their these this to type unspecified "
        "was were what when which who with without you your",
    )
)


@functools.cache
def words(text: str) -> tuple[str, ...]:
    """Lower-case runs of letters and digits."""
    return tuple(re.findall(r"[a-z0-9]+", text.lower()))


@functools.cache
def word_set(text: str) -> frozenset[str]:
    """The distinct words of a text."""
    return frozenset(words(text))


@functools.cache
def stems(text: str) -> frozenset[str]:
    """First five letters of the words that carry meaning: "arterial" and "arteries" are one."""
    return frozenset(word[:5] for word in words(text) if word not in _FUNCTION_WORDS)


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard index of two sets; 1.0 for two empty ones."""
    return len(one & other) / len(one | other) if one | other else 1.0


def alike(one: str, other: str) -> bool:
    """Whether two texts are near-identical."""
    return likeness(word_set(one), word_set(other)) >= ALIKE
