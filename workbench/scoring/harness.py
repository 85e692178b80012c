"""One model on the tasks of a suite, with every item's result kept.

The scores are lm-eval's own: tasks are its YAML folders, the model class is its HFLM, the loop is its `evaluate`.
"""

from __future__ import annotations

import contextlib
import io
import logging
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import StepFailed, UserError
from workbench.progress import Progress, silent
from workbench.records import Role, ScoreRow
from workbench.scoring.answered import Answered, Task
from workbench.scoring.faults import refuse_faulty
from workbench.scoring.remembered import Remembered

FEWSHOT_SEED = 1234
"""lm-eval's own default: tasks that draw their shots draw the same ones for every model, as `lm_eval` does."""


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
    """The tasks of a project, built once and asked of many models. `answers` is where those are remembered."""

    def __init__(self, tasks: Path, progress: Progress = silent, answers: Path | None = None) -> None:
        from lm_eval.tasks import TaskManager

        logging.getLogger("lm_eval").setLevel(logging.ERROR)  # it advises on its own command line
        self._progress = progress
        self._answers = answers
        self._manager = TaskManager(include_path=str(tasks), include_defaults=False)
        self._built: dict[tuple[str, ...], Any] = {}

    def score(
        self, name: str, model_id: str, folder: Path, tasks: Sequence[Task], role: Role, settings: Settings
    ) -> Scores:
        """Score the model in `folder`. Raises UserError for an unknown task or metric, and for a faulty item."""
        self.built(tasks)  # what is wrong with a task is said before a model is loaded
        answered = self.ask(load(folder, settings), model_id, tasks, settings)
        rows = [answered.row(name, model_id, role, task) for task in tasks]
        return Scores(tuple(rows), tuple(item for task in tasks for item in answered.items(task)))

    def ask(
        self,
        model: Any,
        model_id: str,
        tasks: Sequence[Task],
        settings: Settings,
        items: Mapping[str, Sequence[int]] | None = None,
    ) -> Answered:
        """What a loaded model, whose weights have the id `model_id`, answers.

        `items` are indices of documents by lm-eval task, and only these are asked; else all that the settings let be.
        """
        from lm_eval.evaluator import evaluate

        built = self.built(tasks)
        for one in built["tasks"].values():
            one.set_fewshot_seed(FEWSHOT_SEED)  # else every model would see other examples
        if items is None:
            asked = {task: subset(task, len(one.eval_docs), settings.limit) for task, one in built["tasks"].items()}
        else:
            asked = {task: sorted(docs) for task, docs in items.items()}
            built = {"tasks": {task: built["tasks"][task] for task in asked}, "groups": {}}
        model.remembered = self._remembered(model_id, tasks, settings)
        model.cut.clear()
        try:
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
        finally:
            model.remembered.close()
        return Answered(results, {(task, asked[task][doc]) for task, doc in model.cut})

    def _remembered(self, model_id: str, tasks: Sequence[Task], settings: Settings) -> Remembered:
        """What this model answered before, wherever that was asked."""
        if self._answers is None:
            return Remembered()
        confidential = {name for task in tasks if task.confidential for name in (task.task, *self.members(task, tasks))}
        return Remembered(self._answers / f"{model_id[:12]}-{settings.dtype}.sqlite", confidential)

    def members(self, task: Task, tasks: Sequence[Task]) -> list[str]:
        """The lm-eval tasks of one of `tasks`: those of a group, or itself."""
        return list(self.built(tasks)["group_map"].get(task.task, [task.task]))

    def built(self, tasks: Sequence[Task]) -> Any:
        """lm-eval's tasks, made once. Raises UserError for an unknown task, one named twice, and a faulty item."""
        names = tuple(task.task for task in tasks)
        if names not in self._built:
            if unknown := sorted(set(names) - set(self._manager.all_tasks)):
                raise UserError(f"unknown task '{unknown[0]}'. Known to lm-eval here: {self._manager.all_tasks}.")
            try:
                built = self._manager.load(list(names))
            except ValueError as error:
                if not str(error).startswith("Duplicate task"):
                    raise
                raise UserError(f"{str(error).rstrip('.')}. Name a group or its parts, not both.") from error
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


def load(folder: Path, settings: Settings) -> Any:
    """The model in `folder` as lm-eval asks one. Raises StepFailed when it cannot be loaded."""
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
