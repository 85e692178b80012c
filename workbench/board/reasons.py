"""The sentences of a choice: why the winner won, and why each candidate that met the rule lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from workbench.board.numbers import MISSING, count, distance, noise, score, with_error
from workbench.board.summary import TIE, Summary

TieBreak = Literal["cv_of_gains", "datasets_gained"]
TIE_BREAK_NAMES = {"cv_of_gains": "CV of gains", "datasets_gained": "number of tasks gained"}


@dataclass(frozen=True)
class Contest:
    """A decided choice.

    Attributes:
        winner: Who won.
        losers: The others that met the rule, best first.
        baseline: Name of the model that gains are measured against.
        listed: How many candidates the run names.
        scored: How many of them have a validation score, whether or not they met the rule.
        tie_break: What decided between equal means.
        stderrs: Of the difference of the winner's mean and each loser's; None where it is undefined.
        trust: How far the winner's mean can be trusted, from paired items; empty where only means are known.
    """

    winner: Summary
    losers: Sequence[Summary]
    baseline: str
    listed: int
    scored: int
    tie_break: TieBreak
    stderrs: Mapping[str, float | None]
    trust: tuple[str, ...] = ()


def rank(candidates: Sequence[Summary], tie_break: TieBreak) -> list[Summary]:
    """Candidates by mean, best first; equal means by the tie break, then in the order given."""
    left = sorted(candidates, key=mean_of, reverse=True)
    ranked: list[Summary] = []
    while left:
        tied = [one for one in left if mean_of(left[0]) - mean_of(one) <= TIE]
        listed = [one for one in candidates if one in tied]
        ranked += sorted(listed, key=lambda one: _tie_key(one, tie_break))
        left = left[len(tied) :]
    return ranked


def why_chosen(contest: Contest) -> tuple[str, ...]:
    """Reasons for the winner: its mean, its gain, a tie, who is within noise, and how far to trust the number."""
    sentences = (
        _place(contest),
        _gain(contest.winner, contest.baseline),
        _tied(contest),
        *(contest.trust or (_noise(contest), _optimism(contest.scored))),
    )
    return tuple(sentence for sentence in sentences if sentence)


def why_not(loser: Summary, contest: Contest) -> str:
    """Why a candidate that met the rule lost, in a sentence."""
    winner = contest.winner
    below = mean_of(winner) - mean_of(loser)
    if below <= TIE:
        return _lost_tie(loser, winner, contest.tie_break)
    stderr = contest.stderrs[loser.model]
    trust = "standard error unknown"
    if stderr is not None:
        trust = f"standard error of the difference {stderr:.3f}: {noise(below, stderr)}"
    return f"mean {score(loser.mean)} is {distance(below)} below the winner's {score(winner.mean)} ({trust})"


def mean_of(summary: Summary) -> float:
    """The mean of a candidate that met the rule, which always has one."""
    if summary.mean is None:
        raise ValueError(f"{summary.model} has no mean and cannot be ranked")
    return summary.mean


def _tie_key(summary: Summary, tie_break: TieBreak) -> float:
    if tie_break == "datasets_gained":
        return -summary.datasets_gained
    # Rounded, so that float rounding does not decide where the listed order should.
    return float("inf") if summary.cv_of_gains is None else round(summary.cv_of_gains, 9)


def _place(contest: Contest) -> str:
    winner, met = contest.winner, 1 + len(contest.losers)
    tasks = count(winner.tasks_scored, "task")
    mean = f"validation mean {with_error(mean_of(winner), winner.mean_stderr)} over {tasks}"
    if contest.listed == 1:
        return f"{mean}; it is the only candidate"
    if met == contest.listed:
        return f"{mean}, the highest of {contest.listed} candidates"
    if met == 1:
        return f"{mean}; of {contest.listed} candidates it is the only one that meets the rule"
    return f"{mean}, the highest of the {met} candidates that meet the rule, out of {contest.listed}"


def _gain(winner: Summary, baseline: str) -> str:
    if winner.model == baseline:
        return "it is the baseline itself: no candidate that meets the rule does better"
    if winner.gain is None:
        return f"no task in common with {baseline}, so its gain is unknown"
    verdict = noise(winner.gain, winner.gain_stderr)
    parts = [
        f"gain over {baseline} {with_error(winner.gain, winner.gain_stderr, signed=True)}",
        f" ({verdict})" if verdict else "",
        f", higher on {winner.datasets_gained} of {count(winner.datasets_compared, 'task')}",
        "" if winner.cv_of_gains is None else f", CV of gains {winner.cv_of_gains:.1f}",
        "" if winner.gain > TIE else f"; it does not beat {baseline}",
    ]
    return "".join(parts)


def _tied(contest: Contest) -> str:
    name, key = TIE_BREAK_NAMES[contest.tie_break], _tie_key(contest.winner, contest.tie_break)
    tied = [one for one in contest.losers if mean_of(contest.winner) - mean_of(one) <= TIE]
    full = ", ".join(one.model for one in tied if _tie_key(one, contest.tie_break) == key)
    broken = ", ".join(one.model for one in tied if _tie_key(one, contest.tie_break) != key)
    better = "lower" if contest.tie_break == "cv_of_gains" else "higher"
    sentences = (
        f"its mean ties with {broken}, and its {name} is {better}" if broken else "",
        f"its mean and its {name} tie with {full}, and it is listed first" if full else "",
    )
    return "; ".join(sentence for sentence in sentences if sentence)


def _noise(contest: Contest) -> str:
    close = [one for one in contest.losers if _is_close(one, contest)]
    if not close:
        return ""
    are = "is" if len(close) == 1 else "are"
    who = f"{len(close)} of the {len(contest.losers)} others that meet the rule {are}"
    if len(contest.losers) == 1:
        who = "the only other that meets the rule is"
    return f"{who} within noise of it: other items could have chosen another"


def _is_close(loser: Summary, contest: Contest) -> bool:
    return noise(mean_of(contest.winner) - mean_of(loser), contest.stderrs[loser.model]) == "within noise"


def _optimism(scored: int) -> str:
    if scored < 2:
        return ""
    return (
        f"{scored} candidates were compared on the same items, and the best of {scored} looks better there than it is: "
        "its validation mean is optimistic, so judge it by its test scores"
    )


def _lost_tie(loser: Summary, winner: Summary, tie_break: TieBreak) -> str:
    name, mean = TIE_BREAK_NAMES[tie_break], score(winner.mean)
    if _tie_key(loser, tie_break) == _tie_key(winner, tie_break):
        return f"ties with the winner on the mean of {mean} and on {name}; the winner is listed first"
    ours, theirs = _tie_value(loser, tie_break), _tie_value(winner, tie_break)
    worse = "above" if tie_break == "cv_of_gains" else "below"
    if ours == MISSING:
        return f"ties with the winner on the mean of {mean}, but its {name} is undefined (the winner's is {theirs})"
    return f"ties with the winner on the mean of {mean}, but its {name}, {ours}, is {worse} the winner's {theirs}"


def _tie_value(summary: Summary, tie_break: TieBreak) -> str:
    return score(summary.cv_of_gains) if tie_break == "cv_of_gains" else str(summary.datasets_gained)
