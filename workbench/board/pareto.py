"""Pareto fronts: who is left when every candidate goes that another equals or beats on all measures and beats on one.

For a run the measures are the mean and the largest fall below the baseline, which pull apart: a merge that wins on
average may have lost what the base could do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.board.comparable import scores_in_mean
from workbench.board.numbers import distance, score
from workbench.board.select import Rule, failures
from workbench.board.summary import TIE, Summary, gains, summarise
from workbench.board.table import Frame

SHOWN = 8
"""Candidates that a sentence names."""


@dataclass(frozen=True)
class TradeOff:
    """A candidate on the front: its mean, and how far it falls below the baseline on its worst task (0: nowhere)."""

    model: str
    mean: float
    fall: float


def front(points: Mapping[str, Sequence[float]]) -> list[str]:
    """The names that nobody dominates, in the order given; of equal points all.

    Higher is better on every measure; values closer than TIE are equal.
    """
    return [name for name, point in points.items() if not any(_dominates(other, point) for other in points.values())]


def trade_offs(summaries: Sequence[Summary], gains_of: Mapping[str, Mapping[str, float]]) -> tuple[TradeOff, ...]:
    """The front of mean against largest fall, highest mean first; of equal means in the order given.

    Models are left out that have no mean, or no task in common with the baseline. The others must have the same tasks.
    """
    found = {
        one.model: TradeOff(one.model, one.mean, max(0.0, -min(gains_of[one.model].values())))
        for one in summaries
        if one.mean is not None and gains_of[one.model]
    }
    best = front({name: (one.mean, -one.fall) for name, one in found.items()})
    return tuple(sorted((found[name] for name in best), key=lambda one: -one.mean))


def front_of(frame: Frame, baseline: str, candidates: Sequence[str], rule: Rule) -> tuple[TradeOff, ...]:
    """The front of the candidates of a run that meet its rule, scored on every task; empty for fewer than two of them.

    `frame` holds validation scores. Raises as `summarise`.
    """
    missed = failures(candidates, frame, baseline, rule)
    eligible = [one for one in summarise(frame, baseline) if one.model in missed and not missed[one.model]]
    if len(eligible) < 2:
        return ()
    scores = scores_in_mean(frame)
    return trade_offs(eligible, {one.model: gains(scores, one.model, baseline) for one in eligible})


def sentence(found: Sequence[TradeOff], chosen: str, baseline: str) -> str:
    """The front in a sentence, both numbers of each candidate beside its name; "" for an empty one."""
    if not found:
        return ""
    named = ", ".join(f"{one.model} ({score(one.mean)}, {_fall(one)})" for one in found[:SHOWN])
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    alone = ", alone: no other has a higher mean or falls less" if len(found) == 1 else ""
    off = "" if chosen in {one.model for one in found} else f"; {chosen}, which was chosen, is not on it"
    return f"Pareto front (mean, largest fall below {baseline} on a task): {named}{more}{alone}{off}"


def _fall(one: TradeOff) -> str:
    return "no fall" if one.fall <= TIE else distance(one.fall)


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    ahead = [ours - theirs for ours, theirs in zip(one, other, strict=True)]
    return min(ahead) >= -TIE and max(ahead) > TIE
