"""A mirror of sources that a test writes itself."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.data.catalogue import SOURCES
from workbench.data.source import RemoteFile, Source

Put = Callable[[str, str, Any], None]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """`put(source, file, rows)`: rows as CSV or JSON lines, or a text, in a mirror that has nothing else."""
    monkeypatch.setenv("WORKBENCH_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    files: dict[str, list[RemoteFile]] = {}

    def write(source: str, file: str, rows: Any) -> None:
        path = tmp_path / "mirror" / source / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(rows, str):
            path.write_text(rows, encoding="utf-8")
        elif file.endswith(".csv"):
            with path.open("w", newline="", encoding="utf-8") as out:
                writer = csv.DictWriter(out, rows[0].keys())
                writer.writeheader()
                writer.writerows(rows)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        files.setdefault(source, []).append(RemoteFile(file))
        monkeypatch.setitem(SOURCES, source, Source(source, "MIT", source, tuple(files[source]), obtain="Ask us."))

    return write
