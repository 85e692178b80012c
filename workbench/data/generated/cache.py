"""Answers on disk, so that no document is asked about twice: one SQLite file that many processes may use at once.

Each answer is a transaction of its own: a killed process loses those that it had not received.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from workbench.data.example import TaskKind
from workbench.data.generated import prompts
from workbench.data.generated.generator import Answer
from workbench.errors import StepFailed, UserError
from workbench.ids import Plain, content_id

WAIT_S = 60.0
"""How long a process waits for another's transaction."""

APPLICATION_ID, LAYOUT = 0x77626764, 1
"""What SQLite keeps in the file's header to know it by."""

_TABLE = """CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, text TEXT NOT NULL, prompt_tokens INTEGER, completion_tokens INTEGER, cut INTEGER NOT NULL
) WITHOUT ROWID"""


def key(document: str, kind: TaskKind, generator: Plain, attempt: int) -> str:
    """Hex sha256 of all that an answer depends on."""
    asked = {"document": document, "kind": kind, "generator": generator, "attempt": attempt}
    return content_id("generated-task-data", prompts.VERSION, asked, ())


class Cache:
    """Answers by key. Of one thread."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path, self._connection = path, connection

    def get(self, key: str) -> Answer | None:
        """The answer to a key, or None."""
        with _disk_errors(self._path):
            row = self._connection.execute(
                "SELECT text, prompt_tokens, completion_tokens, cut FROM answers WHERE key = ?", (key,)
            ).fetchone()
        return None if row is None else Answer(row[0], row[1], row[2], cut=bool(row[3]))

    def put(self, key: str, answer: Answer) -> Answer:
        """Keep an answer; on disk when this returns. Gives the one that stays: another process's if that came first."""
        row: Sequence[object] = (key, answer.text, answer.prompt_tokens, answer.completion_tokens, answer.cut)
        with _disk_errors(self._path), self._connection:
            self._connection.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)", row)
        return self.get(key) or answer


@contextmanager
def opened(path: Path) -> Iterator[Cache]:
    """The cache in a file, made if there is none.

    Raises UserError for a file that is something else or cannot be written, StepFailed when the disk gives out.
    """
    with _disk_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{path.parent}: cannot be written ({error.strerror}). Name a folder you own.") from error
        connection = sqlite3.connect(path, timeout=WAIT_S)
    with closing(connection):
        with _disk_errors(path):
            _prepare(path, connection)
        yield Cache(path, connection)


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    with connection:
        connection.execute("BEGIN IMMEDIATE")  # of two processes that make the file, one does
        marks = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        new = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if not new and marks != [APPLICATION_ID, LAYOUT]:
            raise UserError(f"{path}: is a database, but no cache of task data of this layout. Name another file.")
        connection.execute(_TABLE)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {LAYOUT}")


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if "unable to open" in str(error) or "readonly" in str(error):
            raise UserError(f"{path}: cannot be opened to write ({error}). Name a file in a folder you own.") from error
        raise StepFailed(f"{path}: {error}. The answers in it are kept; start again.") from error
    except sqlite3.DatabaseError as error:
        raise UserError(f"{path}: is no cache of task data ({error}). Move it away and start again.") from error
