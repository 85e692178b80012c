"""Requests in batches: contexts with their continuations in rows, rows of like beginning and length together."""

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
    """Requests grouped by context.

    A context with many continuations fills several rows, for the mask costs the square: of `longest` tokens, or of a
    longer context and as many tokens again. All options without their question (acc_mutual_info) share one context of
    a single token.
    """
    grouped: dict[tuple[int, ...], list[list[int]]] = {}
    room: dict[tuple[int, ...], int] = {}
    for index, (_, tokens, continuation) in enumerate(requests):
        context, fed = tuple(tokens), len(continuation) - 1
        if context not in grouped or fed > room[context]:
            grouped.setdefault(context, []).append([])
            room[context] = max(longest - len(context), len(context))
        grouped[context][-1].append(index)
        room[context] -= fed
    return [
        Row(context, tuple(tuple(requests[i][2]) for i in members), tuple(members))
        for context, groups in grouped.items()
        for members in groups
    ]


@dataclass(frozen=True)
class Batch:
    """Rows that go through the model together, and how many tokens their contexts begin with in common.

    The common beginning (worked examples, a document asked about more than once) is computed once for many batches.
    """

    rows: tuple[Row, ...]
    shared: int = 0

    @property
    def prefix(self) -> tuple[int, ...]:
        """The common beginning."""
        return self.rows[0].context[: self.shared]

    @property
    def width(self) -> int:
        """Tokens of the longest row behind the common beginning."""
        return max(row.length for row in self.rows) - self.shared


def batches(rows: Sequence[Row], tokens: int, kept: int) -> Iterator[Batch]:
    """Every row in one batch; batches of one family follow each other, the longest row first.

    A pass has at most `tokens` tokens with padding, and at most `kept` with the common beginning; at least one row.
    Where rows grow shorter, another pass is started before the padding costs more than it does.
    """
    for shared, family in families(rows):
        batch: list[Row] = []
        padding = 0
        for row in sorted(family, key=lambda row: -row.length):
            width = (batch[0] if batch else row).length - shared
            padding += width + shared - row.length
            full = (len(batch) + 1) * width > tokens or (len(batch) + 1) * (width + shared) > kept
            if batch and (full or padding > tokens * PASS):
                yield Batch(tuple(batch), shared)
                batch, padding = [], 0
            batch.append(row)
        yield Batch(tuple(batch), shared)


PASS = 1 / 32
"""What a pass costs besides its tokens, as a share of those that a full one has."""
WORTH_SHARING = 32
"""A common beginning of fewer tokens is computed in every row."""


def families(rows: Sequence[Row]) -> list[tuple[int, list[Row]]]:
    """(tokens that the contexts begin with in common, the rows), each row once; those that share nothing come last.

    Contexts in lexical order stand beside those they share most with. A family takes its neighbour in as long as that
    leaves at least half of its beginning common; every context keeps a token of its own, whose logits are read.
    """
    ordered = sorted(rows, key=lambda row: row.context)
    found: list[tuple[int, list[Row]]] = []
    for row in ordered:
        if found:
            shared, family = found[-1]
            common = min(shared or row.length, _common(family[-1].context, row.context))
            if common >= max(WORTH_SHARING, shared / 2):
                found[-1] = (common, [*family, row])
                continue
        found.append((0, [row]))
    alone = [row for shared, family in found if not shared for row in family]
    return [one for one in found if one[0]] + ([(0, alone)] if alone else [])


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """Tokens with which both begin, short of the whole of either."""
    most = min(len(a), len(b)) - 1
    return next((i for i in range(most) if a[i] != b[i]), most)


def read_at(row: Row) -> Iterator[tuple[int, int]]:
    """(position whose logits are read, token looked up there) of every token of every continuation."""
    last, start = len(row.context) - 1, len(row.context)
    for continuation in row.continuations:
        yield last, continuation[0]
        for offset, token in enumerate(continuation[1:]):
            yield start + offset, token
        start += len(continuation) - 1
