"""The corpora of an expert as one seeded, budgeted list of examples, with what was read and what was left out."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from workbench.data.deidentify import Policy, without_identifiers
from workbench.data.deidentify_names import names_if_asked
from workbench.data.duplicates import distinct
from workbench.data.example import Example
from workbench.data.grams import Index
from workbench.data.overlap import without
from workbench.data.reading import AnyCorpus, about, held_out_of, in_order
from workbench.errors import UserError
from workbench.specs.models import Clean, ExpertSpec


class Tokenizer(Protocol):
    """What is needed of a tokenizer: texts to lists of ids."""

    def __call__(self, text: list[str]) -> dict[str, list[list[int]]]:
        """Tokenise."""


@dataclass(frozen=True)
class CorpusCount:
    """What one corpus gave: documents and tokens after the budget, with its licence.

    Counted before the budget: `dropped` documents that share a run of words with a test item, `copies` of another
    document, and `identifying` documents; `replaced` counts spans that could identify a patient, by kind.
    """

    source: str
    format: str
    documents: int
    tokens: int
    licence: str
    attribution: str
    dropped: int = 0
    copies: int = 0
    identifying: int = 0
    replaced: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """All examples an expert reads, shuffled by its seed; the corpus of each, by its place in `counts`; the counts."""

    examples: tuple[Example, ...]
    origins: tuple[int, ...]
    counts: tuple[CorpusCount, ...]

    def of(self, corpora: Sequence[str] | None) -> list[Example]:
        """The examples of the corpora that a pass names, by source or by source/format; of all without names."""
        if corpora is None:
            return list(self.examples)
        wanted = [not {count.source, f"{count.source}/{count.format}"}.isdisjoint(corpora) for count in self.counts]
        return [one for one, origin in zip(self.examples, self.origins, strict=True) if wanted[origin]]

    @property
    def tokens(self) -> int:
        """Tokens of one epoch of plain reading, prompts included."""
        return sum(count.tokens for count in self.counts)


def read(
    spec: ExpertSpec,
    home: Path,
    tokenizer: Tokenizer,
    test_items: Index | None = None,
    kept: Sequence[Example] = (),
) -> Reading:
    """Load every corpus, clean it, cut it to its token budget in its own order, then shuffle all of them together.

    Files are looked up from the folder `home`. What shares a run of words with `test_items` is left out; where copies
    are dropped, so are those of `kept` documents, which no training reads. Raises UserError for a corpus that holds
    nothing, or nothing that may be read.
    """
    corpora = [_Read(corpus, in_order(corpus, home, spec.seed)) for corpus in spec.corpora]
    for one in corpora:
        one.leave_out(test_items)
    if spec.clean and spec.clean.duplicates:
        # Held-out documents come first, so that a near copy of one is not read either.
        found = distinct([*kept, *(e for one in corpora for e in one.examples)])
        first = {id(example) for example in found.examples}
        for one in corpora:
            one.leave_out_copies(first)
    if spec.clean:
        for one in corpora:
            one.screen(spec.clean)
    read: list[tuple[int, Example]] = []
    counts: list[CorpusCount] = []
    for one in corpora:
        one.mix(spec.seed)
        again = [in_order(one.corpus, home, spec.seed + i) for i in range(1, one.corpus.repeat)]
        every = [*one.examples, *(e for order in again for e in one.as_kept(order))]
        lengths = [len(ids) for ids in tokenizer([e.text for e in every])["input_ids"]] if every else []
        used, tokens = _within(lengths, one.corpus.max_tokens)
        if not used:
            raise UserError(
                f"corpus '{about(one.corpus).source}' holds no document that may be read. Take it out, or look into it."
            )
        read += [(len(counts), example) for example in every[:used]]
        counts.append(one.count(used, tokens))
    random.Random(spec.seed).shuffle(read)
    return Reading(tuple(example for _, example in read), tuple(origin for origin, _ in read), tuple(counts))


def kept_from_training(spec: ExpertSpec, home: Path) -> list[Example]:
    """Documents of the expert's corpora that no training reads, all corpora mixed, in an order of their own."""
    found = [example for corpus in spec.corpora for example in held_out_of(corpus, home)]
    random.Random(0).shuffle(found)
    return found


class _Read:
    """One corpus while it is cleaned: what is left of it, and what was left out and why."""

    def __init__(self, corpus: AnyCorpus, found: list[Example]) -> None:
        self.corpus = corpus
        self.examples = found
        self._as_kept: dict[Example, Example] | None = None
        self._dropped = self._copies = self._identifying = 0
        self._replaced: dict[str, int] = {}

    def leave_out(self, test_items: Index | None) -> None:
        if test_items is not None:
            clean = without(self.examples, test_items)
            self.examples, self._dropped = list(clean.examples), clean.dropped

    def leave_out_copies(self, kept: set[int]) -> None:
        found = [one for one in self.examples if id(one) in kept]
        self._copies = len(self.examples) - len(found)
        self.examples = found

    def screen(self, clean: Clean) -> None:
        self._as_kept = {}
        policy = Policy(clean.identifiers, clean.kinds, names_if_asked())
        for one in self.examples:
            screened = without_identifiers([one], policy)
            self._identifying += screened.dropped
            for kept in screened.examples:
                self._as_kept[one] = kept
                for kind, n in screened.counts:
                    self._replaced[kind] = self._replaced.get(kind, 0) + n
        self.examples = list(self._as_kept.values())

    def mix(self, seed: int) -> None:
        """Shuffle documents that have keys, so that a budget is not spent on the beginning of a file."""
        if self.corpus.max_tokens is not None and all(example.key for example in self.examples):
            random.Random(seed).shuffle(self.examples)

    def as_kept(self, order: list[Example]) -> list[Example]:
        """The same documents in another order."""
        if self._as_kept is None:
            left = set(self.examples)
            return [one for one in order if one in left] if self._dropped or self._copies else order
        return [self._as_kept[one] for one in order if one in self._as_kept]

    def count(self, documents: int, tokens: int) -> CorpusCount:
        source, format, licence, attribution = about(self.corpus)
        left_out = (self._dropped, self._copies, self._identifying, self._replaced)
        return CorpusCount(source, format, documents, tokens, licence, attribution, *left_out)


def _within(lengths: Sequence[int], budget: int | None) -> tuple[int, int]:
    """(how many leading documents fit the budget, their tokens); at least one document, if there is any."""
    total = 0
    for index, length in enumerate(lengths):
        if budget is not None and index and total + length > budget:
            return index, total
        total += length
    return len(lengths), total
