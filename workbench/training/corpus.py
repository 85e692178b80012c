"""The corpora of an expert as one seeded, budgeted list of examples, with what was read."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from workbench.data.catalogue import SOURCES
from workbench.data.example import Example
from workbench.data.formats import examples
from workbench.data.overlap import Index, without
from workbench.specs.models import Corpus


class Tokenizer(Protocol):
    """What is needed of a tokenizer: texts to lists of ids."""

    def __call__(self, text: list[str]) -> dict[str, list[list[int]]]:
        """Tokenise."""


@dataclass(frozen=True)
class CorpusCount:
    """What one corpus gave: documents and tokens after the budget, with its licence.

    `dropped` documents shared a run of words with a test item and were left out before the budget.
    """

    source: str
    format: str
    documents: int
    tokens: int
    licence: str
    attribution: str
    dropped: int = 0


@dataclass(frozen=True)
class Reading:
    """All examples an expert reads, shuffled by its seed, and the counts by corpus."""

    examples: tuple[Example, ...]
    counts: tuple[CorpusCount, ...]

    @property
    def tokens(self) -> int:
        """Tokens of one epoch, prompts included."""
        return sum(count.tokens for count in self.counts)


def read(corpora: Sequence[Corpus], tokenizer: Tokenizer, seed: int, test_items: Index | None = None) -> Reading:
    """Load every corpus, cut each to its token budget in its own order, then shuffle all of them together.

    What shares a run of words with `test_items` is left out before.
    """
    kept: list[Example] = []
    counts = []
    for corpus in corpora:
        found = [one for i in range(corpus.repeat) for one in examples(corpus.source, corpus.format, seed + i)]
        dropped = 0
        if test_items is not None:
            clean = without(found, test_items)
            found, dropped = list(clean.examples), clean.dropped
        lengths = [len(ids) for ids in tokenizer([e.text for e in found])["input_ids"]]
        used, tokens = _within(lengths, corpus.max_tokens)
        kept += found[:used]
        source = SOURCES[corpus.source]
        about = (source.licence, source.attribution)
        counts.append(CorpusCount(corpus.source, corpus.format, used, tokens, *about, dropped))
    random.Random(seed).shuffle(kept)
    return Reading(tuple(kept), tuple(counts))


def _within(lengths: Sequence[int], budget: int | None) -> tuple[int, int]:
    """(how many leading documents fit the budget, their tokens); at least one document."""
    total = 0
    for index, length in enumerate(lengths):
        if budget is not None and index and total + length > budget:
            return index, total
        total += length
    return len(lengths), total
