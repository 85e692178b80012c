"""A race over a list of candidates: rounds on ever more items, in which those that are behind drop out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.errors import StepFailed, UserError
from workbench.scoring.racing.answers import Answers, Ask, Values
from workbench.scoring.racing.bounds import bound_of
from workbench.scoring.racing.budget import affordable
from workbench.scoring.racing.record import Comparison, Entry, RaceRecord, Round, Status, Verdict, why_stopped
from workbench.scoring.racing.schedule import Floats, Schedule, schedule
from workbench.scoring.racing.settings import Settings

TIE = 1e-12
"""Scores closer than this differ by float rounding only."""


@dataclass(frozen=True)
class Race:
    """A race's record, and by candidate everything that was answered."""

    record: RaceRecord
    values: Mapping[str, Values]


def race(candidates: Sequence[str], items: Mapping[str, int], ask: Ask, settings: Settings) -> Race:
    """Run the candidates against each other on tasks of so many items, and take the leader through all of them.

    In `strict` mode the bound of each pair is at level alpha / (candidates - 1). That covers the race: for the
    exhaustive winner to be stopped, one of its comparisons with the others, at most that many, has to go wrong in some
    round, and a bound that holds in all rounds at once needs no correction for their number.

    A candidate that fails is recorded with the reason, and whom it had stopped is taken back.

    Raises:
        UserError: there is no candidate or no item, or a value is not within 0 to 1.
        StepFailed: every candidate failed.
    """
    names = list(dict.fromkeys(candidates))
    if not names:
        raise UserError("There is no candidate to race. List at least one under `candidates` of the run file.")
    plan = schedule(items, settings)
    return _Running(names, plan, Answers(plan, ask), settings).to_the_end()


class _Running:
    """A race under way. `_stopped` holds the leader whom each stopped candidate was behind."""

    def __init__(self, names: list[str], plan: Schedule, answers: Answers, settings: Settings) -> None:
        self._names = names
        self._schedule = plan
        self._answers = answers
        self._settings = settings
        self._bound = bound_of(plan, settings, settings.alpha / max(1, len(names) - 1))
        self._stopped: dict[str, str] = {}
        self._rounds: list[Round] = []

    def to_the_end(self) -> Race:
        last, number = len(self._schedule.rounds) - 1, 0
        while True:
            alive = self._ask(number)
            self._rounds.append(self._decide(number, alive, number == last))
            if number == last:
                return Race(self._record(), {name: self._answers.values(name) for name in self._names})
            going = len(alive) - len(self._stopped.keys() & set(alive))
            number = number + 1 if going > 1 else last

    def _ask(self, number: int) -> list[str]:
        """Those who are in the race and answered all of a round."""
        answered: dict[str, bool] = {}
        while waiting := [name for name in self._in_race() if name not in answered]:
            for name in waiting:
                answered[name] = self._answers.up_to(number, name)
            self._stopped = {name: by for name, by in self._stopped.items() if by not in self._answers.failed}
        if not self._in_race():
            name, reason = next(iter(self._answers.failed.items()))
            raise StepFailed(f"None of the {len(self._names)} candidates could be scored. The first, {name}: {reason}")
        return self._in_race()

    def _in_race(self) -> list[str]:
        return [name for name in self._names if name not in self._stopped and name not in self._answers.failed]

    def _decide(self, number: int, alive: list[str], last: bool) -> Round:
        values = self._answers.rows(alive)
        scores = self._schedule.score(values, number)
        leader = int(np.argmax(scores >= scores.max() - TIE))
        differences = values - values[leader]
        bounds = self._bound(differences, number)
        verdicts = self._verdicts(number, scores, bounds, last)
        verdicts[leader] = "leads"
        self._stopped |= {name: alive[leader] for name, v in zip(alive, verdicts, strict=True) if v.startswith("stop")}
        behind = scores - scores[leader]
        comparisons = tuple(
            Comparison(name, float(scores[i]), float(behind[i]), float(bounds[i]), verdicts[i])
            for i, name in enumerate(alive)
        )
        return Round(number + 1, self._schedule.rounds[number], alive[leader], comparisons)

    def _verdicts(self, number: int, scores: Floats, bounds: Floats, last: bool) -> list[Verdict]:
        if last:
            return ["finished"] * len(scores)
        verdicts: list[Verdict] = ["stopped by bound" if bound < 0 else "goes on" for bound in bounds]
        if self._settings.mode == "halving":
            left = self._settings.budget * len(self._names) * self._schedule.total - self._spent()
            going = [i for i in np.argsort(-scores, kind="stable") if verdicts[i] == "goes on"]
            for i in going[affordable(self._schedule, number, len(going), left) :]:
                verdicts[i] = "stopped by budget"
        return verdicts

    def _spent(self) -> int:
        return sum(sum(self._answers.asked(name).values()) for name in self._names)

    def _record(self) -> RaceRecord:
        final = self._rounds[-1]
        entries = tuple(self._entry(name, final) for name in self._names)
        failed = [entry for entry in entries if entry.status == "failed"]
        return RaceRecord(
            winner=final.leader,
            score=next(one.score for one in final.comparisons if one.verdict == "leads"),
            settings=self._settings,
            entries=entries,
            rounds=tuple(self._rounds),
            asked=self._spent(),
            exhaustive=(len(self._names) - len(failed)) * self._schedule.total
            + sum(sum(entry.items.values()) for entry in failed),
        )

    def _entry(self, name: str, final: Round) -> Entry:
        compared = [(round, one) for round in self._rounds for one in round.comparisons if one.candidate == name]
        number, last = (compared[-1][0].number, compared[-1][1]) if compared else (0, None)
        status: Status = "winner" if name == final.leader else "finished"
        reason = ""
        if name in self._answers.failed:
            status, reason = "failed", self._answers.failed[name]
        elif last is not None and name in self._stopped:
            status, reason = "stopped", why_stopped(last, self._stopped[name], number)
        return Entry(name, status, number, self._answers.asked(name), last, reason)
