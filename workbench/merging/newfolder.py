"""A folder that appears whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workbench.errors import StepFailed, UserError
from workbench.store import disk_full, fsync


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to write into, of the name of `out`; it becomes `out` when the body ends, and is gone when it raises.

    Raises UserError when `out` exists or cannot be written, StepFailed when the disk is full.
    """
    if out.exists():
        raise UserError(f"{out}: exists already. Name a new folder, or remove it.")
    temp = out.with_name(f".{out.name}.tmp-{os.getpid()}")
    made = [parent for parent in out.absolute().parents if not parent.exists()]
    try:
        (temp / out.name).mkdir(parents=True)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}). Name a folder you own.") from error
    try:
        result = temp / out.name
        yield result
        for path in (*result.iterdir(), result):
            fsync(path)
        result.rename(out)
    except Exception as error:
        if _is_disk_full(error):
            raise StepFailed(disk_full(out.parent)) from error
        raise
    finally:
        shutil.rmtree(temp, ignore_errors=True)
        for parent in made:
            with suppress(OSError):  # not empty: it holds `out`
                parent.rmdir()


def _is_disk_full(error: Exception) -> bool:
    """Whether a library's error says so; safetensors has a class of its own for it."""
    return getattr(error, "errno", None) == errno.ENOSPC or "No space left on device" in str(error)
