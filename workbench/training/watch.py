"""What looks on while a pass goes on: progress, the loss curve, and the end of a training that went wrong."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workbench.errors import StepFailed
from workbench.progress import Progress


@dataclass(frozen=True)
class LossPoint:
    """Mean training loss (nats per token) over the steps since the last point."""

    step: int
    loss: float


def reporter(progress: Progress, curve: list[LossPoint], total_tokens: float, name: str) -> Any:
    """A callback that draws progress and adds to the curve; made here because transformers must not load early."""
    from transformers import TrainerCallback

    clock: Callable[[], float] = time.monotonic

    class Reporter(TrainerCallback):  # type: ignore[misc, unused-ignore]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.started, self.first_step = clock(), state.global_step

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
            if "loss" not in logs:
                return
            loss = float(logs["loss"])
            curve.append(LossPoint(state.global_step, round(loss, 4)))
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
