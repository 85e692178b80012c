"""One pass over an expert's sequences: TRL's loop on tokens of ours, with checkpoints and an early end."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench.errors import StepFailed
from workbench.progress import Progress
from workbench.specs.training import Training
from workbench.training import workers
from workbench.training.cpu_loss import label_loss
from workbench.training.held_out import HeldOut
from workbench.training.sequences import Tokens
from workbench.training.watch import LossPoint, loss_curve, refuse_nan, reporter, stopwatch

MADE = "made"


@dataclass(frozen=True)
class PassRecord:
    """What one pass really did. `cut` sequences were longer than a sequence may be, and lost their ends.

    `held_out` is the loss of what it left, measured on what was written.
    """

    reads: str
    sequences: int
    cut: int
    steps: int
    epochs: float
    tokens: int
    seconds: float
    held_out: HeldOut | None
    loss_curve: tuple[LossPoint, ...]


@dataclass(frozen=True)
class Material:
    """What a pass reads, and the held-out documents it is measured on."""

    sequences: Sequence[Tokens]
    held_out: Sequence[Tokens]

    @property
    def tokens(self) -> int:
        """Tokens of one epoch."""
        return sum(len(one.input_ids) for one in self.sequences)

    def longer_than(self, most: int) -> int:
        """Sequences of more tokens than that."""
        return sum(len(one.input_ids) > most for one in self.sequences)


def run_pass(
    model: Any,
    tokenizer: Any,
    how: Training,
    material: Material,
    seed: int,
    checkpoints: Path,
    progress: Progress,
    name: str,
) -> PassRecord:
    """Train the model in place, and write it, in float32, into MADE below `checkpoints`.

    Checkpoints go there too, and the last whole one is resumed.

    Raises StepFailed when the loss is no number any more, or memory is short.
    """
    import datasets
    from transformers import PrinterCallback

    resumed = last_whole(checkpoints)
    watch = stopwatch(resumed)
    trainer = _trainer_class()(
        model=model,
        args=_arguments(how, seed, checkpoints),
        train_dataset=datasets.Dataset.from_list([asdict(one) for one in material.sequences]),
        eval_dataset=datasets.Dataset.from_list([asdict(one) for one in material.held_out]) if how.stop else None,
        processing_class=tokenizer,
        callbacks=[watch, reporter(progress, material.tokens * how.epochs, name), *_stopping(how)],
    )
    trainer.remove_callback(PrinterCallback)  # ours draws progress; it would print every log
    try:
        trainer.train(resume_from_checkpoint=resumed)
    except StepFailed:
        _drop_broken(checkpoints)
        raise
    except RuntimeError as error:
        if not _out_of_memory(error):
            raise
        raise StepFailed(_memory_advice(how)) from error
    seconds = watch.seconds
    if workers.writes():
        shutil.rmtree(checkpoints / MADE, ignore_errors=True)
    workers.wait()
    trainer.save_model(str(checkpoints / MADE))  # by all processes: each may hold a shard
    epochs = trainer.state.epoch or 0.0
    return PassRecord(
        reads=how.reads,
        sequences=len(material.sequences),
        cut=material.longer_than(how.max_length) if isinstance(how.packing, bool) else 0,
        steps=trainer.state.global_step,
        epochs=round(epochs, 4),
        tokens=round(material.tokens * epochs),
        seconds=round(seconds, 1),
        held_out=None,
        loss_curve=loss_curve(trainer.state),
    )


def _trainer_class() -> Any:
    """TRL's SFTTrainer, which refuses a loss that is no number; on a CPU with a loss that does less work.

    That loss calls the model's parts, so it is not for a model that several processes share: their gradients meet when
    the whole is called.
    """
    import torch
    from trl import SFTTrainer

    class Trainer(SFTTrainer):  # type: ignore[misc, unused-ignore]
        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            if torch.cuda.is_available() or workers.count() > 1:
                found = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
                loss = found[0] if return_outputs else found
            else:
                loss = label_loss(model, inputs, num_items_in_batch)
                found = (loss, {}) if return_outputs else loss
            refuse_nan(loss.detach(), self.state.global_step)
            return found

    return Trainer


def _arguments(how: Training, seed: int, checkpoints: Path) -> Any:
    import torch
    from trl import SFTConfig

    looks: dict[str, Any] = {}
    if how.stop:
        looks = {
            "eval_strategy": "steps",
            "eval_steps": how.stop.every,
            "per_device_eval_batch_size": 1,
            "eval_packing": False,
            "prediction_loss_only": True,
            "load_best_model_at_end": True,
            "metric_for_best_model": "eval_loss",
            "greater_is_better": False,
        }
    return SFTConfig(
        output_dir=str(checkpoints),
        num_train_epochs=how.epochs,
        max_steps=how.max_steps or -1,
        learning_rate=how.lr,
        lr_scheduler_type=how.schedule,
        warmup_steps=how.warmup_steps,
        weight_decay=how.weight_decay,
        per_device_train_batch_size=how.batch_size,
        gradient_accumulation_steps=how.gradient_accumulation,
        activation_checkpointing=how.gradient_checkpointing,
        max_length=how.max_length,
        packing=bool(how.packing),
        packing_strategy={"split": "bfd_split", "wrapped": "wrapped"}.get(str(how.packing), "bfd"),
        neftune_noise_alpha=how.neftune_alpha or None,
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        save_steps=how.stop.every if how.stop else how.save_steps,
        save_total_limit=2,
        logging_steps=5,
        report_to="none",
        disable_tqdm=True,
        seed=seed,
        data_seed=seed,
        **looks,
    )


def _stopping(how: Training) -> list[Any]:
    from transformers import EarlyStoppingCallback

    return [EarlyStoppingCallback(early_stopping_patience=how.stop.patience)] if how.stop else []


def last_whole(checkpoints: Path) -> str | None:
    """The newest checkpoint that was written to its end: the trainer writes its state file last."""
    whole = [p.parent for p in checkpoints.glob("checkpoint-*/trainer_state.json")]
    return str(max(whole, key=lambda p: int(p.name.rpartition("-")[2]))) if whole else None


def _drop_broken(checkpoints: Path) -> None:
    """Remove checkpoints whose weights are no numbers: the one of a bad step may be written before it is noticed."""
    from safetensors.torch import load_file

    for folder in checkpoints.glob("checkpoint-*"):
        weights = [load_file(file) for file in folder.glob("*.safetensors")]
        if not all(tensor.isfinite().all() for file in weights for tensor in file.values()):
            shutil.rmtree(folder)


def _out_of_memory(error: RuntimeError) -> bool:
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _memory_advice(how: Training) -> str:
    ways = []
    if how.batch_size > 1:
        ways.append(f"lower 'batch_size' (now {how.batch_size}) and raise 'gradient_accumulation' by as much")
    if not how.gradient_checkpointing:
        ways.append("set 'gradient_checkpointing: true'")
    ways.append(f"lower 'max_length' (now {how.max_length})")
    return f"out of memory. In the expert's declaration, {', or '.join(ways)}."
