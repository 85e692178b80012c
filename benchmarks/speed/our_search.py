"""A search of ours in a process of its own: candidates are written into one live model and answer, all items or a race.

python our_search.py JOB RECORD     # both JSON; seconds, answers and the race's record go into RECORD
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.ids import content_id
from workbench.merging.places import Place
from workbench.scoring.answered import Task
from workbench.scoring.harness import Harness, Settings
from workbench.scoring.live import Live
from workbench.scoring.racing.race import race
from workbench.scoring.racing.settings import Settings as Racing
from workbench.specs.merge import MergeSpec
from workbench.specs.run import Asking
from workbench.stand import Stand


@dataclass(frozen=True)
class Job:
    """The same work for both ways.

    Attributes:
        folders: Of the base, which comes first, and of the experts, by the names in the recipes.
        recipes: Candidates by name, in the words of our YAML, with a seed where one draws.
        tasks: Folder of the lm-eval tasks.
        metrics: Task -> the metric that counts.
        samples: Task -> indices of the items that are asked.
        limit: Items of every task; `samples` follows from it.
        dtype: Of the weights that are scored.
        racing: Whether candidates race; else each answers all items.
    """

    folders: Mapping[str, str]
    recipes: Mapping[str, dict[str, Any]]
    tasks: str
    metrics: Mapping[str, str]
    samples: Mapping[str, Sequence[int]]
    limit: int
    dtype: str
    racing: bool = False


class Clocked:
    """A live model that says how long it was asked."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self.model = live.model
        self.sizes = live.sizes
        self.seconds = 0.0

    def ask(self, weights: str, wanted: Mapping[str, Sequence[int]]) -> dict[str, list[float]]:
        started = time.perf_counter()
        try:
            return self._live.ask(weights, wanted)
        finally:
            self.seconds += time.perf_counter() - started


def search(job: Job) -> dict[str, Any]:
    """Seconds of loading, merging and scoring; metrics by candidate, task and item, or the race's record."""
    started = time.perf_counter()
    places = {name: Place(name, name, Path(folder)) for name, folder in job.folders.items()}
    tasks = [Task(name, name, metric, "0" * 8, None, True, True) for name, metric in job.metrics.items()]
    asking = Settings(job.dtype, Asking().batch_size, job.limit)
    live = Clocked(Live(Harness(Path(job.tasks)), next(iter(places.values())).folder, tasks, asking))
    specs = {name: MergeSpec.model_validate(raw) for name, raw in job.recipes.items()}
    with Stand(places, live, identity) as stand:
        loaded = time.perf_counter()
        found = raced(stand, specs) if job.racing else exhaustive(stand, specs)
    merging = time.perf_counter() - loaded - live.seconds
    return {"seconds": {"load": loaded - started, "merge": merging, "score": live.seconds}, **found}


def identity(spec: MergeSpec) -> str:
    """What the stand tells candidates apart by."""
    return content_id("candidate", 1, spec.model_dump(mode="json"), [])


def exhaustive(stand: Stand, specs: Mapping[str, MergeSpec]) -> dict[str, Any]:
    """Every candidate answers every item."""
    everything = {task: range(n) for task, n in stand.sizes.items()}
    return {"values": {name: stand.ask(spec, everything) for name, spec in specs.items()}}


def raced(stand: Stand, specs: Mapping[str, MergeSpec]) -> dict[str, Any]:
    """Candidates race under the default settings."""

    def ask(candidate: str, wanted: Mapping[str, Sequence[int]]) -> Mapping[str, Sequence[float]]:
        return stand.ask(specs[candidate], wanted)

    return {"race": asdict(race(list(specs), stand.sizes, ask, Racing()).record)}


def main() -> None:
    """Do the job. Ends with one sentence when it cannot be done."""
    job, record = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        found = search(Job(**json.loads(job.read_text())))
    except WorkbenchError as error:
        raise SystemExit(str(error)) from None
    record.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
