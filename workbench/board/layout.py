"""How a column is written when the terminal is narrow: headers over several lines, errors below their values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.board.page import Cell, Column

BREAKS = "_- "
HEADER_PARTS = re.compile(r"[^_\-\s]+?(?:(?<=[a-z])(?=[A-Z])|[_\-\s]+|$)")


@dataclass(frozen=True)
class Look:
    """A way to write columns: headers split over lines or whole, errors below their values or beside them."""

    split_headers: bool
    errors_below: bool


LOOKS = (Look(False, False), Look(True, False), Look(True, True))
"""From the roomiest to the narrowest."""


@dataclass(frozen=True)
class ColumnText:
    """A column as text, padded so that numbers line up when it is right-aligned. Lines are separated by newlines."""

    header: str
    values: tuple[str, ...]
    errors: tuple[str, ...]
    foot: str


def column_text(column: Column, foot: Sequence[str], look: Look) -> ColumnText:
    """The column above its lines of the foot; each error starts with what belongs between it and its value."""
    main = max(len(text) for text in (*foot, *(cell.main for cell in column.cells)))
    extra = 0 if look.errors_below else max(len(cell.extra) for cell in column.cells)
    width = main + (1 + extra if extra else 0)
    return ColumnText(
        header=split_header(column.header, width) if look.split_headers else column.header,
        values=tuple(cell.main.rjust(main) for cell in column.cells),
        errors=tuple(_error(cell, extra, look) for cell in column.cells),
        foot="\n".join(text.rjust(main).ljust(width) for text in foot),
    )


def split_header(header: str, width: int) -> str:
    """A header over few lines, broken at `_`, `-`, spaces and capitals; a part wider than the width stays whole."""
    parts = HEADER_PARTS.findall(header) or [header]
    width = max(width, *(len(part.rstrip(BREAKS)) for part in parts))
    lines: list[str] = []
    for part in parts:
        if lines and len((lines[-1] + part).rstrip(BREAKS)) <= width:
            lines[-1] += part
        else:
            lines.append(part)
    return "\n".join(line.rstrip(BREAKS) or line for line in lines)


def _error(cell: Cell, width: int, look: Look) -> str:
    if look.errors_below:
        return f"\n{cell.extra}" if cell.extra else ""
    return f" {cell.extra.ljust(width)}" if width else ""
