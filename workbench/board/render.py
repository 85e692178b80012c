"""A board for the terminal, as Markdown and as CSV. The only place in the package that knows rich.

Text from users' files goes into rich as Text, never as a str: square brackets in it are then no markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import Box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from workbench.board.escape import printable
from workbench.board.layout import LOOKS, Look, column_text
from workbench.board.markdown import to_markdown
from workbench.board.page import Board, Column, Listing, RowName, Section, foot_rows
from workbench.board.sections import LEGEND, listings, sections
from workbench.board.table import csv_text, tidy

__all__ = ["Board", "to_csv", "to_markdown", "to_rich"]

NAME_WIDTH = 34
"""Widest column of model names, in terminal cells; longer names go on on the next line."""

LINES = Box("    \n    \n ── \n    \n    \n ── \n    \n    \n")
"""A thin line below the header and above the foot, and nothing else."""


def to_rich(board: Board) -> RenderableType:
    """The board for a terminal; it fits itself to the width at which it is printed.

    Raises:
        UserError: a role has scores but not the baseline's, or its scores do not compare.
    """
    return _Page(printable(board.title), sections(board), listings(board))


def to_csv(board: Board) -> str:
    """The scores of both roles as CSV, one row per (model, task, role), unrounded."""
    return csv_text(tidy(board.rows))


@dataclass(frozen=True)
class _Page:
    title: str
    sections: Sequence[Section]
    listings: Sequence[Listing]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Rule(Text(self.title, style="bold"), align="left", style="dim")
        for section in self.sections:
            yield from _shown(section, console, options)
        yield Text()
        yield Text(LEGEND, style="dim")
        for listing in self.listings:
            yield Text()
            yield Text(listing.heading, style="bold")
            yield _list(listing)
            if listing.table is not None:
                yield from _shown(listing.table, console, options)


def _shown(section: Section, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
    yield Text()
    yield Text(section.heading, style="bold")
    yield Text(section.remark, style="dim")
    for table in _tables(section, console, options):
        yield Text()
        yield table
    yield from (Text(note, style="dim") for note in section.footnotes)


def _tables(section: Section, console: Console, options: ConsoleOptions) -> list[Table]:
    """The section's table in the roomiest look that fits, or else cut into several that do."""
    if not section.columns:
        return []
    for look in LOOKS:
        table = _table(section, section.columns, look)
        if _fits(table, console, options):
            return [table]
    return list(_cut(section, console, options))


def _cut(section: Section, console: Console, options: ConsoleOptions) -> Iterator[Table]:
    look = LOOKS[1]
    taken: list[Column] = []
    for column in section.columns:
        if taken and not _fits(_table(section, [*taken, column], look), console, options):
            yield _table(section, taken, look)
            taken = []
        taken.append(column)
    yield _table(section, taken, look)


def _fits(table: Table, console: Console, options: ConsoleOptions) -> bool:
    unbounded = options.update(max_width=10_000)
    return console.measure(table, options=unbounded).maximum <= options.max_width


def _table(section: Section, columns: Sequence[Column], look: Look) -> Table:
    foot = foot_rows(columns)
    table = Table(box=LINES, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), show_footer=bool(foot))
    table.header_style = table.footer_style = "dim"
    labels = "\n".join(f"  {label}" for label, _ in foot)
    table.add_column(Text(f"  {section.of}"), Text(labels), max_width=NAME_WIDTH, overflow="fold")
    texts = [column_text(column, [row[i] for _, row in foot], look) for i, column in enumerate(columns)]
    for text in texts:
        table.add_column(Text(text.header), Text(text.foot), justify="right", no_wrap=True)
    for index, name in enumerate(section.names):
        cells = [
            Text.assemble((text.values[index], "bold" if column.cells[index].best else ""), (text.errors[index], "dim"))
            for column, text in zip(columns, texts, strict=True)
        ]
        table.add_row(_name(name), *cells)
    return table


def _name(name: RowName) -> Text:
    mark = "★ " if name.chosen else "○ " if name.baseline else "  "
    label = f"\n  {name.label}" if name.label else ""
    return Text.assemble((mark, "yellow" if name.chosen else "dim"), name.model, (label, "dim italic"))


def _list(listing: Listing) -> Padding:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(max_width=NAME_WIDTH, overflow="fold")
    grid.add_column(overflow="fold")
    for item in listing.items:
        grid.add_row(Text(item.subject or "·", style="" if item.subject else "dim"), Text(item.text))
    return Padding(grid, (0, 0, 0, 2), expand=False)
