"""The Pareto front of a search with several objectives, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from workbench.board.columns import marked
from workbench.board.escape import printable
from workbench.board.numbers import percent
from workbench.board.page import Cell, Column, RowName, Section
from workbench.board.searched import Candidate, Searched

ROWS = 10
"""Candidates that are shown; the CSV has all."""


def front_table(search: Searched) -> Section:
    """The candidates on the front by mean, highest first, with what the search came to marked."""
    front = sorted(search.front, key=lambda one: (-one.values[0], one.number))
    shown = _spread_out(front)
    names = tuple(RowName(one.name, "", one.name == search.best, baseline=False) for one in shown)
    remark = f"{len(front)} of the {len(search.scored)} that answered every item"
    remark += " and may be chosen" if search.broken else ""
    remark += ": no other is as good on every objective and better on one. ★ marks what the search came to"
    return Section(
        heading=printable(f"Pareto front of {search.name}"),
        remark=remark,
        names=names,
        columns=tuple(
            Column(printable(objective), _cells([one.values[place] for one in shown]))
            for place, objective in enumerate(search.objectives)
        ),
        footnotes=tuple(printable(note) for note in _notes(search, front, shown)),
        of="candidate",
    )


def _cells(values: Sequence[float]) -> tuple[Cell, ...]:
    return marked([Cell(percent(value)) for value in values], values)


def _spread_out(front: Sequence[Candidate]) -> list[Candidate]:
    """So many as fit, evenly from the highest mean to the lowest."""
    if len(front) <= ROWS:
        return list(front)
    return [front[round(place * (len(front) - 1) / (ROWS - 1))] for place in range(ROWS)]


def _notes(search: Searched, front: Sequence[Candidate], shown: Sequence[Candidate]) -> Iterator[str]:
    if len(shown) < len(front):
        yield f"{len(shown)} of {len(front)} are shown, from the highest mean to the lowest; all are in {search.file}."
    if search.winner is None:
        yield f"{search.best}, which the search came to, is a baseline, of which the mean alone is on record."
    elif search.best not in {one.name for one in front}:
        yield f"{search.best}, which the search came to, is not on it: one with the same mean is better on another."
