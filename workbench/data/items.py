"""Items of a benchmark or a corpus out of a file: read, checked, and split by CLUE's rule.

What is wrong with a file is said in one sentence that names the file, the item and the column. None of them quotes an
item's text, which may be a patient's.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.errors import UserError

Item = dict[str, Any]
"""One row of a file, by column."""


def wrong(path: Path, at: int, what: str) -> UserError:
    """The error for one item; `at` counts from 1, the header of a CSV not included."""
    return UserError(f"{path}, item {at}: {what}")


def json_items(path: Path) -> list[Item]:
    """The objects of a JSON array, or of JSON lines, whichever the file holds, in its order.

    Both occur under one name: CLUE's builders write lines into a file that its evaluation reads as an array. Blank
    lines are no items. Raises UserError for a line that is no JSON, and for JSON that is no object.
    """
    text = _text(path)
    if text.lstrip().startswith("["):
        found = _parsed(path, text, 1)
    else:  # split at "\n" only: a text may hold U+2028 and other characters that str.splitlines() cuts at
        found = [_parsed(path, line, at) for at, line in enumerate(text.split("\n"), 1) if line.strip()]
    for at, item in enumerate(found, 1):
        if not isinstance(item, dict):
            raise wrong(path, at, "is no JSON object. Use the file as it was published or built.")
    return list(found)


def _parsed(path: Path, text: str, line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {line + error.lineno - 1}, column {error.colno}"
        raise UserError(
            f"{path}, {place}: no JSON ({error.msg}). The file was cut or changed: get or build it again."
        ) from error


def csv_items(path: Path) -> list[Item]:
    """The rows of a UTF-8 CSV under its header. Raises UserError for a file that is no such CSV."""
    try:
        return list(csv.DictReader(io.StringIO(_text(path), newline="")))
    except csv.Error as error:
        raise UserError(f"{path}: no CSV ({error}). The file was cut or changed: get it again.") from error


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8. Save the file as UTF-8.") from error


def require(path: Path, items: Sequence[Item], columns: Sequence[str], filled: Sequence[str] = ()) -> None:
    """Raises UserError for an item without one of the columns, or whose text in one of the `filled` ones has no word.

    An item's own columns are named, so that a file of other make is recognised.
    """
    for at, item in enumerate(items, 1):
        for column in columns:
            if item.get(column) is None:  # a CSV row that ends early has None there
                there = ", ".join(f"'{name}'" for name, field in item.items() if field is not None)
                raise wrong(path, at, f"has no '{column}', only {there}. Use the file as it was published or built.")
        for column in filled:
            if not any(character.isalnum() for character in str(item[column])):
                raise wrong(path, at, f"'{column}' is empty. Fill it in, or take the item out.")


def split(path: Path, items: Sequence[Item], shots: int, at_least: int) -> dict[str, list[Item]]:
    """CLUE's split: the items are shuffled, the first `shots` are the examples of the prompt, the rest is the test set.

    Raises UserError for fewer than `at_least` items, and where none would be left to score.
    """
    least = max(at_least, shots + 1)
    if len(items) < least:
        raise UserError(
            f"{path}: {len(items)} items, but at least {least} are expected: a part of the file is missing. Get or "
            "build it again; if it is a set of your own, score it by a task that includes this one and says "
            f"`metadata: {{version: 1.0, at_least: {len(items)}}}`."
        )
    order = list(items)
    random.Random(1).shuffle(order)  # the order of CLUE's random.seed(1); random.shuffle(data)
    return {"fewshot": order[:shots], "test": order[shots:]}
