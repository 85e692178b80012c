"""What a document says, in the forms in which task data about it is held against it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.data.generated.numbers import Quantity, quantities
from workbench.data.grams import words

RUN = 8
"""Words of a run that two texts seldom share by chance."""

FUNCTION_WORDS = frozenset(
    words(
        """
        a about above after again all also although among an and any are as at be because been before being below
        between both but by can could did do does during each for from further had has have having he her here his
        how if in into is it its may might more most must no nor not of off on once only or other our out over own
        per same shall she should so some such than that the their them then there these they this those through to
        too under until up upon very was we were what when where whether which while who whom whose why will with
        within without would yes you your
        """
    )
)
"""English words that carry no content of a document."""

_ENDINGS = ("ies", "ing", "ed", "es", "s", "e", "y")


@dataclass(frozen=True)
class Grounds:
    """A document; all else is worked out once, when it is asked for."""

    text: str

    @functools.cached_property
    def words(self) -> list[str]:
        """Case-folded words."""
        return words(self.text)

    @functools.cached_property
    def runs(self) -> frozenset[tuple[str, ...]]:
        """All runs of RUN words."""
        return runs(self.words)

    @functools.cached_property
    def content(self) -> frozenset[str]:
        """Stems of the content words."""
        return frozenset(content_words(self.text))

    @functools.cached_property
    def quantities(self) -> frozenset[Quantity]:
        """Numbers with their units."""
        return quantities(self.text)

    @functools.cached_property
    def foreign_letters(self) -> float:
        """Share of the letters that are not ASCII."""
        letters = [c for c in self.text if c.isalpha()]
        return sum(not c.isascii() for c in letters) / len(letters) if letters else 0.0

    @functools.cached_property
    def _spaced(self) -> str:
        return f" {' '.join(self.words)} "

    def says(self, phrase: str) -> bool:
        """Whether the words of a phrase stand here one after the other."""
        return f" {' '.join(words(phrase))} " in self._spaced


def runs(found: Sequence[str]) -> frozenset[tuple[str, ...]]:
    """All runs of RUN words."""
    return frozenset(tuple(found[i : i + RUN]) for i in range(len(found) - RUN + 1))


def content_words(text: str) -> list[str]:
    """Stems of the words that are neither function words nor numbers, in order."""
    return [_stem(word) for word in words(text) if word not in FUNCTION_WORDS and not word.isnumeric()]


def _stem(word: str) -> str:
    """A word without its ending: `induces`, `induced` and `induce` are one. Four letters always stay."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) >= len(ending) + 4:
            return word[: -len(ending)]
    return word
