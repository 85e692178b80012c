"""What lm-eval found of one model, as score records and as one record an item."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from workbench.errors import UserError
from workbench.ratio import ratio
from workbench.records import Role, ScoreRow
from workbench.scoring.bertscore import bertscore_model
from workbench.scoring.concepts import concept_finder

NUMBERS = ("doc_id", "doc_hash", "prompt_hash", "filter")
"""What of lm-eval's sample record is kept besides the metrics: enough to pair items."""
WORDS = ("target", "filtered_resps")
"""What is kept, too, unless the task is made of confidential data: references and answers may quote it."""


@dataclass(frozen=True)
class Task:
    """One task of a suite, as the score step's spec declares it. Of a `confidential` one no text is kept."""

    task: str
    name: str
    metric: str
    definition: str
    chance: float | None
    higher_is_better: bool
    in_mean: bool
    confidential: bool = False


@dataclass(frozen=True)
class Answered:
    """What lm-eval found. `cut` holds (task, item) of the prompts that did not fit the model's context."""

    results: Mapping[str, Any]
    cut: Set[tuple[str, int]]

    def items(self, task: Task) -> list[dict[str, Any]]:
        """One JSON-ready record an item, those of a group's members one after another."""
        return [_item(task, sample, (member, sample["doc_id"]) in self.cut) for member, sample in self._samples(task)]

    def values(self, task: Task, places: Sequence[tuple[str, int]]) -> list[float]:
        """The task's metric of items by (lm-eval task, document); 0 where it is undefined. UserError without it."""
        found: dict[tuple[str, int], float] = {}
        for member in {member for member, _ in places}:
            for sample in self.results["samples"][member]:
                if task.metric not in sample:
                    raise UserError(f"task '{task.task}' has no metric '{task.metric}' for an item.")
                found[member, sample["doc_id"]] = _finite(sample[task.metric]) or 0.0
        return [found[place] for place in places]

    def _samples(self, task: Task) -> list[tuple[str, Mapping[str, Any]]]:
        members = self.results.get("group_subtasks", {}).get(task.task) or [task.task]
        return [(member, sample) for member in members for sample in self.results["samples"][member]]

    def row(self, name: str, model_id: str, role: Role, task: Task) -> ScoreRow:
        """The score of one task or group. Raises UserError when it has no such metric."""
        found, key = self.results["results"][task.task], f"{task.metric},none"
        if key not in found:
            known = ", ".join(k.partition(",")[0] for k in found if "," in k and "stderr" not in k)
            raise UserError(f"task '{task.task}' has no metric '{task.metric}'. It has: {known}.")
        samples = self._samples(task)
        values = [s[task.metric] for _, s in samples if _finite(s.get(task.metric)) is not None]
        unparsable = [s["unparsable"] for _, s in samples if "unparsable" in s]
        return ScoreRow(
            model=name,
            model_id=model_id,
            task=task.name,
            task_version=f"{self.results['versions'].get(task.task)}+{task.definition[:8]}",
            metric=task.metric,
            value=_finite(found[key]) if values else None,
            stderr=_stderr(task.metric, found.get(f"{task.metric}_stderr,none"), values),
            n=len(values),
            unscored=len(samples) - len(values),
            role=role,
            higher_is_better=task.higher_is_better,
            in_mean=task.in_mean,
            chance=task.chance,
            unparsable=int(sum(unparsable)) if unparsable else None,
            measured_by=_measures(samples[0][1]["metrics"]) if samples else "",
            cut=sum((member, sample["doc_id"]) in self.cut for member, sample in samples),
        )


def _measures(metrics: Sequence[str]) -> str:
    """The models and dictionaries behind the metrics of a task: scores by different ones do not compare."""
    found = []
    if any("bertscore" in metric for metric in metrics):
        found.append(f"BERTScore: {bertscore_model()}")
    if "concept_f1" in metrics:
        found.append(f"concepts: {concept_finder()}")
    return "; ".join(found)


def _finite(value: Any) -> float | None:
    """The number, or None for what is no finite number. Per-item values of weighted metrics are pairs: kept apart."""
    if isinstance(value, tuple | list):
        return None if any(_finite(part) is None for part in value) else float(value[0])
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _stderr(metric: str, reported: Any, values: Sequence[Any]) -> float | None:
    """lm-eval's standard error; for bits_per_byte, a ratio of sums for which it has none, that of a ratio."""
    if (number := _finite(reported)) is not None:
        return number
    if len(values) < 2 or metric != "bits_per_byte":
        return None
    _, stderr = ratio([value for value, _ in values], [size for _, size in values])
    return None if stderr is None else stderr / math.log(2)


def _item(task: Task, sample: Mapping[str, Any], cut: bool) -> dict[str, Any]:
    names = NUMBERS if task.confidential else (*NUMBERS, *WORDS)
    kept = {key: sample[key] for key in names if key in sample}
    metrics = {key: sample[key] for key in sample["metrics"]}
    text = json.dumps({"task": task.name, **kept, **metrics, **({"cut": True} if cut else {})}, default=_plain)
    return json.loads(text, parse_constant=lambda _: None)  # type: ignore[no-any-return]  # NaN is no JSON


def _plain(value: Any) -> Any:
    """A number of numpy's as Python's own, as lm-eval writes it; anything else as text."""
    return value.item() if hasattr(value, "item") else str(value)
