"""Every error the workbench raises on purpose.

`UserError` is the user's mistake: one clear sentence, exit code 2, no traceback. `StepFailed` is a step of a run
that could not finish: exit code 1. Anything else is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class WorkbenchError(Exception):
    """Root of all errors raised on purpose; `exit_code` is what the command line returns."""

    exit_code: ClassVar[int] = 1


class UserError(WorkbenchError):
    """Something the user can put right: the message names the place, the value and the way out."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a declaration, at a line of a file (`line` counts from 1)."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


class SpecError(UserError):
    """All mistakes of all declarations, in one answer."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Incompatible(UserError):
    """Weights that cannot be merged, loaded or trusted, refused before or while they are read."""


class MissingExtra(UserError):
    """A package of an optional extra is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs packages that are not installed. Run: pip install 'workbench[{extra}]'")


class DataMissing(UserError):
    """A source that is not on this machine and cannot be fetched; the sentence says what to get and where to put it."""


class StepFailed(WorkbenchError):
    """A step of a run did not finish; the message carries the step's name and the reason."""
