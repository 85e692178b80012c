"""Scoring multiple choice, ours against lm-eval's HFLM: items a second, and that the answers agree (README.md)."""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import inputs
import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForCausalLM, AutoTokenizer

from workbench.scoring.packed import PackedScorer

TASK_FOLDERS = Path(__file__).parents[1] / "tasks"
TASKS = (
    "icd10cm_easy_validation", "icd10cm_hard_validation", "topic_clinical_knowledge_validation",
    "topic_icd10cm_definitions_validation", "mini_nli_validation",
)  # fmt: skip
"""Those that need no download."""

FIXED = (8, 32)
"""HFLM's batch sizes that are tried where memory is the machine's: its search for the largest is made for GPUs."""

APART = 1e-3
"""Nats by which a log-probability in float32 may differ; in bfloat16 HFLM rounds its softmax, so none is refused."""

console = Console(width=110)
Answers = list[tuple[float, bool]]


@dataclass(frozen=True)
class Pass:
    """One task asked once: seconds by the clock and of the CPU, and the answers."""

    seconds: float
    cpu_seconds: float
    answers: Answers


def asked(scorer: Any, requests: Sequence[Any]) -> Pass:
    """A pass over all requests of a task."""
    started, cpu = time.perf_counter(), time.process_time()
    answers = scorer.loglikelihood(list(requests), disable_tqdm=True)  # numbers on the CPU: nothing is left to wait for
    return Pass(time.perf_counter() - started, time.process_time() - cpu, answers)


def requests_of(task: Any, limit: int | None) -> list[Any]:
    """The requests that lm-eval makes of a task's first items."""
    task.build_all_requests(limit=limit)
    requests: list[Any] = task.instances
    return requests


def apart(requests: Sequence[Any], ours: Answers, theirs: Answers) -> tuple[float, int, int]:
    """Largest difference of a log-probability; answers of which one is the best text and the other is not; items whose
    likeliest option differs, those without their question counted by themselves."""
    most = max(abs(a - b) for (a, _), (b, _) in zip(ours, theirs, strict=True))
    flags = sum(a != b for (_, a), (_, b) in zip(ours, theirs, strict=True))
    places = sorted(range(len(requests)), key=lambda i: (requests[i].doc_id, requests[i].args[0]))
    items = [list(group) for _, group in groupby(places, key=lambda i: (requests[i].doc_id, requests[i].args[0]))]
    chosen = ([max(item, key=lambda i: given[i][0]) for item in items] for given in (ours, theirs))
    return most, flags, sum(a != b for a, b in zip(*chosen, strict=True))


def hflm(model: Any, tokenizer: Any, requests: Sequence[Any], sizes: Sequence[int]) -> HFLM:
    """HFLM at the fastest of the batch sizes; with none given, at the largest that its own search finds.

    Finding it costs no time here: the clock starts later.
    """
    if sizes:
        scorers = [HFLM(pretrained=model, tokenizer=tokenizer, batch_size=size) for size in sizes]
        return min(scorers, key=lambda scorer: asked(scorer, requests).seconds)
    searching = HFLM(pretrained=model, tokenizer=tokenizer, batch_size="auto")
    asked(searching, requests)
    return HFLM(pretrained=model, tokenizer=tokenizer, batch_size=max(searching.batch_sizes.values()))


def row(
    name: str, requests: Sequence[Any], ours: PackedScorer, theirs: HFLM, repeats: int, dtype: str
) -> tuple[list[str], float]:
    """The table's row of a task, and the ratio. Ours and theirs take turns; medians. Stops where answers differ."""
    asked(ours, requests)  # both have warmed up by now
    passes = [(asked(ours, requests), asked(theirs, requests)) for _ in range(repeats)]
    most, flags, items = apart(requests, passes[0][0].answers, passes[0][1].answers)
    if dtype == "float32" and (most > APART or flags or items):
        raise SystemExit(f"{name}: answers differ, by up to {most:.1g} nats, in {flags} best texts, {items} choices.")
    count = len({one.doc_id for one in requests})
    mine, other = (statistics.median(one[side].seconds for one in passes) for side in (0, 1))
    cpu = [statistics.median(one[side].cpu_seconds for one in passes) for side in (0, 1)]
    cells = [
        name, f"{count}", f"{count / mine:.1f}", f"{count / other:.1f}", f"{theirs.batch_size}", f"{other / mine:.2f}",
        f"{cpu[1] / cpu[0]:.2f}", f"{most:.1g}", f"{items}",
    ]  # fmt: skip
    return cells, other / mine


def main() -> None:
    """A row a task, and the ratios' geometric mean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a folder; the demo's base if none is given")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the demo ran")
    parser.add_argument("--tasks", nargs="+", default=TASKS, help="multiple choice, out of benchmarks/tasks")
    parser.add_argument("--limit", type=int, help="first items of every task (all)")
    parser.add_argument("--repeats", type=int, default=5, help="measurements, of which the median is shown (5)")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch-sizes", nargs="+", type=int, help="HFLM's, the fastest counts (GPU: its own search)")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    arguments = parser.parse_args()
    folder = arguments.model or inputs.demo_base(arguments.runs)
    sizes = arguments.batch_sizes or (FIXED if arguments.device == "cpu" else ())
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, arguments.dtype))
    model = model.to(arguments.device).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tasks = TaskManager(include_path=str(TASK_FOLDERS), include_defaults=False).load(list(arguments.tasks))["tasks"]
    where = torch.cuda.get_device_name() if arguments.device != "cpu" else f"CPU, {torch.get_num_threads()} threads"
    console.print(f"{folder.name}, {arguments.dtype}, {where}, medians of {arguments.repeats}, taking turns")
    table = Table(box=None, padding=(0, 2, 0, 0))
    names = ("task", "items", "ours /s", "HFLM /s", "batch", "ratio", "of CPU s", "nats apart", "choices apart")
    for column in names:
        table.add_column(column, justify="left" if column == "task" else "right")
    ratios = []
    for name, task in tasks.items():
        requests = requests_of(task, arguments.limit)
        ours = PackedScorer(pretrained=model, tokenizer=tokenizer, batch_size="auto")
        theirs = hflm(model, tokenizer, requests, sizes)
        cells, ratio = row(name, requests, ours, theirs, arguments.repeats, arguments.dtype)
        table.add_row(*cells)
        ratios.append(ratio)
        console.print(f"  {name}: ratio {ratio:.2f}", style="dim")
    console.print(table)
    console.print(f"geometric mean of the ratios {statistics.geometric_mean(ratios):.2f}")


if __name__ == "__main__":
    main()
