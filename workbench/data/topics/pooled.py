"""Drafts of mini items that have a context and an answer: the answers of the other items are the wrong ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from workbench.data.items import Item
from workbench.data.topics.item import Draft


def pooled(
    rows: Sequence[Item], source: str, context: str, answer: str, question: Callable[[Item], str]
) -> list[Draft]:
    """A question an item; `context` and `answer` are its columns."""
    return [
        Draft(
            row["id"],
            source,
            question(row),
            row[answer],
            tuple(other[answer] for other in rows if other["id"] != row["id"]),
            row[context],
        )
        for row in rows
    ]
