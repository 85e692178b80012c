"""The TRL / PEFT door of this stage: one expert trained from its declaration, with checkpoints and resume."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench.data.overlap import Index
from workbench.errors import MissingExtra
from workbench.progress import Progress
from workbench.specs.models import ExpertSpec
from workbench.store import write_json
from workbench.training.corpus import CorpusCount, Reading, read
from workbench.training.cpu_loss import label_loss


@dataclass(frozen=True)
class LossPoint:
    """Mean training loss (nats per token) over the steps since the last point."""

    step: int
    loss: float


@dataclass(frozen=True)
class TrainingRecord:
    """What was really done; written beside the adapter."""

    steps: int
    epochs: float
    tokens: int
    seconds: float
    trainable_parameters: int
    corpora: tuple[CorpusCount, ...]
    loss_curve: tuple[LossPoint, ...]


def train(
    spec: ExpertSpec, base: Path, out: Path, checkpoints: Path, progress: Progress, test_items: Index | None = None
) -> TrainingRecord:
    """Train an expert of the model in `base`; `out` receives the adapter (or, for full training, the model).

    Documents that share a run of words with `test_items` are not read.

    Checkpoints go to `checkpoints`; the last whole one is resumed. Weights are saved in bfloat16 safetensors.

    Raises MissingExtra when TRL or PEFT is not installed, DataMissing when a corpus is not on this machine.
    """
    try:
        import datasets
        import trl  # noqa: F401
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise MissingExtra("training experts", "train") from error
    import torch

    datasets.disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(base)
    reading = read(spec.corpora, tokenizer, spec.seed, test_items)
    rows = [{"prompt": e.prompt, "completion": e.completion} for e in reading.examples]
    if not spec.train.completion_only:
        rows = [{"text": e.prompt + e.completion} for e in reading.examples]
    with _own_random_state(spec.seed):
        # All weights are trained in float32, because a small update would vanish in bfloat16; frozen ones stay small.
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32 if spec.full else torch.bfloat16)
        curve: list[LossPoint] = []
        trainer = _trainer_class()(
            model=model,
            args=_arguments(spec, checkpoints),
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=tokenizer,
            peft_config=_lora(spec),
            callbacks=[_Reporter.make(progress, curve, reading.tokens * spec.train.epochs)],
        )
        started = time.monotonic()
        trainer.train(resume_from_checkpoint=_last_whole(checkpoints))
    seconds = time.monotonic() - started
    record = _record(trainer, reading, curve, seconds)
    trainer.model.to(torch.bfloat16).save_pretrained(out)
    if spec.full:  # a model of its own, which is scored and merged as it is
        tokenizer.save_pretrained(out)
    write_json(out / "training.json", asdict(record))
    shutil.rmtree(checkpoints, ignore_errors=True)
    return record


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


def _trainer_class() -> Any:
    """TRL's SFTTrainer; on a CPU with a loss that does less work."""
    import torch
    from trl import SFTTrainer

    if torch.cuda.is_available():
        return SFTTrainer

    class CpuTrainer(SFTTrainer):  # type: ignore[misc, unused-ignore]
        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            return label_loss(model, inputs, num_items_in_batch)

    return CpuTrainer


def _arguments(spec: ExpertSpec, checkpoints: Path) -> Any:
    import torch
    from trl import SFTConfig

    t = spec.train
    return SFTConfig(
        output_dir=str(checkpoints),
        num_train_epochs=t.epochs,
        max_steps=t.max_steps or -1,
        learning_rate=t.lr,
        lr_scheduler_type="cosine",
        warmup_steps=t.warmup_steps,
        per_device_train_batch_size=t.batch_size,
        gradient_accumulation_steps=t.gradient_accumulation,
        max_length=t.max_length,
        packing=t.packing,
        completion_only_loss=t.completion_only,
        neftune_noise_alpha=t.neftune_alpha or None,
        activation_checkpointing=False,
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        save_steps=t.save_steps,
        save_total_limit=1,
        logging_steps=5,
        report_to="none",
        disable_tqdm=True,
        seed=spec.seed,
        data_seed=spec.seed,
    )


def _lora(spec: ExpertSpec) -> Any:
    if spec.lora is None:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=spec.lora.r,
        lora_alpha=spec.lora.alpha,
        lora_dropout=spec.lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _last_whole(checkpoints: Path) -> str | None:
    """The newest checkpoint that was written to its end: the trainer writes its state file last."""
    whole = [p.parent for p in checkpoints.glob("checkpoint-*/trainer_state.json")]
    return str(max(whole, key=lambda p: int(p.name.rpartition("-")[2]))) if whole else None


def _record(trainer: Any, reading: Reading, curve: list[LossPoint], seconds: float) -> TrainingRecord:
    return TrainingRecord(
        steps=trainer.state.global_step,
        epochs=round(trainer.state.epoch or 0.0, 4),
        tokens=round(reading.tokens * (trainer.state.epoch or 0.0)),
        seconds=round(seconds, 1),
        trainable_parameters=sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        corpora=reading.counts,
        loss_curve=tuple(curve),
    )


class _Reporter:
    """Builds the trainer's callback; a class of its own because transformers must not load with this module."""

    @staticmethod
    def make(progress: Progress, curve: list[LossPoint], total_tokens: float) -> Any:
        from transformers import TrainerCallback

        clock: Callable[[], float] = time.monotonic

        class Callback(TrainerCallback):  # type: ignore[misc, unused-ignore]
            def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                self.started, self.first_step = clock(), state.global_step

            def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
                if "loss" not in logs:
                    return
                loss = float(logs["loss"])
                curve.append(LossPoint(state.global_step, round(loss, 4)))
                share = (state.global_step - self.first_step) / max(state.max_steps, 1)
                speed = share * total_tokens / max(clock() - self.started, 1e-9)
                progress(state.global_step, state.max_steps, f"loss {loss:.3f}, {speed:,.0f} tokens/s")

        return Callback()
