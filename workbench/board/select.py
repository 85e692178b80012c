"""Choose one candidate by its validation scores, and say why it and why not the others.

Test scores never come in here: choosing by them would make the number that is reported afterwards a training result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from workbench.board.comparable import scores_in_mean
from workbench.board.constraints import Failure, falls_too_far, gains_too_seldom, lacks_scores, nobody_passes
from workbench.board.numbers import difference_stderr
from workbench.board.paired import Pairs
from workbench.board.reasons import Contest, TieBreak, mean_of, rank, why_chosen, why_not
from workbench.board.summary import Summary, gains, summarise
from workbench.board.table import Frame
from workbench.board.winner import Values, sentences, winner
from workbench.errors import UserError
from workbench.records import Rejection, Selection

NO_PAIRS = Pairs({})


@dataclass(frozen=True)
class Rule:
    """What a choice is made by: the highest mean among the candidates that meet both constraints.

    Attributes:
        by: The measure that ranks.
        datasets_gained_at_least: Smallest #DG; 0 asks for nothing.
        max_drop: Largest fall below the baseline on any task in the mean, on the scale of the scores (0.02 is two
            points in a hundred); None allows any.
        tie_break: Between equal means, the lower CV of gains or the higher #DG; after that, the order of the list.
    """

    by: Literal["mean"] = "mean"
    datasets_gained_at_least: int = 0
    max_drop: float | None = None
    tie_break: TieBreak = "cv_of_gains"


def rule_of(declared: Mapping[str, Any]) -> Rule:
    """The rule that a run file's `select` declares, defaults included; of a pick, which asks for nothing else, `by`."""
    given = dict(declared)
    at_least = given.pop("at_least", {})
    return Rule(**given, datasets_gained_at_least=at_least.get("datasets_gained", 0))


def choose(
    frame: Frame, baseline: str, candidates: Sequence[str], rule: Rule, values: Values | None = None,
    pairs: Pairs = NO_PAIRS,
) -> Selection:  # fmt: skip
    """The best candidate under the rule, with reasons for it and one sentence for every other.

    Args:
        frame: Tidy validation scores of at least the baseline and the candidates.
        baseline: Name of the model that gains are measured against.
        candidates: Names that may be chosen; an earlier one wins a full tie. The baseline may be among them.
        rule: Constraints, measure and tie break.
        values: Candidate -> task -> item -> value of validation, also of candidates that a search tried and did not
            bring here. With these, reasons tell from paired items what the winner's mean is worth.
        pairs: What baseline and candidates answered on validation; errors of differences are paired by it.

    Returns:
        The selection; its `rejected` holds the candidates that met the rule by rank, then the others as listed.

    Raises:
        ValueError: the frame holds a row that is not validation; a bug of ours, never the user's.
        UserError: no candidate was named, or none meets the rule.
    """
    _refuse_other_roles(frame)
    names = list(dict.fromkeys(candidates))
    if not names:
        raise UserError("There is no candidate to choose from. List at least one under `candidates` of the run file.")
    summaries = {summary.model: summary for summary in summarise(frame, baseline, pairs.errors(baseline))}
    failed = failures(names, frame, baseline, rule)
    ranked = rank([summaries[name] for name in names if not failed[name]], rule.tie_break)
    if not ranked:
        raise nobody_passes(failed)
    best, *losers = ranked
    scored = sum(name in summaries for name in names)
    trust = _trust(values, [one.model for one in ranked]) if values else ()
    stderrs = {one.model: _stderr_between(best, one, pairs) for one in losers}
    contest = Contest(best, losers, baseline, len(names), scored, rule.tie_break, stderrs, trust)
    return Selection(
        model=best.model,
        model_id=best.model_id,
        value=mean_of(best),
        reasons=why_chosen(contest),
        rejected=(
            *(Rejection(loser.model, why_not(loser, contest)) for loser in losers),
            *(Rejection(name, "; ".join(f.sentence for f in missed)) for name, missed in failed.items() if missed),
        ),
    )


def failures(names: Sequence[str], frame: Frame, baseline: str, rule: Rule) -> dict[str, list[Failure]]:
    """What keeps each candidate from being chosen; nothing for those that meet the rule. Raises as `summarise`."""
    scores, summaries = scores_in_mean(frame), {summary.model: summary for summary in summarise(frame, baseline)}
    found = {name: lacks_scores(name, [baseline, *names], scores) for name in names}
    for name in [name for name, missed in found.items() if not missed]:
        found[name] += gains_too_seldom(
            summaries[name].datasets_gained, summaries[name].datasets_compared, rule.datasets_gained_at_least
        )
        found[name] += falls_too_far(gains(scores, name, baseline), baseline, rule.max_drop)
    return found


def _stderr_between(winner: Summary, loser: Summary, pairs: Pairs) -> float | None:
    """Of the difference of their means: paired where both answered the same items, else as if unpaired."""
    paired = pairs.stderr(winner.model, loser.model)
    return difference_stderr(winner.mean_stderr, loser.mean_stderr) if paired is None else paired


def _trust(values: Values, ranked: Sequence[str]) -> tuple[str, ...]:
    """What paired items say of the winner; nothing where its mean is not that of its items, as with other metrics."""
    if any(name not in values for name in ranked):
        return ()
    found = winner(values, ranked)
    return sentences(found) if found.model == ranked[0] else ()


def _refuse_other_roles(frame: Frame) -> None:
    others = sorted(set(frame["role"]) - {"validation"})
    if others:
        raise ValueError(f"a choice may read validation scores only, but was handed rows of role {', '.join(others)}")
