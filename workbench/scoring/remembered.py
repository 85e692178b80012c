"""Answers that a model gave before: a killed scoring goes on where it was, and what suites share is asked once.

One SQLite file a model and dtype, keyed by the sha256 of a request. Of a task made of confidential data nothing is
kept: what a model writes may quote it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

TABLE = "CREATE TABLE IF NOT EXISTS answers (request BLOB PRIMARY KEY, given TEXT) WITHOUT ROWID"


class Given(NamedTuple):
    """An answer in lm-eval's form, and whether its prompt was cut to fit the model's context."""

    answer: Any
    cut: bool


class Remembered:
    """The answers in `file`, which is made when the first one is kept; with no file, nothing is remembered.

    Every `keep` is one transaction: a kill loses what was not kept, and two processes do not disturb each other.
    """

    def __init__(self, file: Path | None = None, confidential: Set[str] = frozenset()) -> None:
        self._confidential = confidential
        self._open: sqlite3.Connection | None = None
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._open = sqlite3.connect(file, timeout=60)
            self._open.execute("PRAGMA journal_mode=WAL")
            self._open.execute(TABLE)

    def given(self, request: Any) -> Given | None:
        """What the model answered to lm-eval's request, if that is known."""
        if self._open is None:
            return None
        row = self._open.execute("SELECT given FROM answers WHERE request = ?", (_key(request),)).fetchone()
        return None if row is None else Given(*json.loads(row[0]))

    def keep(self, requests: Iterable[Any], given: Iterable[Given]) -> None:
        """Remember answers, one a request, those of confidential tasks aside."""
        if self._open is None:
            return
        rows = [
            (_key(request), json.dumps(one))
            for request, one in zip(requests, given, strict=True)
            if request.task_name not in self._confidential
        ]
        with self._open:
            self._open.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?)", rows)

    def close(self) -> None:
        """Close the file; nothing more is remembered."""
        if self._open is not None:
            self._open.close()
            self._open = None


def _key(request: Any) -> bytes:
    arguments: Sequence[Any] = request.args
    asked = json.dumps([request.request_type, *arguments], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(asked.encode("utf-8", "surrogatepass")).digest()
