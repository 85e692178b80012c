"""Guessers that know nothing: they take the option that stands out in a feature of its surface."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from workbench.data.topics.item import Item
from workbench.data.topics.words import word_set

Feature = Callable[[str, frozenset[str]], float]
"""Of an option, given the words of its context and question."""

FEATURES: dict[str, Feature] = {
    "length": lambda option, asked: float(len(option)),
    "shared words": lambda option, asked: float(len(word_set(option) & asked)),
    "share of words shared": lambda option, asked: len(word_set(option) & asked) / max(len(word_set(option)), 1),
}


def values(option: str, asked: frozenset[str]) -> tuple[float, ...]:
    """The features of an option, in the table's order."""
    return tuple(feature(option, asked) for feature in FEATURES.values())


def credit(right: float, wrong: Sequence[float], sign: int) -> float:
    """What the guesser of the highest value (sign 1) or the lowest (-1) scores on an item; ties are split evenly."""
    others = [sign * value for value in wrong]
    if any(value > sign * right for value in others):
        return 0.0
    return 1 / (1 + others.count(sign * right))


def accuracy(items: Sequence[Item], feature: str, sign: int = 1) -> float:
    """Accuracy of a guesser over items, 0 to 1: the longest option is ("length", 1), the shortest ("length", -1)."""
    scores = []
    for item in items:
        asked = word_set(item.asked)
        found = [FEATURES[feature](option, asked) for option in item.options]
        right = found.pop(item.answer)
        scores.append(credit(right, found, sign))
    return sum(scores) / len(scores)
