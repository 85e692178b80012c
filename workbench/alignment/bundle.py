"""The hand-off bundle: everything that aligning the chosen checkpoint takes, on this machine or on a cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

from workbench.errors import StepFailed
from workbench.records import ScoreRow, Selection, plain
from workbench.specs.run import Handoff, Stage
from workbench.store import write_json, write_text

SCRIPT = """\
#!/usr/bin/env bash
# Aligns the chosen checkpoint: SFT, then DPO, then the same scores as every other model of the run.
# Stages may be named (align.sh sft dpo); ACCELERATE_ARGS replaces the one-process default, e.g. for FSDP.
set -euo pipefail
cd "$(dirname "$0")"
python="${PYTHON:-python}"
read -r -a how <<< "${ACCELERATE_ARGS:---num_processes 1 --num_machines 1 --mixed_precision no --dynamo_backend no}"
for stage in "${@:-sft dpo score}"; do
  for one in $stage; do
    case "$one" in
      sft | dpo) "$python" -m accelerate.commands.launch "${how[@]}" -m "workbench.alignment.$one" "$one.yaml" ;;
      score) "$python" -m workbench score aligned/dpo --name aligned --run "@RUN_FILE@" --runs "@RUNS@"@LIMIT@ ;;
      *) echo "unknown stage '$one'. Known: sft, dpo, score." >&2; exit 2 ;;
    esac
  done
done
"""


@dataclass(frozen=True)
class Chosen:
    """The checkpoint to align, and why: selection, its scores in both roles, its recipe, its licences."""

    selection: Selection
    folder: Path
    rows: Sequence[ScoreRow]
    licences: tuple[str, ...]


@dataclass(frozen=True)
class Places:
    """What a bundle points at: run file, runs folder, two data files; `limit` is that of a shortened run."""

    run_file: Path
    runs: Path
    sft_data: Path
    dpo_data: Path
    limit: int | None = None


def write_bundle(chosen: Chosen, handoff: Handoff, places: Places, out: Path) -> None:
    """Write the bundle into `out`. Every path in it is relative to the bundle."""
    out.mkdir(parents=True, exist_ok=True)
    evidence = {
        "checkpoint": os.path.relpath(chosen.folder, out),
        "selection": plain(chosen.selection),
        "scores": [plain(row) for row in chosen.rows],
        "licences": list(chosen.licences),
        "shortened": shortened(handoff),
    }
    write_json(out / "bundle.json", evidence)
    shutil.copyfile(chosen.folder / "recipe.yaml", out / "recipe.yaml")
    shutil.copyfile(places.sft_data, out / "sft.jsonl")
    shutil.copyfile(places.dpo_data, out / "dpo.jsonl")
    _write_stage(handoff.sft, evidence["checkpoint"], "sft", handoff.seed, out)
    _write_stage(handoff.dpo, "aligned/sft", "dpo", handoff.seed, out)
    filled = {
        "@RUN_FILE@": os.path.relpath(places.run_file, out),
        "@RUNS@": os.path.relpath(places.runs, out),
        "@LIMIT@": f" --limit {places.limit}" if places.limit else "",
    }
    write_text(out / "align.sh", reduce(lambda text, name: text.replace(name, filled[name]), filled, SCRIPT))
    (out / "align.sh").chmod(0o755)
    write_text(out / "README.md", _readme(chosen, handoff))


def shortened(handoff: Handoff) -> str | None:
    """A label for a run that stops before its epochs are over, or None."""
    steps = [f"{stage.max_steps} {name}" for name, stage in _stages(handoff) if stage.max_steps]
    return f"shortened run: {' + '.join(steps)} steps" if steps else None


def align(bundle: Path, log: Path) -> None:
    """Run a bundle's SFT and DPO as its script does; the output goes to `log`. Raises StepFailed with its last line."""
    environment = {**os.environ, "PYTHON": sys.executable}
    with log.open("w") as out:
        done = subprocess.run(
            ["bash", str(bundle / "align.sh"), "sft", "dpo"], stdout=out, stderr=subprocess.STDOUT, env=environment
        )
    if done.returncode:
        raise StepFailed(f"align.sh ended with {done.returncode}: {_last_words(log.read_text())}")


def _last_words(log: str) -> str:
    """The last line of the stage itself: accelerate adds a traceback of its own that only says that it failed."""
    before, _, after = log.rpartition("Traceback (most recent call last):")
    own = before if "subprocess.CalledProcessError" in after else log
    return next((line.strip() for line in reversed(own.splitlines()) if line.strip()), "no output")


def _stages(handoff: Handoff) -> tuple[tuple[str, Stage], ...]:
    return (("SFT", handoff.sft), ("DPO", handoff.dpo))


def _write_stage(stage: Stage, model: Any, name: str, seed: int, out: Path) -> None:
    fields: Mapping[str, Any] = {
        "model": model,
        "output": f"aligned/{name}",
        **stage.model_dump(exclude_none=True),
        "data": f"{name}.jsonl",
        "seed": seed,
    }
    text = yaml.safe_dump(dict(fields), sort_keys=False)
    write_text(out / f"{name}.yaml", f"# {name.upper()} stage of this bundle; see align.sh.\n{text}")


def _readme(chosen: Chosen, handoff: Handoff) -> str:
    note = shortened(handoff)
    lines = [
        f"# Hand-off: {chosen.selection.model}",
        "",
        "Run `./align.sh` (needs the `align` extra). It trains SFT, then DPO, then scores the aligned model.",
        "",
        *([f"This is a {note}: enough to prove the path, not to align a model.", ""] if note else []),
        "## Why this checkpoint",
        "",
        *(f"- {reason}" for reason in chosen.selection.reasons),
        "",
        "## Files",
        "",
        "- `bundle.json`: the checkpoint, the selection, its scores, the licences of everything it was made of",
        "- `recipe.yaml`: the merge; `sft.yaml`, `dpo.yaml`: the stages; `sft.jsonl`, `dpo.jsonl`: their rows",
    ]
    return "\n".join(lines) + "\n"
