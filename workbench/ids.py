"""Content ids: the same declaration over the same inputs has the same id, on any machine.

Knows nothing of steps, files or models; pure functions over plain values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Plain = Any
"""Values that JSON can hold: None, bool, int, float, str, sequences and string-keyed mappings of them."""

SHORT = 12
"""Hex digits of an id that are shown and used in folder names (48 bits)."""


def canonical_json(value: Plain) -> str:
    """JSON text with sorted keys and no spaces. Lists keep their order: DARE depends on it. NaN is refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def content_id(kind: str, version: int, spec: Plain, inputs: Sequence[str]) -> str:
    """Hex sha256 of a step: its kind, the version of its code, its spec, and its inputs in listed order."""
    text = canonical_json({"kind": kind, "version": version, "spec": spec, "inputs": list(inputs)})
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_sha256(folder: Path) -> str:
    """Hex sha256 over the names and bytes of all files below a folder; caches of Python are left out."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{file_sha256(path)}\n".encode())
    return digest.hexdigest()
