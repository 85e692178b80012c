"""A model in memory whose weights are replaced, asked some items of a suite at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.scoring.answered import Task
from workbench.scoring.harness import Harness, Settings, load, subset


class Live:
    """One live model and the tasks of a suite, built once. `model` is torch's: write other weights into it.

    Items of a task are numbered from 0, those of a group's members one after another.
    """

    def __init__(self, harness: Harness, folder: Path, tasks: Sequence[Task], settings: Settings) -> None:
        self._harness = harness
        self._tasks = {task.name: task for task in tasks if task.in_mean}
        self._settings = settings
        built = harness.built(self._asked)
        self._items: dict[str, list[tuple[str, int]]] = {}
        for task in self._asked:
            self._items[task.name] = [
                (member, doc)
                for member in harness.members(task, self._asked)
                for doc in subset(member, len(built["tasks"][member].eval_docs), settings.limit)
            ]
        self._scorer = load(folder, settings)

    @property
    def _asked(self) -> list[Task]:
        return list(self._tasks.values())

    @property
    def model(self) -> Any:
        """The torch model."""
        return self._scorer.model

    @property
    def sizes(self) -> Mapping[str, int]:
        """Items of every task in the suite's mean, by the name of its column."""
        return {name: len(items) for name, items in self._items.items()}

    def ask(self, weights: str, wanted: Mapping[str, Sequence[int]]) -> dict[str, list[float]]:
        """The metrics of items by their numbers in a task, in order, by the weights of that id that are in the model.

        An item whose metric is undefined counts 0 here. Raises UserError when a task has no such metric.
        """
        places = {name: [self._items[name][number] for number in numbers] for name, numbers in wanted.items()}
        docs: dict[str, list[int]] = {}
        for member, doc in sorted({place for found in places.values() for place in found}):
            docs.setdefault(member, []).append(doc)
        answered = self._harness.ask(self._scorer, weights, self._asked, self._settings, docs)
        return {name: answered.values(self._tasks[name], found) for name, found in places.items()}
