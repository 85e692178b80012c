"""Training, a pass of ours against a plain TRL script: tokens a second, peak memory, the same losses (README.md)."""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from our_pass import expert
from rich.console import Console
from rich.table import Table
from transformers import AutoTokenizer

from workbench.training.corpus import read

HERE = Path(__file__).parent
OURS, PLAIN = "workbench", "plain TRL"
SCRIPTS = {OURS: HERE / "our_pass.py", PLAIN: HERE / "plain_trl.py"}
WARM_UP = 2
"""Steps that are run first and not counted."""

APART = 0.05
"""Nats by which the losses of a step may differ. Rounding in bfloat16 stays far below; other documents do not."""

console = Console(width=110)


@dataclass(frozen=True)
class Run:
    """One process: seconds of the counted steps, by the clock and of the CPU; loss and tokens of every step; peaks."""

    seconds: float
    cpu_seconds: float
    losses: tuple[float, ...]
    tokens: tuple[int, ...]
    settings: dict[str, Any]
    device: str
    process_bytes: int
    device_bytes: int | None

    @property
    def row(self) -> dict[str, float]:
        """What the table shows of it, by column."""
        steps = self.tokens[WARM_UP:]
        found = {
            "tokens/s": sum(steps) / self.seconds,
            "s a step": self.seconds / len(steps),
            "CPU s a step": self.cpu_seconds / len(steps),
            "process GB": self.process_bytes / 1e9,
        }
        return found if self.device_bytes is None else {**found, "device GB": self.device_bytes / 1e9}


def measured(way: str, command: Sequence[str], record: Path, environment: dict[str, str]) -> Run:
    """Run one way in a process of its own. Leaves with one sentence when that fails."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise SystemExit(f"{way}: its process was ended by {name}. If that is SIGKILL, memory was short.")
    if done.returncode:
        said = done.stderr.strip() or f"exit code {done.returncode}, without a word"
        raise SystemExit(f"{way} failed: {said.splitlines()[-1].strip()}")
    found = json.loads(record.read_text())
    return Run(losses=tuple(found.pop("losses")), tokens=tuple(found.pop("tokens")), **found)


def demo_base(runs: Path) -> Path:
    """The base model that the demo brought into the store."""
    from inputs import demo_base as found  # with what merging needs, which a named base does without

    return found(runs)


def documents(base: Path, steps: int, file: Path) -> None:
    """Write the texts that both ways read, in the order in which an expert reads them."""
    found = read(expert(steps), file.parent, AutoTokenizer.from_pretrained(base))
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps({"text": one.text}) + "\n" for one in found.examples)


def alike(ours: Run, plain: Run) -> float:
    """The largest difference of a step's losses (nats). Leaves with one sentence when the two did not do the same."""
    keys = ours.settings.keys() | plain.settings.keys()
    if other := sorted(key for key in keys if ours.settings.get(key) != plain.settings.get(key)):
        key, values = other[0], [run.settings.get(other[0]) for run in (ours, plain)]
        raise SystemExit(f"the settings differ in '{key}': {values[0]} here, {values[1]} in plain TRL.")
    if ours.tokens != plain.tokens:
        step = [a == b for a, b in zip(ours.tokens, plain.tokens, strict=True)].index(False)
        counts = f"{ours.tokens[step]:,} here, {plain.tokens[step]:,} in plain TRL"
        raise SystemExit(f"step {step + 1} reads other tokens: {counts}. Does the tokenizer add tokens of its own?")
    apart = [abs(a - b) for a, b in zip(ours.losses, plain.losses, strict=True)]
    if max(apart) > APART:
        step = apart.index(max(apart))
        losses = f"{ours.losses[step]:.4f} here, {plain.losses[step]:.4f} in plain TRL"
        raise SystemExit(f"the losses of step {step + 1} differ: {losses}. The two do not learn the same.")
    return max(apart)


def table(runs: Mapping[str, Sequence[Run]]) -> Table:
    """Medians of both ways and their ratio."""
    made = Table(box=None, padding=(0, 2, 0, 0))
    rows = {way: medians(found) for way, found in runs.items()}
    made.add_column("")
    for column in rows[OURS]:
        made.add_column(column, justify="right")
    for way, row in rows.items():
        made.add_row(way, *map(shown, row.values()))
    made.add_row(f"{OURS} / {PLAIN}", *(f"{row / rows[PLAIN][column]:.2f}" for column, row in rows[OURS].items()))
    return made


def medians(runs: Sequence[Run]) -> dict[str, float]:
    """The row of several runs."""
    return {column: statistics.median(run.row[column] for run in runs) for column in runs[0].row}


def shown(value: float) -> str:
    """Four figures or more."""
    return f"{value:.3f}" if value < 100 else f"{value:,.1f}"


def environment(device: str, into: Path) -> dict[str, str]:
    """Nothing is downloaded, nothing of an earlier run is found again, and one GPU or none is seen."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    seen = {"CUDA_VISIBLE_DEVICES": first if device == "cuda" else ""}
    return {**os.environ, **seen, "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(into / "datasets")}


def run(arguments: argparse.Namespace, base: Path, into: Path) -> dict[str, list[Run]]:
    """Each way so many times, one after the other in turn."""
    steps = arguments.steps + WARM_UP
    texts, record = into / "documents.jsonl", into / "record.json"
    documents(base, steps, texts)
    clock = [sys.executable, str(HERE / "clock.py"), str(record), str(WARM_UP), arguments.device]
    runs: dict[str, list[Run]] = {way: [] for way in SCRIPTS}
    for number in range(arguments.repeats):
        with tempfile.TemporaryDirectory(dir=into) as place:
            for way, script in SCRIPTS.items():
                command = [*clock, str(script), str(base), str(texts), str(Path(place) / script.stem), str(steps)]
                found = measured(way, command, record, environment(arguments.device, Path(place)))
                runs[way].append(found)
                line = ", ".join(f"{column} {shown(value)}" for column, value in found.row.items())
                console.print(f"  {number + 1}. {way}: {line}", style="dim", highlight=False)
    return runs


def main() -> None:
    """The benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--steps", type=int, default=8, help=f"steps that are counted (8), after {WARM_UP} that are not"
    )
    parser.add_argument("--repeats", type=int, default=3, help="runs of each way, of which the median is shown (3)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to train (cpu)")
    parser.add_argument("--base", type=Path, help="folder of a model (that of the demo)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the demo ran")
    arguments = parser.parse_args()
    if arguments.steps < 1 or arguments.repeats < 1:
        raise SystemExit("--steps and --repeats count from 1.")
    base = arguments.base or demo_base(arguments.runs)
    if not (base / "config.json").is_file():
        raise SystemExit(f"{base}: holds no model (config.json is missing). Name the folder of one with --base.")
    with tempfile.TemporaryDirectory() as place:
        runs = run(arguments, base.resolve(), Path(place))
    ours, plain = runs.values()
    apart = max(alike(*pair) for pair in zip(ours, plain, strict=True))
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "peft", "trl"))
    console.print(f"{base.name} on {ours[0].device}; {packages}", highlight=False)
    console.print(table(runs))
    curves = "; ".join(f"{way} {kept[0].losses[0]:.4f} to {kept[0].losses[-1]:.4f}" for way, kept in runs.items())
    console.print(f"losses: {curves}; of one step at most {apart:.6f} apart", highlight=False)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
