"""A search by commands: for each candidate `mergekit-yaml` into a folder, then `lm_eval` on it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from merge import with_folders
from our_search import Job

MERGING, LOADING, ASKING = "Warmup loader cache", "Initializing hf model", "Building contexts for"
"""What mergekit and lm_eval print when a stage begins."""


@dataclass(frozen=True)
class Looped:
    """One candidate: seconds of its stages, of the CPU, and its metrics by task, in the order of the items."""

    seconds: dict[str, float]
    cpu_seconds: float
    values: dict[str, list[float]]


def environment() -> dict[str, str]:
    """Of every process of both ways: nothing is downloaded, no GPU is seen, and lm_eval prints what it does."""
    return {**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "LMEVAL_LOG_LEVEL": "INFO"}


def watched(command: Sequence[str], marks: Sequence[str] = ()) -> tuple[list[float], float]:
    """Seconds of a command up to each of the marks in what it prints, from the last one to its end, and of the CPU.

    A mark that never comes, and those behind it, are taken to come right after the last that did. Leaves with one
    sentence when the command fails.
    """
    what = Path(command[1] if command[1].endswith(".py") else command[0]).name
    times = [time.perf_counter()]
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment())
    except OSError as error:
        raise SystemExit(f"{what} cannot be started: {error}. Is it installed beside this Python?") from error
    assert process.stdout is not None
    printed, left = b"", list(marks)
    with process.stdout:
        while part := os.read(process.stdout.fileno(), 1 << 16):
            printed += part
            while left and left[0].encode() in printed:
                times.append(time.perf_counter())
                left.pop(0)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = code = os.waitstatus_to_exitcode(status)
    if code < 0:
        name = signal.Signals(-code).name
        raise SystemExit(f"{what}: its process was ended by {name}. If that is SIGKILL, memory was short.")
    if code:
        lines = [line.strip() for line in re.split(r"[\r\n]", printed.decode(errors="replace")) if line.strip()]
        raise SystemExit(f"{what} failed: {lines[-1] if lines else f'exit code {code}, without a word'}")
    times += [times[-1]] * len(left)
    times.append(time.perf_counter())
    return [end - start for start, end in pairwise(times)], usage.ru_utime + usage.ru_stime


def looped(job: Job, name: str, into: Path, batch_size: int) -> Looped:
    """Merge and score one candidate by the two commands; its folder is removed again."""
    folder, out = into / "merged", into / "scored"
    try:
        (start_up, merging), merge_cpu = watched(
            merge_command(job, job.recipes[name], into / "merge.yaml", folder), [MERGING]
        )
        (starting, loading, asking), score_cpu = watched(score_command(job, folder, out, batch_size), [LOADING, ASKING])
        values = {task: answers(out, task, metric, job.samples[task]) for task, metric in job.metrics.items()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)
    seconds = {"start-up": start_up + starting, "load": loading, "merge": merging, "score": asking}
    return Looped(seconds, merge_cpu + score_cpu, values)


def merge_command(job: Job, recipe: Mapping[str, Any], file: Path, out: Path) -> list[str]:
    """`mergekit-yaml` on the recipe; its seed is an option there."""
    raw = {key: value for key, value in recipe.items() if key != "seed"}
    file.write_text(yaml.safe_dump(with_folders(raw, {name: Path(folder) for name, folder in job.folders.items()})))
    seed = ["--random-seed", str(recipe["seed"])] if "seed" in recipe else []
    return [str(Path(sys.executable).with_name("mergekit-yaml")), str(file), str(out), *seed]


def score_command(job: Job, model: Path, out: Path, batch_size: int) -> list[str]:
    """`lm_eval` on the same items."""
    return [
        str(Path(sys.executable).with_name("lm_eval")), "run", "--model", "hf",
        "--model_args", f"pretrained={model},dtype={job.dtype}", "--include_path", job.tasks,
        "--tasks", ",".join(job.metrics), "--samples", json.dumps(job.samples), "--device", "cpu",
        "--batch_size", str(batch_size), "--log_samples", "--output_path", str(out),
    ]  # fmt: skip


def answers(out: Path, task: str, metric: str, docs: Sequence[int]) -> list[float]:
    """The metric of each item, as `lm_eval` wrote it."""
    for path in out.rglob("samples_*.jsonl"):
        if path.stem.removeprefix("samples_").rpartition("_")[0] == task:
            rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
            found = {row["doc_id"]: float(row[metric]) for row in rows}
            return [found[doc] for doc in docs]
    raise SystemExit(f"lm_eval wrote no samples of {task} below {out}.")
