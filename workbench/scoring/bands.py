"""Prompts that are answered side by side: one group, like length, within the room there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SHARED = 16
"""A common beginning of fewer tokens is read with each prompt."""


@dataclass(frozen=True)
class Prompt:
    """A text to go on with: its tokens, the most tokens to write behind it, and what may share a batch with it."""

    ids: tuple[int, ...]
    room: int
    group: str

    @property
    def length(self) -> int:
        """Tokens of the prompt and the longest answer to it."""
        return len(self.ids) + self.room


@dataclass(frozen=True)
class Band:
    """Prompts of one group and of like length, by their indices, and how many of them are answered side by side.

    All of them begin with the same `common` tokens.
    """

    prompts: tuple[int, ...]
    rows: int
    common: int = 0


def bands(prompts: Sequence[Prompt], rows: int, tokens: int) -> Iterator[Band]:
    """Every prompt in one band, the longest of a group first; the longest of a band is at most twice its shortest.

    Side by side stand at most `rows` prompts and `tokens` tokens, answers included and what all begin with counted
    once; at least one prompt.
    """
    order = sorted(range(len(prompts)), key=lambda i: (prompts[i].group, -prompts[i].length))
    start = 0
    while start < len(order):
        first = prompts[order[start]]
        end = start
        while end < len(order) and prompts[order[end]].group == first.group:
            if prompts[order[end]].length * 2 < first.length:
                break
            end += 1
        shared = common([prompts[index].ids for index in order[start:end]])
        yield Band(tuple(order[start:end]), max(1, min(rows, (tokens - shared) // (first.length - shared))), shared)
        start = end


def common(prompts: Sequence[Sequence[int]]) -> int:
    """Tokens with which all prompts begin, at least one of each left over; 0 if too few to be worth a pass."""
    if len(prompts) < 2:
        return 0
    low, high = min(map(tuple, prompts)), max(map(tuple, prompts))
    shared = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    shared = min(shared, min(len(prompt) for prompt in prompts) - 1)
    return shared if shared >= SHARED else 0
