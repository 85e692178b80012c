"""What a search has tried, kept in a journal on disk: seeded, resumable after a kill, shared by several processes.

Optuna's door. A sampler is made anew for every candidate, seeded by the search's seed and the candidate's number, so
that what is tried does not depend on how often the search was stopped on the way.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from workbench.errors import MissingExtra, UserError
from workbench.merging.search.space import Axis, Point, Space, Value
from workbench.merging.search.starts import starts
from workbench.store import alone

TRIED, PROCESS, SEARCH = "tried", "process", "search"
State = Literal["scored", "stopped", "failed"]
KNOW_CONSTRAINTS = ("tpe", "nsga2")
"""Samplers that keep away from what breaks the run's constraints; the others go where the scores lead them."""


@dataclass(frozen=True)
class Tried:
    """One candidate that was looked at.

    `values` are its objectives, higher is better: on all items if it was `scored`, estimated on the `items` that were
    asked if it was `stopped`, none if it `failed`. `spread` is the standard deviation between draws. `reason` says why
    it was stopped or failed; `breaks` what keeps one that was scored from being chosen, and `excess` by how much.
    """

    number: int
    point: Mapping[str, Value]
    state: State
    values: tuple[float, ...]
    items: int
    seconds: float
    reason: str = ""
    spread: float | None = None
    breaks: str = ""
    excess: float = 0.0


@dataclass(frozen=True)
class Asked:
    """A candidate that a process of this search is to try."""

    number: int
    point: Point


class Study:
    """The candidates of one search, in `folder`. `identity` is the search's content id."""

    def __init__(self, folder: Path, identity: str, space: Space) -> None:
        """Raises MissingExtra without Optuna, UserError when the folder holds another search."""
        try:
            import optuna
            from optuna.storages.journal import JournalFileBackend
        except ImportError as error:
            raise MissingExtra("searches", "search") from error
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = space
        self._asked: dict[int, Any] = {}
        self._folder = folder
        self._axes = {axis.name: axis for axis in space.axes}
        self._distributions = {name: _distribution(axis) for name, axis in self._axes.items()}
        folder.mkdir(parents=True, exist_ok=True)
        self._mine = _sign_of_life(self, folder)
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / "journal.log")))
        self._study = optuna.create_study(
            study_name="search",
            storage=storage,
            directions=["maximize"] * len(space.spec.objectives),
            load_if_exists=True,
        )
        with alone(self._folder / "lock"):
            self._begin(identity)
            self._again()

    def _begin(self, identity: str) -> None:
        known = self._study.user_attrs.get(SEARCH)
        if known is None:
            self._study.set_user_attr(SEARCH, identity)
            if self._space.spec.sampler != "grid":  # which visits every point of its own
                for point in starts(self._space):
                    self._study.enqueue_trial(dict(point), skip_if_exists=True)
        elif known != identity:
            raise UserError(
                f"{self._folder} holds another search (id {known[:12]}, not {identity[:12]}). Move it away."
            )

    def ask(self) -> Asked | None:
        """The next candidate to try; None when the budget is spent, or a grid has no other point."""
        with alone(self._folder / "lock"):
            n, budget = len(self._counted()), self._space.spec.budget
            if (budget is not None and n >= budget) or (self._space.spec.sampler == "grid" and n >= self.points):
                return None
            self._study.sampler = _seeded(self._sampler, self._space.spec.seed)
            trial = self._study.ask(self._distributions)
            trial.set_user_attr(PROCESS, self._mine)
        self._asked[trial.number] = trial
        return Asked(trial.number, {name: trial.params[name] for name in self._axes})

    def tell(self, tried: Tried) -> None:
        """Keep what came of a candidate that this process asked for."""
        trial = self._asked.pop(tried.number)
        if self._space.spec.sampler in KNOW_CONSTRAINTS:
            trial.set_constraint("select", tried.excess)
        trial.set_user_attr(TRIED, json.dumps(asdict(tried)))
        self._end(tried)

    def _end(self, tried: Tried) -> None:
        from optuna.trial import TrialState

        if tried.state == "failed":
            self._study.tell(tried.number, state=TrialState.FAIL)
        else:
            self._study.tell(tried.number, list(tried.values))

    def under_way(self) -> bool:
        """Whether another process is trying a candidate. What a killed one was trying is to be asked for again."""
        from optuna.trial import TrialState

        with alone(self._folder / "lock"):
            return self._again() or bool(self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))

    def tried(self) -> list[Tried]:
        """All candidates that were tried, by number."""
        return [_tried(one) for one in self._study.get_trials(deepcopy=False) if TRIED in one.user_attrs]

    @property
    def points(self) -> int:
        """Points of the grid."""
        n = 1
        for axis in self._axes.values():
            n *= len(axis.grid)
        return n

    def _counted(self) -> list[Any]:
        """Trials that count towards the budget: all but those that a killed process left and those in waiting."""
        from optuna.trial import TrialState

        return [
            one
            for one in self._study.get_trials(deepcopy=False)
            if TRIED in one.user_attrs or one.state == TrialState.RUNNING
        ]

    def _again(self) -> bool:
        """See to it that what a killed process was trying is tried again; whether there was any."""
        from optuna.trial import TrialState

        running = self._study.get_trials(states=(TrialState.RUNNING,))
        left = [one for one in running if not _alive(self._folder, one.user_attrs.get(PROCESS, ""))]
        for one in left:
            if TRIED in one.user_attrs:  # it was killed before its last word
                self._end(_tried(one))
            else:
                self._study.tell(one.number, state=TrialState.FAIL)
                self._study.enqueue_trial(one.params)
        return bool(left)

    def _sampler(self, seed: int) -> Any:
        """Optuna's sampler of that name. It learns of stopped candidates, too: they are told with their estimates."""
        from optuna import samplers

        grid = {name: list(axis.grid) for name, axis in self._axes.items()}
        made: Mapping[str, Callable[[], Any]] = {
            "tpe": lambda: samplers.TPESampler(seed=seed, multivariate=True),
            "cmaes": lambda: samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
            "nsga2": lambda: samplers.NSGAIISampler(seed=seed),
            "random": lambda: samplers.RandomSampler(seed=seed),
            # One order of the points for all candidates, who take them by their numbers.
            "grid": lambda: samplers.GridSampler(grid, seed=self._space.spec.seed),
        }
        return made[self._space.spec.sampler]()


def _distribution(axis: Axis) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if axis.values:
        return CategoricalDistribution(list(axis.values))
    return FloatDistribution(axis.low, axis.high)


def _seeded(made: Callable[[int], Any], seed: int) -> Any:
    """A sampler that is made anew for every trial, with a seed of its own."""
    from optuna.samplers import BaseSampler, GridSampler

    class Seeded(BaseSampler):
        def __init__(self) -> None:
            self._of: dict[int, Any] = {}

        def _one(self, number: int) -> Any:
            if number not in self._of:
                self._of = {number: made((seed * 1_000_003 + number) % 2**31)}
            return self._of[number]

        def infer_relative_search_space(self, study: Any, trial: Any) -> Any:
            return self._one(trial.number).infer_relative_search_space(study, trial)

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> Any:
            return self._one(trial.number).sample_relative(study, trial, search_space)

        def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
            return self._one(trial.number).sample_independent(study, trial, param_name, param_distribution)

        def before_trial(self, study: Any, trial: Any) -> None:
            self._one(trial.number).before_trial(study, trial)

        def after_trial(self, study: Any, trial: Any, state: Any, values: Sequence[float] | None) -> None:
            sampler = self._one(trial.number)
            if not isinstance(sampler, GridSampler):  # which stops a loop of Optuna's that is not ours
                sampler.after_trial(study, trial, state, values)

    return Seeded()


def _tried(trial: Any) -> Tried:
    raw = json.loads(trial.user_attrs[TRIED])
    return Tried(**{**raw, "values": tuple(raw["values"])})


def _sign_of_life(study: Study, folder: Path) -> str:
    """The name of a file that is locked for as long as the study is there, whatever ends its process."""
    descriptor, path = tempfile.mkstemp(prefix="process-", dir=folder)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    weakref.finalize(study, _ended, descriptor, path)
    return Path(path).name


def _ended(descriptor: int, path: str) -> None:
    Path(path).unlink(missing_ok=True)
    os.close(descriptor)


def _alive(folder: Path, process: str) -> bool:
    """Whether the process of that sign of life still runs."""
    if not process or not (folder / process).is_file():
        return False
    with (folder / process).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    (folder / process).unlink(missing_ok=True)
    return False
