"""What looks on while a pass goes on: progress, the loss curve, and the end of a training that went wrong."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import StepFailed
from workbench.progress import Progress
from workbench.store import write_json

SPENT = "seconds.json"
"""In a checkpoint: the seconds that its pass has taken so far."""


@dataclass(frozen=True)
class LossPoint:
    """Mean training loss (nats per token) over the steps since the last point."""

    step: int
    loss: float


def loss_curve(state: Any) -> tuple[LossPoint, ...]:
    """The training loss as the trainer's state has it, also of steps before a training was resumed."""
    return tuple(LossPoint(one["step"], round(float(one["loss"]), 4)) for one in state.log_history if "loss" in one)


def stopwatch(resumed: str | None) -> Any:
    """A callback whose `seconds` a pass took, over all the times that it was resumed; a checkpoint knows its own."""
    from transformers import TrainerCallback

    file = Path(resumed or "") / SPENT
    before = float(json.loads(file.read_text())) if resumed and file.is_file() else 0.0

    class Stopwatch(TrainerCallback):  # type: ignore[misc, unused-ignore]
        started = time.monotonic()

        @property
        def seconds(self) -> float:
            return before + time.monotonic() - self.started

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.started = time.monotonic()

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.is_world_process_zero:
                write_json(Path(args.output_dir) / f"checkpoint-{state.global_step}" / SPENT, round(self.seconds, 1))

    return Stopwatch()


def reporter(progress: Progress, total_tokens: float, name: str) -> Any:
    """A callback that draws progress; made here because transformers must not load early."""
    from transformers import TrainerCallback

    clock: Callable[[], float] = time.monotonic

    class Reporter(TrainerCallback):  # type: ignore[misc, unused-ignore]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.started, self.first_step = clock(), state.global_step

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
            if "loss" not in logs:
                return
            loss = float(logs["loss"])
            share = (state.global_step - self.first_step) / max(state.max_steps, 1)
            speed = share * total_tokens / max(clock() - self.started, 1e-9)
            progress(state.global_step, state.max_steps, f"{name}loss {loss:.3f}, {speed:,.0f} tokens/s")

    return Reporter()


def refuse_nan(loss: Any, step: int) -> None:
    """Raises StepFailed for a loss that is no number: what is learned from it is lost."""
    if not math.isfinite(float(loss)):
        raise StepFailed(
            f"the training loss became {float(loss)} at step {step}. The last good checkpoint is kept. "
            "Lower 'lr' or lengthen 'warmup_steps', and train again."
        )
