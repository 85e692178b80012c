"""One summary per model: mean, gain over the baseline, datasets gained (#DG) and CV of gains.

The measures by which the MediPhi paper selects (Corbeil et al. 2025, arXiv 2505.10717, Tables 2 to 5). Scores are used
as they are, 0 to 1.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from workbench.board.comparable import Scores, defined, scores_in_mean
from workbench.board.table import Frame
from workbench.errors import UserError
from workbench.records import ScoreRow

NOTHING: Mapping[str, float] = MappingProxyType({})
TIE = 1e-12
"""Means and gains closer than this differ by float rounding only."""


@dataclass(frozen=True)
class Summary:
    """How one model did over the tasks in the mean, alone and against the baseline.

    Attributes:
        model: Name for people.
        model_id: Content id of the weights.
        mean: Unweighted mean over the tasks with a defined value; None if there is none.
        mean_stderr: sqrt(sum of se^2) / k over the same k tasks; None if any standard error is undefined.
        tasks_scored: k, the tasks with a defined value.
        tasks_total: The tasks in the mean that any model of the frame has.
        gain: Mean difference from the baseline, over the tasks that both have; None if there is none.
        gain_stderr: Standard error of `gain`: paired where the answers to the same items are known, else as if the two
            models had answered different items, which is larger. None if any standard error is undefined; 0 for the
            baseline itself.
        datasets_gained: #DG, the tasks whose score is strictly higher than the baseline's.
        datasets_compared: The tasks that both have.
        cv_of_gains: std(gains, ddof=1) / |mean(gains)|, low when the gain is spread evenly; None for fewer than two
            tasks and for a mean gain of 0.
    """

    model: str
    model_id: str
    mean: float | None
    mean_stderr: float | None
    tasks_scored: int
    tasks_total: int
    gain: float | None
    gain_stderr: float | None
    datasets_gained: int
    datasets_compared: int
    cv_of_gains: float | None


def summarise(frame: Frame, baseline: str, paired: Mapping[str, float] = NOTHING) -> list[Summary]:
    """A summary per model of a frame that holds one role, in the order in which the models first appear.

    `paired` are standard errors of gains by the items that a model and the baseline both answered (`Pairs.errors`).

    Raises:
        ValueError: the frame mixes roles.
        UserError: the baseline has no score, or scores do not compare (see `scores_in_mean`).
    """
    scores = scores_in_mean(frame)
    require_baseline(scores, baseline)
    ids = dict(zip(frame["model"], frame["model_id"], strict=True))
    total = len({task for of_model in scores.values() for task in of_model})
    return [_summary(model, str(ids[model]), scores, baseline, total, paired.get(model)) for model in scores]


def gains(scores: Scores, model: str, baseline: str) -> dict[str, float]:
    """Task -> score minus the baseline's, over the tasks that both have."""
    ours, base = defined(scores[model]), defined(scores[baseline])
    return {task: value - base[task] for task, value in ours.items() if task in base}


def require_baseline(scores: Scores, baseline: str) -> None:
    """Raise UserError when no model of that name was scored."""
    if baseline not in scores:
        known = ", ".join(scores) or "none"
        raise UserError(
            f"The baseline '{baseline}' has no score here, so there is nothing to measure a gain against. "
            f"Score it, or name one of the scored models as baseline: {known}."
        )


def _summary(model: str, model_id: str, scores: Scores, baseline: str, total: int, paired: float | None) -> Summary:
    ours = [row for row in scores[model].values() if row.value is not None]
    values = [row.value for row in ours if row.value is not None]
    deltas = gains(scores, model, baseline)
    compared = [scores[name][task] for task in deltas for name in (model, baseline)]
    unpaired = 0.0 if deltas and model == baseline else _stderr_of_mean(compared, len(deltas))
    return Summary(
        model=model,
        model_id=model_id,
        mean=math.fsum(values) / len(values) if values else None,
        mean_stderr=_stderr_of_mean(ours, len(ours)),
        tasks_scored=len(ours),
        tasks_total=total,
        gain=math.fsum(deltas.values()) / len(deltas) if deltas else None,
        gain_stderr=unpaired if paired is None else paired,
        datasets_gained=sum(delta > 0 for delta in deltas.values()),
        datasets_compared=len(deltas),
        cv_of_gains=_coefficient_of_variation(list(deltas.values())),
    )


def _stderr_of_mean(rows: Iterable[ScoreRow], tasks: int) -> float | None:
    stderrs = [row.stderr for row in rows]
    known = [stderr for stderr in stderrs if stderr is not None]
    if not tasks or len(known) < len(stderrs):
        return None
    return math.hypot(*known) / tasks


def _coefficient_of_variation(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    # Gains that cancel leave a mean of about 1e-17, not 0: dividing by it would print a CV of 1e15.
    return statistics.stdev(values) / abs(mean) if abs(mean) > TIE else None
