"""One expert trained from its declaration, pass by pass; killed at any moment, it goes on where it was."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from workbench.data.example import Example
from workbench.data.grams import Index
from workbench.errors import MissingExtra, UserError
from workbench.progress import Progress
from workbench.specs.models import ExpertSpec
from workbench.specs.training import Training
from workbench.store import write_json
from workbench.training import workers
from workbench.training.corpus import CorpusCount, Reading, kept_from_training, read
from workbench.training.held_out import HeldOut, kept_out, measure
from workbench.training.load import trainable
from workbench.training.passes import MADE, Material, PassRecord, run_pass
from workbench.training.sequences import Tokens, in_tokens
from workbench.training.task_data import with_task_data
from workbench.training.watch import LossPoint

RECORD = "pass.json"
BEFORE = "before.json"


@dataclass(frozen=True)
class TrainingRecord:
    """What was really done; written beside the adapter.

    `held_out` is the base's loss, before the first pass; `generated` says how a language model wrote task data.
    """

    steps: int
    tokens: int
    seconds: float
    trainable_parameters: int
    corpora: tuple[CorpusCount, ...]
    held_out: HeldOut | None
    passes: tuple[PassRecord, ...]
    generated: dict[str, Any] | None = None


def train(
    spec: ExpertSpec,
    home: Path,
    base: Path,
    out: Path,
    checkpoints: Path,
    progress: Progress,
    test_items: Index | None = None,
) -> TrainingRecord:
    """Train an expert of the model in `base`; `out` receives the adapter (or, for full training, the model).

    `home` is the folder of the declaration. Documents that share a run of words with `test_items` are not read.
    Checkpoints go to `checkpoints`: a pass that is done is not done again, and the last whole checkpoint of the next
    is resumed. Weights are saved in bfloat16.

    Raises MissingExtra when TRL or PEFT is not installed, DataMissing when a corpus is not on this machine, UserError
    when a pass finds nothing to read, StepFailed when the loss is no number any more or memory is short.
    """
    try:
        import datasets
        import peft  # noqa: F401
        import trl  # noqa: F401
        from transformers import AutoTokenizer
    except ImportError as error:
        raise MissingExtra("training experts", "train") from error
    datasets.disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(base)
    kept = kept_from_training(spec, home)
    reading = read(spec, home, tokenizer, test_items, kept)
    reading, written = with_task_data(spec, reading, home, base, checkpoints.parent / "task_data.sqlite", progress)
    course = _Course(spec, base, tokenizer, reading, kept, checkpoints, progress)
    done: list[Path] = []
    for index in range(len(spec.passes)):
        done.append(course.done(index, done[-1] if done else None))
    with _own_random_state(spec.seed):
        model = trainable(spec, base, done[-1])
    record_of_all = replace(_record(model, reading, checkpoints, done), generated=written)
    _save(model, spec, out)
    if spec.full:  # a model of its own, which is scored and merged as it is
        tokenizer.save_pretrained(out)
    write_json(out / "training.json", asdict(record_of_all))
    workers.wait()
    if workers.writes():
        shutil.rmtree(checkpoints, ignore_errors=True)
    return record_of_all


@dataclass(frozen=True)
class _Course:
    """The passes of one training, and what all of them share."""

    spec: ExpertSpec
    base: Path
    tokenizer: Any
    reading: Reading
    kept: list[Example]
    checkpoints: Path
    progress: Progress

    def done(self, index: int, earlier: Path | None) -> Path:
        """The folder of what pass `index` made of what an earlier one made: found, or made now."""
        folder = self.checkpoints / f"pass-{index + 1}"
        if not (folder / "done" / RECORD).is_file():
            self._run(index, folder, earlier)
        return folder / "done"

    def _run(self, index: int, folder: Path, earlier: Path | None) -> None:
        spec, how = self.spec, self.spec.passes[index]
        found = _sequences(self.reading, how, self.tokenizer, index)
        material = Material(found, kept_out(self.kept, how, self.tokenizer))
        if how.stop and not material.held_out:
            raise UserError(
                f"pass {index + 1} has 'stop', but no document of the expert's corpora is held out to look at. Take "
                "'stop' out, or give more documents."
            )
        looked_at = kept_out(self.kept, spec.passes[-1], self.tokenizer)  # by every pass, so that they compare
        name = f"pass {index + 1} of {len(spec.passes)}, " if spec.then else ""
        with _own_random_state(spec.seed + index):
            model = trainable(spec, self.base, earlier)
            if not index and workers.writes():
                write_json(self.checkpoints / BEFORE, _plain(measure(model, looked_at)))
            record = run_pass(model, self.tokenizer, how, material, spec.seed, folder, self.progress, name)
            if workers.writes():
                after = measure(trainable(spec, self.base, folder / MADE), looked_at)
                _keep(replace(record, held_out=after), folder)
        workers.wait()


def _save(model: Any, spec: ExpertSpec, out: Path) -> None:
    """Write the adapter, or the model, in bfloat16."""
    import torch

    for parameter in model.parameters() if spec.full else (p for p in model.parameters() if p.requires_grad):
        parameter.data = parameter.data.to(torch.bfloat16)
    if spec.full:
        model.config.dtype = torch.bfloat16
    model.save_pretrained(out)


def _plain(found: HeldOut | None) -> dict[str, Any] | None:
    return asdict(found) if found else None


def _sequences(reading: Reading, how: Training, tokenizer: Any, index: int) -> list[Tokens]:
    """What a pass reads, in tokens. Raises UserError when that is nothing."""
    found = [made for one in reading.of(how.corpora) for made in in_tokens(one, how, tokenizer)]
    learned = [one for one in found if any(label >= 0 for label in one.labels[1 : how.max_length])]
    if not learned:
        what = f"task data ({', '.join(how.kinds)})" if how.reads == "tasks" else "text"
        raise UserError(
            f"pass {index + 1} ('reads: {how.reads}') finds no {what} in the expert's corpora to learn from."
        )
    return learned


def _keep(record: PassRecord, folder: Path) -> None:
    """Seal what a pass made; then its checkpoints may go."""
    write_json(folder / MADE / RECORD, asdict(record))
    (folder / MADE).rename(folder / "done")
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)


@contextmanager
def _own_random_state(seed: int) -> Iterator[None]:
    """Seed torch, from which LoRA's A is drawn, and give back all generators: the trainer seeds every one of them."""
    import numpy as np
    import torch

    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)


def _record(model: Any, reading: Reading, checkpoints: Path, done: list[Path]) -> TrainingRecord:
    before = json.loads((checkpoints / BEFORE).read_text())
    passes = tuple(_pass(json.loads((folder / RECORD).read_text())) for folder in done)
    return TrainingRecord(
        steps=sum(one.steps for one in passes),
        tokens=sum(one.tokens for one in passes),
        seconds=round(sum(one.seconds for one in passes), 1),
        trainable_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        corpora=reading.counts,
        held_out=HeldOut(**before) if before else None,
        passes=passes,
    )


def _pass(raw: dict[str, Any]) -> PassRecord:
    held_out = HeldOut(**raw["held_out"]) if raw["held_out"] else None
    return PassRecord(**{**raw, "held_out": held_out, "loss_curve": tuple(LossPoint(**p) for p in raw["loss_curve"])})
