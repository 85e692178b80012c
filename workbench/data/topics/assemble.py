"""From drafts to the items of a topic: distinct, at most so many, options balanced, every position right as often."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from workbench.data.topics.balance import Balance
from workbench.data.topics.item import Draft, Item
from workbench.data.topics.words import alike

LIMIT = 400


def assemble(drafts: Sequence[Draft], seed: str, options: int = 4, limit: int = LIMIT) -> list[Item]:
    """Items in seeded random order; the same drafts and seed give the same items on every machine."""
    rng = random.Random(seed)
    order = rng.sample(drafts, len(drafts))
    balance = Balance(options, rng)
    found: list[tuple[Draft, tuple[str, ...]]] = []
    for draft in distinct(order):
        if len(found) == limit:
            break
        if (wrong := balance.choose(draft)) is not None:
            found.append((draft, wrong))
    places = [i % options for i in range(len(found))]
    rng.shuffle(places)
    return [_item(draft, wrong, place, rng) for (draft, wrong), place in zip(found, places, strict=True)]


def distinct(drafts: Iterable[Draft]) -> Iterable[Draft]:
    """Drafts without those that are near-identical to an earlier one, in its context and in what is asked of it."""
    seen: list[Draft] = []
    for draft in drafts:
        if not any(_same(draft, other) for other in seen):
            seen.append(draft)
            yield draft


def _same(one: Draft, other: Draft) -> bool:
    asked, also = (f"{draft.question} {draft.right}" for draft in (one, other))
    return alike(asked, also) and alike(one.context, other.context)


def _item(draft: Draft, wrong: Sequence[str], place: int, rng: random.Random) -> Item:
    options = rng.sample(wrong, len(wrong))
    options.insert(place, draft.right)
    return Item(draft.id, draft.source, draft.context, draft.question, tuple(options), place)
