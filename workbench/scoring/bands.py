"""Prompts that are answered side by side: one group, like length, within the room there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


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
    """Prompts of one group and of like length, by their indices, and how many of them are answered side by side."""

    prompts: tuple[int, ...]
    rows: int


def bands(prompts: Sequence[Prompt], rows: int, tokens: int) -> Iterator[Band]:
    """Every prompt in one band, the longest of a group first; the longest of a band is at most twice its shortest.

    Side by side stand at most `rows` prompts and `tokens` tokens, answers included; at least one prompt.
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
        yield Band(tuple(order[start:end]), max(1, min(rows, tokens // first.length)))
        start = end
