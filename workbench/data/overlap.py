"""Overlap of training corpora with test items: runs of 13 words that stand in both.

Thirteen words are the usual length for such checks (Brown et al. 2020, arXiv 2005.14165, appendix C). Stock phrases of
clinical notes can be as long, so one run is no proof of a copy: the share of an item's runs tells them apart. A run is
known by a 64-bit hash: eight bytes a run, no text is kept, and two different runs have the same hash with a chance of
about 2^-64 (an index of 20 million runs asked about a million: once in a million checks).
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from workbench.data.example import Example
from workbench.data.reading import in_order
from workbench.records import Overlap, Role, SharedItem
from workbench.specs.models import ExpertSpec

N = 13
"""Words of a run."""

Hashes: TypeAlias = npt.NDArray[np.uint64]

WORD = re.compile(r"[^\W_]+")
MULTIPLIER = 0x9E3779B97F4A7C15
"""Base of the polynomial in word hashes; odd, so that no word of a run is lost modulo 2^64."""

NOT_TEXT = frozenset({"id", "ids", "pmid", "pmcid", "doi", "url", "file"})
"""Fields that name an item instead of asking anything; so do those that end in _id or _ids."""


def words(text: str) -> list[str]:
    """The runs of letters and digits of a text, case folded, in Unicode's composed form (NFKC)."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def grams(text: str, n: int = N) -> Hashes:
    """Hashes of every run of n words, in order, shape (words - n + 1,).

    A text of fewer words is one run, the whole of it: it equals another text of just these words, and is not found
    inside a longer one. A text without words has none.
    """
    values = np.fromiter(map(_word_hash, words(text)), np.uint64)
    if not values.size:
        return values
    runs: Hashes = np.convolve(values, _powers(min(n, values.size)), "valid")  # wraps: arithmetic is modulo 2^64
    return runs


@functools.lru_cache(maxsize=1 << 17)
def _word_hash(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")


@functools.cache
def _powers(n: int) -> Hashes:
    return np.array([pow(MULTIPLIER, k, 1 << 64) for k in range(n)], np.uint64)


@dataclass(frozen=True, eq=False)
class Index:
    """The distinct runs of a body of text: their hashes, ascending. Eight bytes a run, three times that while made."""

    hashes: Hashes
    n: int = N

    @staticmethod
    def of(documents: Iterable[str], n: int = N) -> Index:
        """All runs of the documents; none goes from one document into the next."""
        merged = np.concatenate([np.empty(0, np.uint64), *(grams(document, n) for document in documents)])
        merged.sort()  # numpy's own `unique` would build a hash table, several times as large
        first = np.ones(merged.size, bool)
        first[1:] = merged[1:] != merged[:-1]
        return Index(merged[first], n)

    def share(self, text: str) -> float:
        """The share of a text's runs that stand here, 0 to 1; 0 for a text without words."""
        asked = grams(text, self.n)
        if not asked.size or not self.hashes.size:
            return 0.0
        at = np.searchsorted(self.hashes, asked)
        return float((self.hashes[np.minimum(at, self.hashes.size - 1)] == asked).mean())

    def overlaps(self, text: str) -> bool:
        """Whether any run of a text stands here."""
        return self.share(text) > 0


def documents(spec: ExpertSpec, home: Path) -> list[str]:
    """Every distinct text that an expert may read: documents and their task data, before token budgets cut them.

    An expert with a budget reads a part of this. Raises DataMissing when a corpus is not on this machine.
    """
    orders = (in_order(corpus, home, spec.seed + i) for corpus in spec.corpora for i in range(corpus.repeat))
    return list(dict.fromkeys(text for order in orders for example in order for text in example.texts))


def item_text(item: Mapping[str, Any]) -> str:
    """What an item says: its texts in the order of its fields, lists and tables walked through, a line each.

    Questions, contexts, options and references all count, whether or not a prompt shows them; names of the item
    (`NOT_TEXT`) and numbers do not. A run may go from one field into the next.
    """
    return "\n".join(_texts(item))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            if str(key).lower() not in NOT_TEXT and not str(key).lower().endswith(("_id", "_ids")):
                yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


def overlap(
    expert: str, task: str, role: Role, index: Index, items: Sequence[tuple[str, Mapping[str, Any]]]
) -> Overlap:
    """Which items of a task share a run of words with what an expert read. `items` are (lm-eval's hash, item)."""
    found = []
    for number, (doc_hash, item) in enumerate(items):
        if share := index.share(item_text(item)):
            name = number if item.get("id") is None else item["id"]
            found.append(SharedItem(str(name), doc_hash, share))
    return Overlap(expert, task, role, len(items), tuple(found))


@dataclass(frozen=True)
class Kept:
    """Examples that share no run of words with what was to be kept out, and how many did."""

    examples: tuple[Example, ...]
    dropped: int

    def __str__(self) -> str:
        total = len(self.examples) + self.dropped
        return f"{self.dropped} of {total} examples share {N} words in a row with a test item and were left out"


def without(found: Iterable[Example], index: Index) -> Kept:
    """The examples, in order, that share no run with the index of test items."""
    asked = list(found)
    kept = tuple(one for one in asked if not any(map(index.overlaps, one.texts)))
    return Kept(kept, len(asked) - len(kept))
