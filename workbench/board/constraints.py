"""What keeps a candidate from being chosen, as sentences, and what would have to give for any to pass."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from workbench.board.comparable import Scores, defined
from workbench.board.numbers import count, distance
from workbench.board.summary import TIE
from workbench.errors import UserError

Constraint = Literal["scores", "datasets_gained", "max_drop"]


@dataclass(frozen=True)
class Failure:
    """A constraint that a candidate misses: which one, in a sentence, and the value that it would meet."""

    constraint: Constraint
    sentence: str
    would_meet: float


def lacks_scores(candidate: str, compared: Sequence[str], scores: Scores) -> list[Failure]:
    """A failure when another of the compared models has a task that the candidate lacks.

    A mean over fewer tasks could win by leaving out a hard one.
    """
    ours = defined(scores.get(candidate, {}))
    if not ours:
        return [Failure("scores", "has no validation score", math.inf)]
    tasks = dict.fromkeys(task for model in compared for task in defined(scores.get(model, {})))
    missing = [task for task in tasks if task not in ours]
    if not missing:
        return []
    sentence = f"has no score on {_listed(missing)}, which others have, so its mean does not compare with theirs"
    return [Failure("scores", sentence, len(missing))]


def gains_too_seldom(gained: int, of: int, at_least: int) -> list[Failure]:
    """A failure when the candidate's #DG, of so many tasks, is below the least that the rule asks for."""
    if gained >= at_least:
        return []
    sentence = f"gained on {gained} of {of} tasks; the rule asks for at least {at_least}"
    return [Failure("datasets_gained", sentence, gained)]


def falls_too_far(gains: Mapping[str, float], baseline: str, max_drop: float | None) -> list[Failure]:
    """A failure when the candidate falls below the baseline by more than `max_drop` on a task; names the worst."""
    if max_drop is None:
        return []
    drops = {task: -gain for task, gain in gains.items() if -gain > max_drop + TIE}
    if not drops:
        return []
    worst = max(drops, key=lambda task: drops[task])
    others = f" and too far on {count(len(drops) - 1, 'other task')}" if len(drops) > 1 else ""
    sentence = f"fell {distance(drops[worst])} below {baseline} on {worst}{others}; the rule allows {max_drop:g}"
    return [Failure("max_drop", sentence, drops[worst])]


def nobody_passes(failures: Mapping[str, Sequence[Failure]]) -> UserError:
    """The error for a rule that no candidate meets: the constraint that most of them miss, and how to loosen it."""
    constraint, missed_by = Counter(f.constraint for failed in failures.values() for f in failed).most_common(1)[0]
    # A candidate that misses only this constraint really passes once it is loosened, so its value is the better advice.
    missed_it = {name: failed for name, failed in failures.items() if constraint in {f.constraint for f in failed}}
    only_it = {name: failed for name, failed in missed_it.items() if len(failed) == 1}
    name, failure = _nearest(constraint, only_it or missed_it)
    also = "" if only_it else " (every candidate misses another constraint as well)"
    nobody = f"None of the {len(failures)} candidates" if len(failures) > 1 else "The only candidate"
    verb = "can" if len(failures) > 1 else "cannot"
    return UserError(
        f"{nobody} {verb} be chosen. {_what(constraint, missed_by)}; "
        f"the nearest, {name}, {failure.sentence}. {_way_out(constraint, failure.would_meet)}{also}."
    )


def _nearest(constraint: Constraint, failures: Mapping[str, Sequence[Failure]]) -> tuple[str, Failure]:
    missed = [(name, f) for name, failed in failures.items() for f in failed if f.constraint == constraint]
    pick = max if constraint == "datasets_gained" else min
    return pick(missed, key=lambda named: named[1].would_meet)


def _what(constraint: Constraint, missed_by: int) -> str:
    candidates = count(missed_by, "candidate")
    return {
        "scores": f"Scores are missing for {candidates}",
        "datasets_gained": f"Too few tasks gained: {candidates}",
        "max_drop": f"Too far below the baseline on a task: {candidates}",
    }[constraint]


def _way_out(constraint: Constraint, would_meet: float) -> str:
    return {
        "scores": "Run the scoring again to complete them, or take the task out of the validation suite",
        "datasets_gained": f"Lower the least number of datasets gained to {would_meet:g}, or add candidates",
        "max_drop": f"Raise the allowed drop to {_rounded_up(would_meet)}, or add candidates",
    }[constraint]


def _rounded_up(drop: float) -> str:
    # To the nearest it would be below the drop half of the time, and the advice would not help.
    return f"{math.ceil(round(1000 * drop, 6)) / 1000:g}" if math.isfinite(drop) else "more"


def _listed(tasks: Sequence[str]) -> str:
    return ", ".join(tasks) if len(tasks) <= 3 else f"{', '.join(tasks[:3])} and {len(tasks) - 3} more"
