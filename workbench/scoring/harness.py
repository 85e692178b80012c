"""One model on the tasks of a suite, with every item's result kept.

The scores are lm-eval's own: tasks are its YAML folders, the model class is its HFLM, the loop is its `evaluate`.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import math
import random
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import StepFailed, UserError
from workbench.progress import Progress, silent
from workbench.records import Role, ScoreRow
from workbench.scoring.bertscore import bertscore_model
from workbench.scoring.concepts import concept_finder
from workbench.scoring.faults import refuse_faulty

NUMBERS = ("doc_id", "doc_hash", "prompt_hash", "filter")
"""What of lm-eval's sample record is kept besides the metrics: enough to pair items."""
WORDS = ("target", "filtered_resps")
"""What is kept, too, unless the task is made of confidential data: references and answers may quote it."""

FEWSHOT_SEED = 1234
"""lm-eval's own default: tasks that draw their shots draw the same ones for every model, as `lm_eval` does."""


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
class Settings:
    """How every model of a suite is asked.

    `limit` takes so many items of every task, the same for all models; `chat` wraps prompts in the model's chat
    template, with the task's description as system message and shots as turns. `batch_size` is no part of the result.
    """

    dtype: str
    batch_size: int
    limit: int | None = None
    chat: bool = False


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
        self, name: str, model_id: str, folder: Path, tasks: Sequence[Task], role: Role, settings: Settings
    ) -> Scores:
        """Score the model in `folder`. Raises UserError for an unknown task or metric, and for a faulty item."""
        from lm_eval.evaluator import evaluate

        built = self._tasks(tuple(task.task for task in tasks))
        for one in built["tasks"].values():
            one.set_fewshot_seed(FEWSHOT_SEED)  # else every model would see other examples
        asked = {task: subset(task, len(one.eval_docs), settings.limit) for task, one in built["tasks"].items()}
        model = _model(folder, settings)
        with contextlib.redirect_stderr(_BarReader(self._progress)):
            results = evaluate(
                model,
                built,
                samples=asked,
                bootstrap_iters=1,
                log_samples=True,
                apply_chat_template=settings.chat,
                fewshot_as_multiturn=settings.chat,
            )
        answered = _Answered(results, {(task, asked[task][doc]) for task, doc in model.cut})
        rows = [answered.row(name, model_id, role, task) for task in tasks]
        return Scores(tuple(rows), tuple(item for task in tasks for item in answered.items(task)))

    def _tasks(self, names: tuple[str, ...]) -> Any:
        if names not in self._built:
            if unknown := sorted(set(names) - set(self._manager.all_tasks)):
                raise UserError(f"unknown task '{unknown[0]}'. Known to lm-eval here: {self._manager.all_tasks}.")
            built = self._manager.load(list(names))
            for name, task in built["tasks"].items():
                refuse_faulty(name, task)
            self._built[names] = built
        return self._built[names]


def subset(task: str, n: int, limit: int | None) -> list[int]:
    """Indices of the items that are asked, ascending: all, or `limit` of them, drawn by the task's name.

    Every model gets the same ones, and a smaller limit a part of what a larger one gets.
    """
    order = random.Random(task).sample(range(n), n)
    return sorted(order[:limit])


@dataclass(frozen=True)
class _Answered:
    """What lm-eval found. `cut` holds (task, item) of the prompts that did not fit the model's context."""

    results: Mapping[str, Any]
    cut: Set[tuple[str, int]]

    def items(self, task: Task) -> list[dict[str, Any]]:
        return [_item(task, sample, (member, sample["doc_id"]) in self.cut) for member, sample in self._samples(task)]

    def _samples(self, task: Task) -> list[tuple[str, Mapping[str, Any]]]:
        members = self.results.get("group_subtasks", {}).get(task.task) or [task.task]
        return [(member, sample) for member in members for sample in self.results["samples"][member]]

    def row(self, name: str, model_id: str, role: Role, task: Task) -> ScoreRow:
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


def _model(folder: Path, settings: Settings) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from workbench.scoring.packed import PackedScorer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, settings.dtype)).to(device).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, RuntimeError) as error:
        raise StepFailed(f"{folder}: cannot be loaded ({error})") from error
    if settings.chat and not tokenizer.chat_template:
        raise UserError(f"{folder}: the tokenizer has no chat template. Score it with 'chat: false'.")
    return PackedScorer(pretrained=model, tokenizer=tokenizer, batch_size=settings.batch_size, device=device)


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


def _item(task: Task, sample: Mapping[str, Any], cut: bool) -> dict[str, Any]:
    names = NUMBERS if task.confidential else (*NUMBERS, *WORDS)
    kept = {key: sample[key] for key in names if key in sample}
    metrics = {key: sample[key] for key in sample["metrics"]}
    text = json.dumps({"task": task.name, **kept, **metrics, **({"cut": True} if cut else {})}, default=str)
    return json.loads(text, parse_constant=lambda _: None)  # type: ignore[no-any-return]  # NaN is no JSON
