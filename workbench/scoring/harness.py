"""The only place that imports lm_eval: one model on the tasks of a suite, with every item's result kept.

The scores are lm-eval's own: tasks are its YAML folders, the model class is its HFLM, the loop is its `evaluate`.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import StepFailed, UserError
from workbench.progress import Progress, silent
from workbench.records import Role, ScoreRow

MODEL_FREE = ("doc_id", "target", "filtered_resps", "doc_hash", "prompt_hash", "filter")
"""What of lm-eval's sample record is kept besides the metrics: enough to pair items, no third-party text."""


FEWSHOT_SEED = 1234
"""lm-eval's own default: tasks with shots draw the same ones for every model, as `lm_eval` does."""


@dataclass(frozen=True)
class Task:
    """One task of a suite, as the score step's spec declares it."""

    task: str
    name: str
    metric: str
    definition: str
    chance: float | None
    higher_is_better: bool
    in_mean: bool


@dataclass(frozen=True)
class Scores:
    """Rows of one model in one role, and the items behind them: one dict a task item, JSON-ready."""

    rows: tuple[ScoreRow, ...]
    items: tuple[dict[str, Any], ...]


class _BarReader(io.TextIOBase):
    """Stands in for standard error while lm-eval draws its bars there, and passes on how far they are."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def write(self, text: str) -> int:
        if found := re.search(r"^\s*(.*?):?\s*\d+%\|.*\| *(\d+)/(\d+)", text.replace("\r", "")):
            self._progress(int(found[2]), int(found[3]), found[1].removeprefix("Running ").removesuffix(" requests"))
        return len(text)


class Harness:
    """The tasks of a project, built once and asked of many models."""

    def __init__(self, tasks: Path, progress: Progress = silent) -> None:
        from lm_eval.tasks import TaskManager

        logging.getLogger("lm_eval").setLevel(logging.ERROR)  # it advises on its own command line
        self._progress = progress
        self._manager = TaskManager(include_path=str(tasks), include_defaults=False)
        self._built: dict[tuple[str, ...], Any] = {}

    def score(
        self,
        name: str,
        model_id: str,
        folder: Path,
        tasks: Sequence[Task],
        role: Role,
        dtype: str,
        batch_size: int,
        limit: int | None,
    ) -> Scores:
        """Score the model in `folder`. Raises UserError for an unknown task or metric."""
        from lm_eval.evaluator import evaluate

        built = self._tasks(tuple(task.task for task in tasks))
        for one in built["tasks"].values():
            one.set_fewshot_seed(FEWSHOT_SEED)  # else every model would see other examples
        model = _model(folder, dtype, batch_size)
        with contextlib.redirect_stderr(_BarReader(self._progress)):
            results = evaluate(model, built, limit=limit, bootstrap_iters=1, log_samples=True)
        rows = [self._row(name, model_id, role, task, results) for task in tasks]
        items = [_item(task, sample) for task in tasks for sample in results["samples"][task.task]]
        return Scores(tuple(rows), tuple(items))

    def _tasks(self, names: tuple[str, ...]) -> Any:
        if names not in self._built:
            if unknown := sorted(set(names) - set(self._manager.all_tasks)):
                raise UserError(f"unknown task '{unknown[0]}'. Known to lm-eval here: {self._manager.all_tasks}.")
            self._built[names] = self._manager.load(list(names))
        return self._built[names]

    @staticmethod
    def _row(name: str, model_id: str, role: Role, task: Task, results: Mapping[str, Any]) -> ScoreRow:
        found = results["results"][task.task]
        key = f"{task.metric},none"
        if key not in found:
            known = ", ".join(k.partition(",")[0] for k in found if "," in k and "stderr" not in k)
            raise UserError(f"task '{task.task}' has no metric '{task.metric}'. It has: {known}.")
        values = [s[task.metric] for s in results["samples"][task.task] if _finite(s.get(task.metric)) is not None]
        n = len(results["samples"][task.task])
        return ScoreRow(
            model=name,
            model_id=model_id,
            task=task.name,
            task_version=f"{results['versions'].get(task.task)}+{task.definition[:8]}",
            metric=task.metric,
            value=_finite(found[key]) if values else None,
            stderr=_stderr(task.metric, found.get(f"{task.metric}_stderr,none"), values),
            n=len(values),
            unscored=n - len(values),
            role=role,
            higher_is_better=task.higher_is_better,
            in_mean=task.in_mean,
            chance=task.chance,
        )


def _model(folder: Path, dtype: str, batch_size: int) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from workbench.scoring.packed import PackedScorer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).to(device).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, RuntimeError) as error:
        raise StepFailed(f"{folder}: cannot be loaded ({error})") from error
    return PackedScorer(pretrained=model, tokenizer=tokenizer, batch_size=batch_size, device=device)


def _finite(value: Any) -> float | None:
    """The number, or None for what is no finite number. Per-item values of weighted metrics are pairs: kept apart."""
    if isinstance(value, tuple | list):
        return None if any(_finite(part) is None for part in value) else float(value[0])
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _stderr(metric: str, reported: Any, values: Sequence[Any]) -> float | None:
    """lm-eval's standard error; for bits_per_byte, where it has none, the delta method over the items.

    bits_per_byte is a ratio of sums, R = sum(loglikelihood_i) / sum(bytes_i) up to a constant; its variance is
    n / (n - 1) * sum((y_i - R x_i)^2) / sum(x_i)^2 (Cochran, Sampling Techniques, ch. 6).
    """
    if (number := _finite(reported)) is not None:
        return number
    n = len(values)
    if n < 2 or metric != "bits_per_byte":
        return None
    total = sum(weight for _, weight in values)
    ratio = sum(value for value, _ in values) / total
    squares = sum((value - ratio * weight) ** 2 for value, weight in values)
    return float(math.sqrt(n / (n - 1) * squares) / total / math.log(2))


def _item(task: Task, sample: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: sample[key] for key in MODEL_FREE if key in sample}
    metrics = {key: sample[key] for key in sample["metrics"]}
    text = json.dumps({"task": task.name, **kept, **metrics}, default=str)
    return json.loads(text, parse_constant=lambda _: None)  # type: ignore[no-any-return]  # NaN is no JSON
