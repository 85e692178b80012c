"""What SFT and DPO share: the stage file of a bundle, its rows as chat messages, loading and saving of the model."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import DataMissing, MissingExtra, WorkbenchError
from workbench.specs.load import raise_problems, read_yaml, validate
from workbench.specs.run import DpoStage
from workbench.store import write_json


class StageFile(DpoStage):
    """sft.yaml or dpo.yaml of a bundle: a stage with its model, output folder and seed. SFT does not read `beta`."""

    model: str
    output: str
    seed: int


@dataclass(frozen=True)
class Loaded:
    """A stage ready to train: its file, the policy in float32, the tokenizer, the rows."""

    stage: StageFile
    folder: Path
    model: Any
    tokenizer: Any
    rows: tuple[dict[str, Any], ...]

    @property
    def output(self) -> Path:
        """Folder for the trained model."""
        return self.folder / self.stage.output


def load(path: Path) -> Loaded:
    """Read a stage file, its rows and its model. float32: an update of 1e-6 would vanish in bfloat16 weights."""
    try:
        import datasets
        import torch
        import trl  # noqa: F401
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise MissingExtra("alignment", "align") from error
    datasets.disable_progress_bars()
    document = read_yaml(path)
    stage = validate(document, StageFile)
    raise_problems([document])
    assert stage is not None
    source = (path.parent / stage.model).resolve()
    if not (source / "config.json").is_file():
        raise DataMissing(f"{path}: model '{stage.model}' is not there. Run the stage before it, or correct the path.")
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(source)
    return Loaded(stage, path.parent, model, tokenizer, read_rows(path.parent / stage.data))


def read_rows(path: Path) -> tuple[dict[str, Any], ...]:
    """Rows of a JSON-lines file. Raises DataMissing with the line that is no JSON object."""
    if not path.is_file():
        raise DataMissing(f"{path}: is not there. Write the bundle again, or correct 'data' of the stage.")
    rows = []
    with path.open(encoding="utf-8") as file:  # splitlines() would also cut at U+2028, which JSON allows in a text
        for number, line in enumerate(file, 1):
            rows.append(_row(line, f"{path}:{number}"))
    if not rows:
        raise DataMissing(f"{path}: holds no row. Give at least one.")
    return tuple(rows)


def _row(line: str, where: str) -> dict[str, Any]:
    try:
        row: dict[str, Any] = json.loads(line)
        lacking = [key for key in ("instruction", "input", "output") if not isinstance(row.get(key), str)]
    except (ValueError, AttributeError) as error:
        raise DataMissing(f"{where}: is no JSON object ({error}). Write one a line.") from error
    if lacking:
        raise DataMissing(f"{where}: needs instruction, input and output as texts; {lacking[0]} is none. Correct it.")
    return row


def prompt(row: dict[str, Any]) -> list[dict[str, str]]:
    """MediPhi's chat format: the instruction is the system's turn, the document the user's."""
    return [{"role": "system", "content": row["instruction"]}, {"role": "user", "content": row["input"]}]


def answer(text: str) -> list[dict[str, str]]:
    """The assistant's turn."""
    return [{"role": "assistant", "content": text}]


def arguments(loaded: Loaded) -> dict[str, Any]:
    """Training arguments that TRL's SFTConfig and DPOConfig share."""
    import torch

    stage, gpu = loaded.stage, torch.cuda.is_available()
    return {
        "output_dir": str(loaded.output.with_name(f"{loaded.output.name}.checkpoints")),
        "learning_rate": stage.lr,
        "lr_scheduler_type": "cosine",
        "warmup_steps": stage.warmup_steps,
        "num_train_epochs": stage.epochs,
        "max_steps": stage.max_steps or -1,
        "per_device_train_batch_size": stage.batch_size,
        "gradient_accumulation_steps": stage.gradient_accumulation,
        "max_length": stage.max_length,
        "activation_checkpointing": False,
        "use_cpu": not gpu,
        "bf16": gpu,
        "dataloader_pin_memory": gpu,
        "save_strategy": "no",
        "logging_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
        "seed": stage.seed,
        "data_seed": stage.seed,
    }


def save(loaded: Loaded, trainer: Any) -> None:
    """Save the trained policy in bfloat16 with its tokenizer, and the log of its steps. Main process only."""
    import torch

    if not trainer.accelerator.is_main_process:
        return
    model = trainer.accelerator.unwrap_model(trainer.model).to(torch.bfloat16)
    model.save_pretrained(loaded.output)
    loaded.tokenizer.save_pretrained(loaded.output)
    write_json(loaded.output / "steps.json", trainer.state.log_history)


def run(train: Any) -> None:
    """Entry of a stage module: one argument, the stage file; the user's mistakes become one sentence."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: accelerate launch -m {train.__module__} STAGE.yaml")
    try:
        train(Path(sys.argv[1]))
    except WorkbenchError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
