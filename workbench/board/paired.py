"""One model against another on the same items: paired differences, with smaller errors than those of two scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.board.numbers import MISSING, Z_95, percent, plus_minus
from workbench.board.summary import TIE
from workbench.ratio import ratio
from workbench.records import ScoreRow

Items = Sequence[Mapping[str, Any]]
"""Per-item records of a score step, in the order in which they were asked."""


@dataclass(frozen=True)
class Difference:
    """A score minus the other model's, on the scale of the metric, and its paired standard error over `n` items.

    None where the metric is not the mean of its items (or, of bits per byte, their ratio), or items lack a value.
    """

    task: str
    metric: str
    in_mean: bool
    higher_is_better: bool
    value: float | None
    stderr: float | None
    n: int

    @property
    def better(self) -> bool | None:
        """Whether the model is better or worse by more than chance makes one in twenty; None if neither."""
        if self.value is None or self.stderr is None or abs(self.value) <= max(Z_95 * self.stderr, TIE):
            return None
        return (self.value > 0) == self.higher_is_better


@dataclass(frozen=True)
class ScoredItems:
    """Scores of one model in one role, and the items behind them."""

    rows: Sequence[ScoreRow]
    items: Items

    def values(self) -> dict[str, dict[int, float]]:
        """Task in the mean -> place among the task's items -> value of its metric; items without one are left out."""
        metrics = {row.task: row.metric for row in self.rows if row.in_mean}
        found: dict[str, dict[int, float]] = {task: {} for task in metrics}
        for item in self.items:
            value = item.get(metrics.get(item["task"], ""))
            if isinstance(value, int | float):
                of_task = found[item["task"]]
                of_task[len(of_task)] = float(value)
        return found


class Pairs:
    """Standard errors of the difference of two models' means over tasks, by the items that both answered."""

    def __init__(self, scored: Mapping[str, ScoredItems]) -> None:
        self._scored = scored

    def stderr(self, model: str, other: str) -> float | None:
        """None unless both are known and every task in the mean is the mean of items that both answered."""
        if model not in self._scored or other not in self._scored:
            return None
        ours, theirs = self._scored[model], self._scored[other]
        found = mean_difference(differences(ours.rows, ours.items, theirs.rows, theirs.items))
        return found and found[1]

    def errors(self, other: str) -> dict[str, float]:
        """Of all models against one, where they are known."""
        found = {model: self.stderr(model, other) for model in self._scored if model != other}
        return {model: stderr for model, stderr in found.items() if stderr is not None}


def differences(rows: Sequence[ScoreRow], items: Items, others: Sequence[ScoreRow], their: Items) -> list[Difference]:
    """The difference on every task that both were asked, in the order of `rows`."""
    known = {row.task: row for row in others}
    return [_difference(row, known[row.task], items, their) for row in rows if row.task in known]


def mean_difference(found: Sequence[Difference]) -> tuple[float, float | None] | None:
    """The mean over the tasks in the mean and its standard error: sqrt(sum of se^2) / k; None if one is undefined."""
    counted = [one for one in found if one.in_mean]
    values = [one.value for one in counted if one.value is not None]
    if not counted or len(values) < len(counted):
        return None
    stderrs = [one.stderr for one in counted if one.stderr is not None]
    stderr = math.hypot(*stderrs) / len(counted) if len(stderrs) == len(counted) else None
    return math.fsum(values) / len(values), stderr


def written(one: Difference) -> tuple[str, str, str]:
    """Difference, standard error and what to make of it, as a card shows them."""
    if one.value is None:
        return MISSING, "", ""
    word = {True: "better", False: "worse", None: ""}[one.better]
    if one.in_mean:
        return percent(one.value, signed=True), plus_minus(one.stderr), word
    return f"{one.value:+.3f}", "" if one.stderr is None else f"±{one.stderr:.3f}", word


def _difference(row: ScoreRow, other: ScoreRow, items: Items, their: Items) -> Difference:
    pairs = _pairs(row, [one for one in items if one["task"] == row.task], [o for o in their if o["task"] == row.task])
    comparable = (row.metric, row.task_version) == (other.metric, other.task_version)
    value, stderr = _paired(row, other, pairs) if pairs and comparable else (None, None)
    return Difference(row.task, row.metric, row.in_mean, row.higher_is_better, value, stderr, len(pairs))


def _pairs(row: ScoreRow, ours: Items, theirs: Items) -> list[tuple[Any, Any]]:
    """The metric of both on every item; nothing unless these are the same items, all with a value."""
    if [one["doc_hash"] for one in ours] != [one["doc_hash"] for one in theirs]:
        return []
    pairs = [(one.get(row.metric), other.get(row.metric)) for one, other in zip(ours, theirs, strict=True)]
    return [] if any(value is None for pair in pairs for value in pair) else pairs


def _paired(row: ScoreRow, other: ScoreRow, pairs: Sequence[tuple[Any, Any]]) -> tuple[float | None, float | None]:
    if row.metric == "bits_per_byte":
        sizes = [float(ours[1]) for ours, _ in pairs]
        changes = [-(float(ours[0]) - float(theirs[0])) / math.log(2) for ours, theirs in pairs]
        return ratio(changes, sizes)
    if not all(isinstance(value, int | float) for pair in pairs for value in pair):
        return None, None
    for scored, values in ((row, [ours for ours, _ in pairs]), (other, [theirs for _, theirs in pairs])):
        if scored.value is None or abs(math.fsum(values) / len(values) - scored.value) > 1e-6:
            return None, None  # the metric is more than the mean of its items
    return ratio([ours - theirs for ours, theirs in pairs], [1.0] * len(pairs))
