"""What a leaderboard shows, before it is decided how: sections of rows and columns of cells, and lists of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workbench.board.numbers import MISSING
from workbench.board.pareto import TradeOff
from workbench.board.searched import Searched
from workbench.records import Role, ScoreRow, Selection, Unavailable


@dataclass(frozen=True)
class Board:
    """Everything that a leaderboard is made of.

    Attributes:
        title: Heading of the page.
        baseline: Name of the model that gains are measured against.
        rows: Scores of both roles; models are shown in the order in which they first appear.
        unavailable: Tasks that could not be scored, with reasons.
        selection: The choice, if one was made.
        notes: Sentences to show at the end.
        labels: Model name -> a remark such as "shortened run".
        overlap: What training corpora share with the items, as (whom it is about, sentence).
        front: Candidates of the choice on the Pareto front of mean against largest fall; empty where none is told.
        searches: What the run's searches tried.
        gain_errors: Role -> model -> paired standard error of its gain, where the answers are at hand.
    """

    title: str
    baseline: str
    rows: tuple[ScoreRow, ...]
    unavailable: tuple[Unavailable, ...] = ()
    selection: Selection | None = None
    notes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    overlap: tuple[tuple[str, str], ...] = ()
    front: tuple[TradeOff, ...] = ()
    searches: tuple[Searched, ...] = ()
    gain_errors: Mapping[Role, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """One value: `main` is the number, `extra` what qualifies it (its standard error), `best` of its column."""

    main: str
    extra: str = ""
    best: bool = False


@dataclass(frozen=True)
class Column:
    """Cells from top to bottom under a header; `items` and `chance` are the foot, empty where they mean nothing."""

    header: str
    cells: tuple[Cell, ...]
    items: str = ""
    chance: str = ""


def foot_rows(columns: Sequence[Column]) -> list[tuple[str, tuple[str, ...]]]:
    """Label and texts of each row of the foot; a row that says nothing is left out."""
    rows = [
        ("items", tuple(column.items for column in columns)),
        ("chance", tuple(column.chance for column in columns)),
    ]
    return [(label, texts) for label, texts in rows if set(texts) - {"", MISSING}]


@dataclass(frozen=True)
class RowName:
    """The model of a row, its label, and whether it was chosen or is the baseline."""

    model: str
    label: str
    chosen: bool
    baseline: bool


@dataclass(frozen=True)
class Section:
    """A table of scores, such as those of one role. Without any score, `names` and `columns` are empty.

    `of` heads the names.
    """

    heading: str
    remark: str
    names: tuple[RowName, ...]
    columns: tuple[Column, ...]
    footnotes: tuple[str, ...]
    of: str = "model"


@dataclass(frozen=True)
class Item:
    """An entry of a list: whom it is about (may be empty), and what there is to say."""

    subject: str
    text: str


@dataclass(frozen=True)
class Listing:
    """A list under a heading, and the table that belongs to it, if any."""

    heading: str
    items: tuple[Item, ...]
    table: Section | None = None
