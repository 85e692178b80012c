"""The processes of one training, where `accelerate launch` started several: one of them writes, all of them train."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def count() -> int:
    """How many processes train together; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def writes() -> bool:
    """Whether this process writes what all of them made."""
    return int(os.environ.get("RANK", "0")) == 0


def wait() -> None:
    """Go on when all processes have come here."""
    if count() > 1:
        _state().wait_for_everyone()


@contextmanager
def first() -> Iterator[None]:
    """The body is run by the process that writes, then by the others, which find what it made."""
    if count() == 1:
        yield
        return
    with _state().main_process_first():
        yield


def _state() -> Any:
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())
