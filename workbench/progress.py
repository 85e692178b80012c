"""How a stage says how far it is. The command line draws it; tests and libraries may pass `silent`."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with work done and work in all, in any one unit, and a short note such as the loss."""

    def __call__(self, done: float, total: float, note: str = "") -> None:
        """Report."""


def silent(done: float, total: float, note: str = "") -> None:
    """Report nothing."""
