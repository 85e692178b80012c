"""Exact and near duplicates in corpora: the first of each group is kept.

Exact duplicates have the same text in Unicode's composed form (NFKC), case folded, whatever its whitespace. Near ones
share at least 0.8 of their distinct runs of five words (Jaccard index; Broder 1997, Lee et al. 2022, arXiv 2107.06499).
MinHash with locality-sensitive hashing (datasketch) only proposes pairs: 25 bands of 5 permutations miss a pair at the
threshold with a chance of (1 - 0.8^5)^25, about 1 in 20,000. Every proposed pair is compared exactly, so a text is
never dropped by chance.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from workbench.data.example import Example
from workbench.data.grams import Hashes, grams, words

THRESHOLD = 0.8
"""Least Jaccard index of near duplicates."""

RUN = 5
"""Words of a run."""

LEAST_WORDS = 20
"""Shorter texts are only compared exactly: of lines of a code table, one that differs in a word is another line."""

BANDS, ROWS = 25, 5
PERMUTATION_SEED = 5
BATCH = 4096
"""Runs that are permuted at once: 125 permutations of eight bytes each, 4 MB."""


@dataclass(frozen=True)
class Distinct:
    """The examples that are kept, in order, and how many exact and how many near duplicates of them were left out."""

    examples: tuple[Example, ...]
    exact: int
    near: int

    def __str__(self) -> str:
        total = len(self.examples) + self.exact + self.near
        return f"{self.exact} exact and {self.near} near duplicates of {total} examples were left out"


def distinct(examples: Iterable[Example]) -> Distinct:
    """The examples without those that repeat an earlier kept one, prompt and completion compared as one text.

    What an example's source says about it (its tasks) goes with it. Two texts that are each near a third one, and not
    near each other, are both kept where they come first. Memory: about 8 bytes a word of what is kept, and 10 KB an
    example.
    """
    kept: list[Example] = []
    seen: set[bytes] = set()
    repeats = near_duplicates()
    exact = near = 0
    for example in examples:
        digest = blake2b(normalised(example.text).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in seen:
            exact += 1
            continue
        seen.add(digest)
        if repeats(example.text):
            near += 1
        else:
            kept.append(example)
    return Distinct(tuple(kept), exact, near)


def normalised(text: str) -> str:
    """A text as exact duplicates are told by: NFKC, case folded, whitespace as single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def near_duplicates() -> Callable[[str], bool]:
    """A function that says of each text in turn whether it is a near duplicate of an earlier one that was none."""
    from datasketch import MinHash, MinHashLSH  # loads scipy, which the command line need not wait for

    state = random.getstate()
    index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    random.setstate(state)  # datasketch draws a name for its tables from Python's own generator
    empty = MinHash(BANDS * ROWS, PERMUTATION_SEED, hashfunc=_itself, scheme="affine64")
    kept: list[Hashes] = []

    def repeats(text: str) -> bool:
        if len(words(text)) < LEAST_WORDS:
            return False
        runs = np.unique(grams(text, RUN))
        sketch = empty.copy()
        for start in range(0, runs.size, BATCH):
            sketch.update_batch(runs[start : start + BATCH])
        if any(jaccard(runs, kept[at]) >= THRESHOLD for at in index.query(sketch)):
            return True
        index.insert(len(kept), sketch)
        kept.append(runs)
        return False

    return repeats


def _itself(run: np.uint64) -> np.uint64:
    """A run is a hash already."""
    return run


def jaccard(a: Hashes, b: Hashes) -> float:
    """Shared runs over all runs of two texts, each ascending and without repeats; 0 to 1."""
    if min(a.size, b.size) < THRESHOLD * max(a.size, b.size):
        return 0.0  # cannot reach the threshold
    shared = int(np.intersect1d(a, b, assume_unique=True).size)
    return shared / (a.size + b.size - shared)
