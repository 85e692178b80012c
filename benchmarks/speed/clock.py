"""Runs a training script as it stands, with a clock among the callbacks of its trainer; train.py reads what it writes.

    python clock.py RECORD WARM_UP DEVICE SCRIPT [ARGUMENT ...]

The script knows nothing of it. RECORD becomes a JSON object: seconds of the steps after the warm-up, by the clock and
of the CPU; loss and tokens of every step; the trainer's settings; the device; peak memory.
"""

from __future__ import annotations

import json
import resource
import runpy
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback
from transformers.trainer import DEFAULT_CALLBACKS

PLACES = {"output_dir", "logging_dir", "run_name"}
LOADING = {"model_init_kwargs"}
"""How a script that names its model has it loaded; what came of it is in the settings, by type of number."""

ADAPTER = ("r", "lora_alpha", "lora_dropout", "use_rslora", "init_lora_weights")


class Clock(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Looks on. It asks for a log after every step, which costs both ways the same."""

    def __init__(self, warm_up: int) -> None:
        self.warm_up = warm_up
        self.settings: dict[str, Any] = {}
        self.losses: list[float] = []
        self.tokens: list[int] = []
        self.times: list[tuple[float, float]] = []
        self._seen = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
        given = {k: v for k, v in args.to_dict().items() if k not in PLACES | LOADING}
        adapter = model.peft_config["default"].to_dict()
        self.settings = {**given, "parameters": parameters(model), **{key: adapter[key] for key in ADAPTER}}
        model.get_input_embeddings().register_forward_hook(self._count)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step in (self.warm_up, state.max_steps):
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.times.append((time.perf_counter(), time.process_time()))
        self.tokens.append(self._seen)
        self._seen = 0
        control.should_log = True

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
        if "loss" in logs:
            self.losses.append(float(logs["loss"]))

    def _count(self, module: Any, inputs: tuple[torch.Tensor, ...], output: Any) -> None:
        self._seen += inputs[0].numel()


def parameters(model: Any) -> dict[str, int]:
    """How many numbers the model holds, by type and by whether they learn."""
    found: dict[str, int] = {}
    for parameter in model.parameters():
        key = f"{parameter.dtype}, {'learns' if parameter.requires_grad else 'frozen'}"
        found[key] = found.get(key, 0) + parameter.numel()
    return found


def peak_bytes() -> int:
    """Most memory that this process held. On Linux not by getrusage: that begins at the peak of the parent process."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """Run the script, then write what the clock saw."""
    record, warm_up, device, script = sys.argv[1:5]
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch finds no GPU on this machine. Take --device cpu.")
    clock = Clock(int(warm_up))
    DEFAULT_CALLBACKS.append(clock)
    sys.argv = sys.argv[4:]
    runpy.run_path(script, run_name="__main__")
    begun, ended = clock.times
    seconds, cpu_seconds = (after - before for before, after in zip(begun, ended, strict=True))
    found = {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "losses": clock.losses,
        "tokens": clock.tokens,
        "settings": clock.settings,
        "device": torch.cuda.get_device_name() if device == "cuda" else f"CPU, threads: {torch.get_num_threads()}",
        "process_bytes": peak_bytes(),
        "device_bytes": torch.cuda.max_memory_allocated() if device == "cuda" else None,
    }
    Path(record).write_text(json.dumps(found, default=str))


if __name__ == "__main__":
    main()
