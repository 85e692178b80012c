"""numba's door: loops become machine code at their first call, which later processes find again.

numba keeps machine code under the date of the one file that a loop stands in. Loops here call loops of other files, so
after an update of one of them numba would run the old code of its callers; it is therefore kept under a digest of all
of the kernels' source text.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

Loop = TypeVar("Loop", bound=Callable[..., Any])
SETTINGS: Any = numba.config


def compiled(loop: Loop) -> Loop:
    """Compile a loop at its first call."""
    before, SETTINGS.CACHE_DIR = SETTINGS.CACHE_DIR, _folder()  # numba reads it here, once for each loop
    try:
        fast: Any = numba.njit(nogil=True, cache=True, error_model="numpy")(loop)
    finally:
        SETTINGS.CACHE_DIR = before
    return fast  # type: ignore[no-any-return]


def digest(folder: Path) -> str:
    """Hex digits that change with the text of any Python file in a folder or below."""
    text = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        text.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return text.hexdigest()[:12]


@cache
def _folder() -> str:
    """Where machine code is kept: where numba is told to, else beside the source, else in the user's cache."""
    source = Path(__file__).parent
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "workbench"
    beside = source / "__pycache__" if os.access(source, os.W_OK) else home
    return str(Path(SETTINGS.CACHE_DIR or beside) / f"loops-{digest(source)}")
