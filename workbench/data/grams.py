"""Runs of words and their hashes: how texts are compared without keeping them.

A run is known by a 64-bit hash: eight bytes a run, no text is kept, and two different runs have the same hash with a
chance of about 2^-64 (an index of 20 million runs asked about a million: once in a million checks).
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

N = 13
"""Words of a run."""

Hashes: TypeAlias = npt.NDArray[np.uint64]

WORD = re.compile(r"[^\W_]+")
MULTIPLIER = 0x9E3779B97F4A7C15
"""Base of the polynomial in word hashes; odd, so that no word of a run is lost modulo 2^64."""


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
