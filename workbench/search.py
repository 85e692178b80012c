"""A search, run: candidates are written into a live model and raced against the best so far, on validation items alone.

Killed at any moment it goes on where it was; several processes may run one search, and share its journal and answers.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import StepFailed
from workbench.limits import Broken, Limits
from workbench.progress import Progress
from workbench.specs.merge import MergeSpec
from workbench.specs.search import MEAN
from workbench.stand import Stand
from workbench.store import write_json

if TYPE_CHECKING:
    from workbench.merging.search.space import Point, Space
    from workbench.merging.search.study import Asked, Study, Tried
    from workbench.scoring.racing.answers import Values
    from workbench.scoring.racing.challenge import Challenge, Leader
    from workbench.scoring.racing.record import Entry, RaceRecord
    from workbench.scoring.racing.settings import Mode, Settings

DRAWS = 1000
"""Seeds of a drawn candidate count from the search's seed times this."""


@dataclass(frozen=True)
class Found:
    """What a search came to: the recipe of the best candidate, what it is called, and its validation score.

    `asked` items were answered, of the `exhaustive` that all candidates together have. Scores of baselines that were
    stopped early are estimates.
    """

    name: str
    recipe: MergeSpec
    score: float
    tried: tuple[Tried, ...]
    baselines: Mapping[str, float]
    asked: int
    exhaustive: int


def search(
    space: Space, stand: Stand, study: Study, folder: Path, progress: Progress, limits: Limits | None = None
) -> Found:
    """Try candidates until the budget is spent. Raises StepFailed when none of them could be scored, or chosen."""
    hunt = _Hunt(space, stand, study, folder, progress, limits)
    hunt.start()
    while True:
        if space.spec.side_by_side and (known := list(iter(study.ask, None))):
            for tried in hunt.race(known):
                study.tell(tried)
        elif hunt.in_time() and (asked := study.ask()) is not None:
            study.tell(hunt.attempt(asked))
        elif study.under_way():  # by another process, which may yet find the best, or be killed
            time.sleep(1)
        else:
            return hunt.found()


def _score(entry: Entry, leader: float | None) -> float | None:
    """A candidate's score over all items, estimated where it was stopped; None where it failed.

    The estimate is paired with the score over all items of the `leader` that stopped it, where that is known: the items
    that it was asked may be easier than the others, for the leader as well.
    """
    if entry.last is None or entry.status == "failed":
        return None
    if entry.status == "stopped" and leader is not None:
        return leader + entry.last.difference
    return entry.last.score


def _against_leader(fared: Challenge) -> float | None:
    """The same for a candidate that was raced against the best so far."""
    return _score(fared.entry, fared.leader.score if fared.leader else None)


def _leader_of(entry: Entry, record: RaceRecord) -> float | None:
    """The score over all items of who led when a candidate was last compared; None if that one was stopped later on."""
    leader = next((one.leader for one in record.rounds if one.number == entry.round), None)
    return next((one.score for one in record.rounds[-1].comparisons if one.candidate == leader), None)


def _name(number: int) -> str:
    return f"candidate {number}"


def _no_merge(asked: Asked, error: ValueError) -> Tried:
    """A point that is no merge: no expert is left, or a density leaves no room for gamma."""
    from workbench.merging.search.study import Tried

    lines = str(error).splitlines()
    return Tried(asked.number, asked.point, "failed", (), 0, 0.0, lines[1].strip() if len(lines) > 1 else lines[0])


def _nobody(tried: Sequence[Tried]) -> str:
    """Why a search ends without a candidate: what broke most often, or what failed first."""
    broken = [one for one in tried if one.breaks]
    if broken:
        nearest = min(broken, key=lambda one: one.excess)
        return (
            f"none of the {len(tried)} candidates tried meets 'select': {len(broken)} answered every item and break "
            f"it. The nearest, candidate {nearest.number}, {nearest.breaks}. Loosen 'select', or widen the space."
        )
    reasons = [one.reason for one in tried if one.reason]
    return f"no candidate of the search could be scored. The first: {(reasons or ['none was tried'])[0]}"


class _Hunt:
    """One process at one search."""

    def __init__(
        self, space: Space, stand: Stand, study: Study, folder: Path, progress: Progress, limits: Limits | None
    ) -> None:
        self._space = space
        self._stand = stand
        self._study = study
        self._folder = folder
        self._progress = progress
        self._limits = limits
        self._leader: Leader | None = None
        self._recipe: MergeSpec | None = None
        self._baselines: dict[str, float] = {}
        self._first = 1

    def start(self) -> None:
        """Score the baselines, which answer every item unless the race says that they are behind."""
        from workbench.merging.search.starts import baselines

        if not self._space.spec.baselines:
            return
        for name, recipe in baselines(self._space):
            fared = self._challenge(name, (recipe,), self._first)
            self._first += 1
            if (score := _against_leader(fared)) is not None:
                self._baselines[name] = score

    def in_time(self) -> bool:
        """Whether the minutes that the search has, over all processes, are not spent."""
        minutes = self._space.spec.minutes
        return minutes is None or sum(one.seconds for one in self._study.tried()) < 60 * minutes

    def attempt(self, asked: Asked) -> Tried:
        """Try one candidate against the best so far."""
        self._catch_up()
        started = time.monotonic()
        try:
            recipes = self._drawn(asked.point)
        except ValueError as error:
            return _no_merge(asked, error)
        fared = self._challenge(_name(asked.number), recipes, self._first + asked.number)
        seconds = time.monotonic() - started
        return self._tried(asked, recipes, fared.entry, _against_leader(fared), fared.values, seconds)

    def race(self, known: Sequence[Asked]) -> Iterator[Tried]:
        """Take candidates through the rounds side by side. Every decision goes into `race.json`."""
        from workbench.merging.search.study import Tried
        from workbench.scoring.racing.race import race

        drawn: dict[int, list[MergeSpec]] = {}
        for asked in known:
            try:
                drawn[asked.number] = self._drawn(asked.point)
            except ValueError as error:
                yield _no_merge(asked, error)
        if not drawn:
            return
        racing = [asked for asked in known if asked.number in drawn]
        recipes = {_name(number): found for number, found in drawn.items()}
        seconds, items = dict.fromkeys(recipes, 0.0), 0
        total = sum(self._stand.sizes.values()) * len(recipes)

        def ask(name: str, wanted: Mapping[str, Sequence[int]]) -> dict[str, list[float]]:
            nonlocal items
            self._progress(items, total, f"items of {len(recipes)} candidates, side by side")
            started = time.monotonic()
            try:
                return self._ask(recipes[name], wanted)
            finally:
                items += sum(map(len, wanted.values()))
                seconds[name] += time.monotonic() - started

        try:
            done = race(list(recipes), self._stand.sizes, ask, self._settings())
        except StepFailed as error:  # all of them failed
            for asked in racing:
                yield Tried(asked.number, asked.point, "failed", (), 0, seconds[_name(asked.number)], str(error))
            return
        write_json(self._folder / "race.json", asdict(done.record))
        for asked, entry in zip(racing, done.record.entries, strict=True):
            name, score = entry.candidate, _score(entry, _leader_of(entry, done.record))
            yield self._tried(asked, recipes[name], entry, score, done.values[name], seconds[name])

    def found(self) -> Found:
        """The best of all. Raises StepFailed when nothing could be scored."""
        self._catch_up()
        tried = self._study.tried()
        if self._leader is None or self._recipe is None:
            raise StepFailed(_nobody(tried))
        total = sum(self._stand.sizes.values())
        return Found(
            name=self._leader.candidate,
            recipe=self._recipe,
            score=self._leader.score,
            tried=tuple(tried),
            baselines=self._baselines,
            asked=sum(one.items for one in tried),
            exhaustive=total * sum(one.state != "failed" for one in tried),
        )

    def _challenge(self, name: str, recipes: Sequence[MergeSpec], number: int) -> Challenge:
        """A candidate against the leader; one that draws is asked once a draw, and its mean counts."""
        from workbench.scoring.racing.challenge import challenge

        self._report()
        fared = challenge(
            name,
            self._leader,
            self._stand.sizes,
            lambda _, wanted: self._ask(recipes, wanted),
            self._settings(),
            number,
        )
        values = {task: list(of_task.values()) for task, of_task in fared.values.items()}
        if fared.entry.status == "winner" and not self._broken(values):
            self._lead(fared.leader, recipes)
        return fared

    def _ask(self, recipes: Sequence[MergeSpec], wanted: Mapping[str, Sequence[int]]) -> dict[str, list[float]]:
        """A candidate's metrics on items; of one that draws, the means over its draws."""
        found = [self._stand.ask(recipe, wanted) for recipe in recipes]
        return {
            task: [statistics.fmean(values) for values in zip(*(one[task] for one in found), strict=True)]
            for task in wanted
        }

    def _tried(
        self,
        asked: Asked,
        recipes: Sequence[MergeSpec],
        entry: Entry,
        score: float | None,
        values: Values,
        seconds: float,
    ) -> Tried:
        """What came of a candidate; the values of one that answered every item are kept beside the journal."""
        from workbench.merging.search.study import Tried

        items = sum(entry.items.values())
        if score is None:
            return Tried(asked.number, asked.point, "failed", (), items, seconds, entry.reason)
        if entry.status == "stopped":
            return Tried(asked.number, asked.point, "stopped", (score,), items, seconds, entry.reason)
        plain = {task: list(of_task.values()) for task, of_task in values.items()}
        write_json(self._folder / "values" / f"{asked.number}.json", plain)
        objectives = tuple(self._objective(one, plain) for one in self._space.spec.objectives)
        tried = Tried(asked.number, asked.point, "scored", objectives, items, seconds, spread=self._spread(recipes))
        broken = self._broken(plain)
        return replace(tried, breaks=broken.sentence, excess=broken.excess) if broken else tried

    def _broken(self, values: Mapping[str, Sequence[float]]) -> Broken | None:
        """What a candidate that answered every item breaks of the run's constraints."""
        if self._limits is None:
            return None
        return self._limits.broken_by({task: statistics.fmean(of_task) for task, of_task in values.items()})

    def _settings(self) -> Settings:
        from workbench.scoring.racing.settings import Settings

        race, seed = self._space.spec.race, self._space.spec.seed
        if race is False or len(self._space.spec.objectives) > 1:
            return Settings(first=1.0, seed=seed)
        mode: Mode = "strict" if race.mode == "strict" else "halving"
        budget = {"budget": race.budget} if self._space.spec.side_by_side else {}
        return Settings(mode, race.first, race.factor, risk=race.risk, alpha=race.alpha, seed=seed, **budget)

    def _drawn(self, point: Point) -> list[MergeSpec]:
        if not self._space.drawn:
            return [self._space.merge(point)]
        first = self._space.spec.seed * DRAWS
        return [self._space.merge(point, first + draw) for draw in range(self._space.spec.draws)]

    def _spread(self, recipes: Sequence[MergeSpec]) -> float | None:
        """Standard deviation of the scores of the draws; their answers are known by now."""
        if len(recipes) < 2:
            return None
        everything = {task: range(n) for task, n in self._stand.sizes.items()}
        scores = [self._mean(self._stand.ask(recipe, everything)) for recipe in recipes]
        return statistics.stdev(scores)

    def _objective(self, name: str, values: Mapping[str, Sequence[float]]) -> float:
        return self._mean(values) if name == MEAN else statistics.fmean(values[name])

    @staticmethod
    def _mean(values: Mapping[str, Sequence[float]]) -> float:
        return statistics.fmean(statistics.fmean(of_task) for of_task in values.values())

    def _catch_up(self) -> None:
        """Take over a better candidate of another process, or of this search before it was stopped."""
        from workbench.scoring.racing.challenge import Leader

        scored = [one for one in self._study.tried() if one.state == "scored" and not one.breaks]
        best = max(scored, key=lambda one: (one.values[0], -one.number), default=None)
        if best is None or (self._leader is not None and best.values[0] <= self._leader.score):
            return
        values = json.loads((self._folder / "values" / f"{best.number}.json").read_text())
        self._lead(Leader(_name(best.number), best.values[0], values), self._drawn(best.point))

    def _lead(self, leader: Leader | None, recipes: Sequence[MergeSpec]) -> None:
        """Of a candidate that draws, the first is merged: their mean ranked it, and none is taken for its luck."""
        self._leader, self._recipe = leader, recipes[0]

    def _report(self) -> None:
        tried = self._study.tried()
        budget, minutes = self._space.spec.budget, self._space.spec.minutes
        spent = sum(one.seconds for one in tried)
        best = f"best {100 * self._leader.score:.1f} ({self._leader.candidate})" if self._leader else ""
        if budget is not None:
            left = f", {spent / len(tried) * (budget - len(tried)) / 60:.0f} min left" if tried else ""
            self._progress(len(tried), budget, best + left)
        elif minutes is not None:
            self._progress(spent / 60, minutes, best)
