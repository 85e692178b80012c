"""Which scores may be averaged and compared: one role, one measure per task, higher is better."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from workbench.board.table import Frame, score_rows
from workbench.errors import UserError
from workbench.records import ScoreRow

Scores: TypeAlias = dict[str, dict[str, ScoreRow]]
"""Model -> task -> its score; models and tasks in the order in which they first appear."""


def scores_in_mean(frame: Frame) -> Scores:
    """The scores that count in the mean, of every model of the frame, also of those that have none.

    Raises:
        ValueError: the frame mixes roles.
        UserError: a task in the mean is lower-is-better, or was measured in two ways.
    """
    rows = score_rows(frame)
    if len({row.role for row in rows}) > 1:
        raise ValueError("scores of one role only: a mean over validation and test items means nothing")
    averaged = [row for row in rows if row.in_mean]
    for task, of_task in by_task(averaged).items():
        _refuse_lower_is_better(task, of_task)
        _refuse_two_measures(task, of_task)
    scores: Scores = {row.model: {} for row in rows}
    for row in averaged:
        scores[row.model][row.task] = row
    return scores


def by_task(rows: Iterable[ScoreRow]) -> dict[str, list[ScoreRow]]:
    """The rows of each task, tasks in the order in which they first appear."""
    groups: dict[str, list[ScoreRow]] = {}
    for row in rows:
        groups.setdefault(row.task, []).append(row)
    return groups


def defined(scores: dict[str, ScoreRow]) -> dict[str, float]:
    """Task -> value, without the tasks whose value is undefined."""
    return {task: row.value for task, row in scores.items() if row.value is not None}


def _refuse_lower_is_better(task: str, rows: list[ScoreRow]) -> None:
    for row in rows:
        if not row.higher_is_better:
            raise UserError(
                f"{task}: its metric {row.metric} is better when lower and cannot be averaged with scores. "
                "Set in_mean to false for it in the suite: it is then shown beside the mean."
            )


def _refuse_two_measures(task: str, rows: list[ScoreRow]) -> None:
    measures = list(dict.fromkeys((row.metric, row.task_version) for row in rows))
    if len(measures) > 1:
        (metric, version), (other_metric, other_version) = measures[:2]
        raise UserError(
            f"{task}: scored as {metric} (task version {version}) and as {other_metric} (task version "
            f"{other_version}), which do not compare. Score all models again with one of them."
        )
