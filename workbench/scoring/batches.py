"""Requests in batches: contexts with their continuations packed into rows, rows of like length together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Request = tuple[tuple[str, str], list[int], list[int]]
"""lm-eval's: the texts, the context's ids, the continuation's ids."""


@dataclass(frozen=True)
class Row:
    """A context with the continuations asked of it. `requests` are indices into the requests."""

    context: tuple[int, ...]
    continuations: tuple[tuple[int, ...], ...]
    requests: tuple[int, ...]

    @property
    def length(self) -> int:
        """Tokens of the packed row; the last token of a continuation is read, never fed."""
        return len(self.context) + sum(len(one) - 1 for one in self.continuations)


def rows(requests: Sequence[Request], longest: int = 512) -> list[Row]:
    """Requests grouped by context, longest row first, so that the largest batch comes (or fails) first.

    A context with many continuations fills several rows of at most `longest` tokens: the mask costs the square. All
    options without their question (acc_mutual_info) share one context of a single token.
    """
    grouped: dict[tuple[int, ...], list[list[int]]] = {}
    room: dict[tuple[int, ...], int] = {}
    for index, (_, tokens, continuation) in enumerate(requests):
        context, fed = tuple(tokens), len(continuation) - 1
        if context not in grouped or fed > room[context]:
            grouped.setdefault(context, []).append([])
            room[context] = longest - len(context)
        grouped[context][-1].append(index)
        room[context] -= fed
    found = [
        Row(context, tuple(tuple(requests[i][2]) for i in members), tuple(members))
        for context, groups in grouped.items()
        for members in groups
    ]
    return sorted(found, key=lambda row: -row.length)


def batches(sorted_rows: Sequence[Row], tokens: int) -> Iterator[list[Row]]:
    """Rows of like length, at most `tokens` tokens a batch with padding; at least one row."""
    batch: list[Row] = []
    for row in sorted_rows:
        if batch and (len(batch) + 1) * batch[0].length > tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def generation_batches(sizes: Sequence[tuple[str, int]], rows: int, tokens: int) -> Iterator[list[int]]:
    """Indices of requests (settings, tokens) of equal settings and like length, the longest of each settings first.

    A batch has at most `rows` requests and `tokens` tokens with padding; at least one request.
    """
    batch: list[int] = []
    for index in sorted(range(len(sizes)), key=lambda i: (sizes[i][0], -sizes[i][1])):
        if batch:
            settings, longest = sizes[batch[0]]
            if sizes[index][0] != settings or len(batch) == rows or (len(batch) + 1) * longest > tokens:
                yield batch
                batch = []
        batch.append(index)
    if batch:
        yield batch


def read_at(row: Row) -> Iterator[tuple[int, int]]:
    """(position whose logits are read, token looked up there) of every token of every continuation."""
    last, start = len(row.context) - 1, len(row.context)
    for continuation in row.continuations:
        yield last, continuation[0]
        for offset, token in enumerate(continuation[1:]):
            yield start + offset, token
        start += len(continuation) - 1
