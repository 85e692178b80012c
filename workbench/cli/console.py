"""The terminal: one console for words, one for errors, progress of a step, the table of outcomes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from workbench.plan import Step
from workbench.progress import Progress as Report
from workbench.records import Outcome
from workbench.run import Ended

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

_MARKS = {"done": ("✔", "green"), "skipped": ("·", "dim"), "failed": ("✘", "red"), "not run": ("-", "yellow")}


class Reporter:
    """Draws how far a run is: a bar over its steps and a line for the step at hand. Plain lines without a terminal."""

    def __init__(self, total: int) -> None:
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
            transient=True,
        )
        self._total = total
        self._steps = self._bar.add_task("steps", total=total, note="")
        self._done = -1
        self._last = 0.0

    @contextmanager
    def drawing(self) -> Iterator[Reporter]:
        """Draw while the body runs."""
        if not console.is_terminal:
            yield self
            return
        with self._bar:
            yield self

    def starting(self, step: Step) -> None:
        """A step begins."""
        self._done += 1
        self._bar.update(self._steps, completed=self._done, note=f"{step.kind} {step.name}")
        if not console.is_terminal:
            console.print(f"[{self._done + 1}/{self._total}] {step.kind} {step.name}", markup=False)

    def progress(self, done: float, total: float, note: str = "") -> None:
        """The step at hand is so far."""
        task = self._bar.tasks[self._steps]
        if console.is_terminal:
            name = str(task.fields["note"]).split(" · ")[0]
            self._bar.update(self._steps, note=f"{name} · {done:.0f}/{total:.0f} · {note}")
        elif time.monotonic() - self._last > 15:
            self._last = time.monotonic()
            console.print(f"  {done:.0f}/{total:.0f} {note}", markup=False)


@contextmanager
def working(on: str) -> Iterator[Report]:
    """Draw how far one piece of work is while the body runs; nothing without a terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[far]}"),
    )
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(on, total=None, far="")

        def report(done: float, total: float, note: str = "") -> None:
            bar.update(task, completed=done, total=total, far=f"{done:.0f}/{total:.0f} {note}")

        yield report


def outcome_table(ended: Iterable[Ended]) -> Table:
    """Every step that did something or could not, and a line that sums up."""
    table = Table(box=None, padding=(0, 1), show_header=False)
    rows = list(ended)
    for end in rows:
        mark, style = _MARKS[end.outcome]
        if end.outcome != "skipped":
            seconds = f"{end.seconds:.1f} s" if end.outcome == "done" else ""
            table.add_row(Text(mark, style), end.step.kind, end.step.name, seconds, Text(end.reason, style))
    counts = Counter(end.outcome for end in rows)
    table.add_row("", "", "", "", "")
    table.add_row("", Text(", ".join(f"{counts[name]} {name}" for name in get_args(Outcome) if counts[name]), "bold"))
    return table


def time_by_kind(ended: Iterable[Ended]) -> str:
    """Where the time went: seconds by kind of step, largest first."""
    seconds: Counter[str] = Counter()
    for end in ended:
        seconds[end.step.kind] += round(end.seconds)
    return ", ".join(f"{kind} {spent} s" for kind, spent in seconds.most_common() if spent)


def wrote(path: Path) -> None:
    """Say where a file is: in one line and letter by letter, so that it can be copied."""
    console.print(f"wrote {path}", style="dim", markup=False, soft_wrap=True)


def sentence(text: str) -> None:
    """An error of the user's, on standard error, without markup."""
    errors.print(escape(text), style="red", soft_wrap=True)
