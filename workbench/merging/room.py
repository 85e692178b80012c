"""Whether what a merge writes fits on the disk, computed before it starts."""

from __future__ import annotations

import shutil
from pathlib import Path

from workbench.errors import UserError

SPARE_BYTES = 50_000_000
"""What tokenizer, config, card and the file system's own books may take."""


def check_room(out: Path, wanted: int) -> None:
    """Raise UserError when less than `wanted` bytes, and a little, are free where `out` lies."""
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if free < wanted + SPARE_BYTES:
        raise UserError(
            f"{out}: the merged model takes {(wanted + SPARE_BYTES) / 1e9:.1f} GB, {free / 1e9:.1f} GB are free. "
            "Free space, or name a folder on another disk."
        )
