"""What a search came to both ways: seconds by stage, scores, winners, the race; as tables and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from rich.table import Table

from workbench.scoring.racing.replay import Replay

STAGES = ("start-up", "load", "merge", "score")
LOOP, ALL, RACE = "mergekit-yaml + lm_eval", "workbench, all items", "workbench, racing"

Values = Mapping[str, Mapping[str, Sequence[float]]]
"""Candidate -> task -> the metric of every item, 0 to 1."""


@dataclass(frozen=True)
class Run:
    """All candidates once: seconds by stage on the clock, and of the CPU in all of them."""

    seconds: Mapping[str, float]
    cpu_seconds: float

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


@dataclass(frozen=True)
class Way:
    """So many candidates one way: the run whose total is the median, and the totals of all (s)."""

    candidates: int
    run: Run
    totals: tuple[float, ...]

    @property
    def an_hour(self) -> float:
        return 3600 * self.candidates / self.run.total


def way(candidates: int, runs: Sequence[Run]) -> Way:
    """The middle one of several runs; of two in the middle the faster."""
    totals = [run.total for run in runs]
    middle = sorted(range(len(runs)), key=totals.__getitem__)[(len(runs) - 1) // 2]
    return Way(candidates, runs[middle], tuple(totals))


def score(values: Mapping[str, Sequence[float]]) -> float:
    """The mean over tasks of the mean over items, 0 to 1."""
    return fmean(fmean(of_task) for of_task in values.values())


def best(values: Values) -> str:
    """The candidate with the highest score, the first of several."""
    return max(values, key=lambda name: round(score(values[name]), 12))


def apart(one: Mapping[str, Sequence[float]], other: Mapping[str, Sequence[float]]) -> int:
    """Items that two sets of answers have different values for."""
    return sum(a != b for task in one for a, b in zip(one[task], other[task], strict=True))


def stages(ways: Mapping[str, Way]) -> Table:
    """Seconds a candidate by stage, with their part of it; candidates an hour; ratios to the loop's."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("s a candidate", *STAGES, "all", "of the CPU", "an hour", "ratio", "of CPU s"):
        table.add_column(column, justify="left" if column == "s a candidate" else "right")
    loop = ways[LOOP]
    for kind, found in ways.items():
        run, n = found.run, found.candidates
        parts = [f"{run.seconds[stage] / n:.2f} ({run.seconds[stage] / run.total:.0%})" for stage in STAGES]
        whole = [f"{run.total / n:.2f}", f"{run.cpu_seconds / n:.2f}", f"{found.an_hour:.1f}"]
        ratios = found.an_hour / loop.an_hour, loop.run.cpu_seconds / loop.candidates / run.cpu_seconds * n
        table.add_row(kind, *parts, *whole, *(f"{ratio:.2f}" for ratio in ratios))
    return table


def scores(values: Values, loop: Values, drawn: Sequence[str]) -> Table:
    """Scores of the candidates both ways (x 100), and on how many items they differ."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("candidate", "ours", "loop", "items apart"):
        table.add_column(column, justify="left" if column == "candidate" else "right")
    for name, found in values.items():
        theirs = f"{100 * score(loop[name]):.2f}" if name in loop else ""
        items = "" if name not in loop else "draws" if name in drawn else f"{apart(found, loop[name])}"
        table.add_row(name, f"{100 * score(found):.2f}", theirs, items)
    return table


def agreement(values: Values, loop: Values, drawn: Sequence[str]) -> str:
    """Whether scores and winner agree, over the candidates that both ways scored and that draw nothing."""
    names = [name for name in loop if name not in drawn]
    if not names:
        return "scores: nothing to compare, all candidates of the loop draw random numbers"
    items = len(names) * sum(map(len, values[names[0]].values()))
    different = sum(apart(values[name], loop[name]) for name in names)
    most = max(abs(score(values[name]) - score(loop[name])) for name in names)
    line = f"scores of {len(names)}: {different} of {items} items differ, a score by {100 * most:.2f} points at most"
    if len(names) < 2:
        return f"{line}; one candidate has no winner"
    mine, other = (best({name: given[name] for name in names}) for given in (values, loop))
    if mine == other:
        return f"{line}; the winner is the same, {mine}"
    lead = score(loop[other]) - score(loop[mine])
    return f"{line}; the winner is {mine} here and {other} in the loop, by {100 * lead:.2f} points there"


def racing(race: Mapping[str, Any], values: Values, replayed: Replay) -> str:
    """What the race asked and chose, and what races with other seeds would have, on the answers that are known."""
    winner, exhaustive = race["winner"], best(values)
    share, behind = race["asked"] / race["exhaustive"], score(values[exhaustive]) - score(values[winner])
    same = "the same winner" if winner == exhaustive else f"{winner} instead of {exhaustive}"
    return (
        f"race: {race['asked']} of {race['exhaustive']} items asked ({share:.0%}), {same}, "
        f"{100 * behind:.2f} points behind\n"
        f"replayed with {replayed.races} seeds: the same winner in {replayed.same_winner:.0%}, "
        f"{replayed.mean_share:.0%} of the items asked on average and {replayed.largest_share:.0%} at most, "
        f"{100 * replayed.mean_regret:.2f} points behind on average"
    )
