"""Overlap of training corpora with test items: runs of 13 words that stand in both.

Thirteen words are the usual length for such checks (Brown et al. 2020, arXiv 2005.14165, appendix C). Stock phrases of
clinical notes can be as long, so one run is no proof of a copy: the share of an item's runs tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.data.example import Example
from workbench.data.grams import Index, N
from workbench.data.reading import in_order
from workbench.records import Overlap, Role, SharedItem
from workbench.specs.models import ExpertSpec

NOT_TEXT = frozenset({"id", "ids", "pmid", "pmcid", "doi", "url", "file"})
"""Fields that name an item instead of asking anything; so do those that end in _id or _ids."""


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
