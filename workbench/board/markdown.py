"""A board as Markdown: pipe tables that GitHub and model cards show."""

from __future__ import annotations

from workbench.board.escape import markdown
from workbench.board.page import Board, Cell, Listing, RowName, Section, foot_rows
from workbench.board.sections import LEGEND, listings, sections


def to_markdown(board: Board) -> str:
    """The whole board as a Markdown page, ending in a newline.

    Raises:
        UserError: see `sections.sections`.
    """
    blocks = [f"# {markdown(board.title)}", *(_section(section) for section in sections(board)), markdown(LEGEND)]
    return "\n\n".join([*blocks, *(_listing(listing) for listing in listings(board))]) + "\n"


def _section(section: Section, level: str = "##") -> str:
    heading = f"{level} {markdown(section.heading)}\n\n{markdown(section.remark)}."
    if not section.columns:
        return heading
    return "\n\n".join([heading, _table(section), *(markdown(note) for note in section.footnotes)])


def _table(section: Section) -> str:
    columns = section.columns
    rules = [":--", *("--:" for _ in columns)]
    rows = [[section.of, *(markdown(column.header) for column in columns)], rules]
    rows += [
        [_name(name), *(_cell(column.cells[index]) for column in columns)] for index, name in enumerate(section.names)
    ]
    rows += [[f"*{label}*", *(f"*{text}*" if text else "" for text in texts)] for label, texts in foot_rows(columns)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _name(name: RowName) -> str:
    mark = "★ " if name.chosen else "○ " if name.baseline else ""
    label = f" *({markdown(name.label)})*" if name.label else ""
    return f"{mark}{markdown(name.model)}{label}"


def _cell(cell: Cell) -> str:
    main = f"**{cell.main}**" if cell.best else cell.main
    return f"{main} {cell.extra}".rstrip()


def _listing(listing: Listing) -> str:
    items = (f"- {_subject(item.subject)}{markdown(item.text)}" for item in listing.items)
    listed = "\n".join([f"## {markdown(listing.heading)}", "", *items])
    return f"{listed}\n\n{_section(listing.table, '###')}" if listing.table else listed


def _subject(subject: str) -> str:
    return f"**{markdown(subject)}**: " if subject else ""
