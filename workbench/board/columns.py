"""The columns of one role's section: tasks in the mean, the summary, then the tasks beside the mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from workbench.board.escape import printable
from workbench.board.numbers import MISSING, percent, plus_minus, ratio, raw
from workbench.board.page import Cell, Column
from workbench.board.summary import Summary
from workbench.records import ScoreRow

LOWER_IS_BETTER = "↓"
PARTIAL = "†"
"""Marks a mean that leaves out a task of the section."""


def columns(rows: Sequence[ScoreRow], summaries: Sequence[Summary], baseline: str) -> tuple[Column, ...]:
    """All columns of a section; cells follow the order of the summaries."""
    tasks = measured_tasks(rows)
    models = [summary.model for summary in summaries]
    averaged = [row for row in rows if row.in_mean]
    beside = [row for row in rows if not row.in_mean]
    return (
        *(_score_column(of_task, models) for of_task in _by_measure(averaged)),
        _mean_column(summaries, tasks),
        *_gain_columns(summaries, baseline, tasks),
        *(_raw_column(of_task, models, beside) for of_task in _by_measure(beside)),
    )


def measured_tasks(rows: Sequence[ScoreRow]) -> int:
    """How many tasks in the mean have a defined score of any model; a full mean covers them all."""
    return len({row.task for row in rows if row.in_mean and row.value is not None})


def _by_measure(rows: Sequence[ScoreRow]) -> list[dict[str, ScoreRow]]:
    measures: dict[tuple[str, str], dict[str, ScoreRow]] = {}
    for row in rows:
        measures.setdefault((row.task, row.metric), {})[row.model] = row
    return list(measures.values())


def _score_column(of_task: dict[str, ScoreRow], models: Sequence[str]) -> Column:
    first = next(iter(of_task.values()))
    cells = [_score_cell(of_task.get(model)) for model in models]
    values = [of_task[model].value if model in of_task else None for model in models]
    return Column(printable(first.task), marked(cells, values), _items(of_task), percent(first.chance))


def _score_cell(row: ScoreRow | None) -> Cell:
    if row is None or row.value is None:
        return Cell(MISSING)
    return Cell(percent(row.value), plus_minus(row.stderr))


def _raw_column(of_task: dict[str, ScoreRow], models: Sequence[str], beside: Sequence[ScoreRow]) -> Column:
    first = next(iter(of_task.values()))
    values = [of_task[model].value if model in of_task else None for model in models]
    metrics = {row.metric for row in beside if row.task == first.task}
    name = printable(first.task if len(metrics) == 1 else f"{first.task} {first.metric}")
    header = name if first.higher_is_better else f"{name} {LOWER_IS_BETTER}"
    cells = marked([Cell(raw(value)) for value in values], values, first.higher_is_better)
    return Column(header, cells, _items(of_task), raw(first.chance))


def _items(of_task: dict[str, ScoreRow]) -> str:
    counts = {row.n for row in of_task.values()}
    return f"{min(counts)}" if len(counts) == 1 else f"≥{min(counts)}"


def _mean_column(summaries: Sequence[Summary], tasks: int) -> Column:
    cells = [_mean_cell(one, tasks) for one in summaries]
    # Over fewer tasks a mean may be higher without being better.
    return Column("mean", marked(cells, [one.mean if one.tasks_scored == tasks else None for one in summaries]))


def _mean_cell(one: Summary, tasks: int) -> Cell:
    if one.mean is None:
        return Cell(MISSING)
    mark = PARTIAL if one.tasks_scored < tasks else ""
    return Cell(percent(one.mean), f"{plus_minus(one.mean_stderr)}{mark}")


def _gain_columns(summaries: Sequence[Summary], baseline: str, tasks: int) -> Iterator[Column]:
    for header, cell, value in GAINS:
        empty = [one.model == baseline or not one.datasets_compared for one in summaries]
        cells = [Cell(MISSING) if skip else cell(one) for one, skip in zip(summaries, empty, strict=True)]
        values = [value(one) if _beats(one, baseline, tasks) else None for one in summaries]
        yield Column(header, marked(cells, values))


def _beats(one: Summary, baseline: str, tasks: int) -> bool:
    """Whether it may be best against the baseline: a gain over fewer tasks, or none at all, is never the best."""
    return one.model != baseline and one.datasets_compared == tasks and one.gain is not None and one.gain > 0


def _gain_cell(one: Summary) -> Cell:
    return Cell(percent(one.gain, signed=True), plus_minus(one.gain_stderr))


def _gained_cell(one: Summary) -> Cell:
    return Cell(f"{one.datasets_gained}/{one.datasets_compared}")


def _cv_cell(one: Summary) -> Cell:
    return Cell(ratio(one.cv_of_gains))


def _evenness(one: Summary) -> float | None:
    return None if one.cv_of_gains is None else -one.cv_of_gains


GAINS: tuple[tuple[str, Callable[[Summary], Cell], Callable[[Summary], float | None]], ...] = (
    ("gain", _gain_cell, lambda one: one.gain),
    ("#DG", _gained_cell, lambda one: float(one.datasets_gained)),
    ("CV of gains", _cv_cell, _evenness),
)
"""Header, what a cell shows, and the value by which the best is found (higher is better)."""


def marked(cells: Sequence[Cell], values: Sequence[float | None], higher_is_better: bool = True) -> tuple[Cell, ...]:
    """The cells with the best marked, together with those that print the same; none where all are alike."""
    known = [(value, cell.main) for value, cell in zip(values, cells, strict=True) if value is not None]
    if len({cell.main for cell in cells} - {MISSING}) < 2 or not known:
        return tuple(cells)
    _, best = max(known) if higher_is_better else min(known)
    return tuple(
        Cell(cell.main, cell.extra, best=value is not None and cell.main == best)
        for cell, value in zip(cells, values, strict=True)
    )
