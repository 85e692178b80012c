"""Rows of a source's file, with something in each column that a topic needs."""

from __future__ import annotations

from pathlib import Path

from workbench.data.items import Item, csv_items, json_items, require
from workbench.data.sources import path_of


def table(source: str, file: str, *columns: str) -> list[Item]:
    """Rows of a source's CSV. Raises DataMissing where it is not at hand, UserError for a row that lacks a column."""
    path = path_of(source, file)
    return _whole(path, csv_items(path), columns)


def objects(source: str, file: str, *columns: str) -> list[Item]:
    """Objects of a source's JSON lines; errors as in `table`."""
    path = path_of(source, file)
    return _whole(path, json_items(path), columns)


def validation_items(tasks: Path, folder: str, *columns: str) -> list[Item]:
    """The validation items of a mini task, each with its id; `tasks` is the folder of the task folders."""
    path = tasks / folder / "validation.jsonl"
    return _whole(path, json_items(path), ("id", *columns))


def _whole(path: Path, rows: list[Item], columns: tuple[str, ...]) -> list[Item]:
    require(path, rows, columns, filled=columns)
    return rows
