"""The scores of one model on one suite, line by line."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.board.numbers import MISSING, count, percent, plus_minus, raw
from workbench.board.paired import Difference, mean_difference, written
from workbench.board.summary import summarise
from workbench.board.table import tidy
from workbench.records import ScoreRow

AGAINST = ("task", "metric", "other", "difference", "", "n", "remarks")
HEADER = ("task", "metric", "score", "", "chance", "n", "remarks")


def lines(rows: Sequence[ScoreRow]) -> list[tuple[str, ...]]:
    """A line of text for each score, under HEADER. Scores in the mean are in percent, others as they are."""
    return [_line(row) for row in rows]


def against(found: Sequence[Difference], others: Sequence[ScoreRow]) -> list[tuple[str, ...]]:
    """A line of text for each paired difference, under AGAINST, with the other model's score."""
    theirs = {row.task: _line(row)[2] for row in others}
    return [_against(one, theirs[one.task]) for one in found]


def mean_against(found: Sequence[Difference]) -> str:
    """The mean difference, and how many tasks are better and worse by more than chance makes one in twenty."""
    told = [one.better for one in found]
    counts = f"better on {told.count(True)}, worse on {told.count(False)} of {count(len(told), 'task')}"
    if (mean := mean_difference(found)) is None:
        return f"{counts} (beyond 1.96 standard errors)"
    value, stderr = mean
    return f"mean {percent(value, signed=True)} {plus_minus(stderr)}; {counts} (beyond 1.96 standard errors)"


def mean_line(rows: Sequence[ScoreRow], unavailable: int) -> str:
    """The unweighted mean over the tasks that were asked, and over how many of the suite's tasks it is."""
    [summary] = summarise(tidy(rows), rows[0].model)
    asked = sum(row.in_mean for row in rows)
    error = f" {plus_minus(summary.mean_stderr)}" if summary.mean_stderr is not None else ""
    return f"mean {percent(summary.mean)}{error} over {summary.tasks_scored} of {asked + unavailable} tasks"


def _line(row: ScoreRow) -> tuple[str, ...]:
    value = percent(row.value) if row.in_mean else raw(row.value)
    error = plus_minus(row.stderr) if row.in_mean else ""
    chance = MISSING if row.chance is None else percent(row.chance)
    return row.task, row.metric, value, error, chance, str(row.n), _remarks(row)


def _against(one: Difference, other: str) -> tuple[str, ...]:
    value, error, word = written(one)
    return one.task, one.metric, other, value, error, str(one.n or MISSING), word


def _remarks(row: ScoreRow) -> str:
    """What a reader must know of a score: answers that could not be read, prompts that were cut."""
    counts = ((row.unparsable, "unparsable"), (row.cut, "cut"), (row.unscored, "unscored"))
    found = [f"{number} {what}" for number, what in counts if number]
    return ", ".join(found if row.in_mean else [*found, "not in mean"])
