"""Plain `lm_eval` against `workbench score`, item by item: the same model, tasks and items, both in float32.

    python benchmarks/agreement.py MODEL                      # every task that can be asked here, 8 items of each
    python benchmarks/agreement.py MODEL --tasks mini_nli icd10cm_easy --limit 20

lm_eval runs as its own command. An item agrees when every metric of it does: equal, or within 1e-3 where it is computed
from log-probabilities. Exits with 1 if one does not. Where greedy decoding comes to a near tie, batches of another
shape may take the other word; such an item is listed, not forgiven.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from workbench.errors import DataMissing
from workbench.scoring.answered import Task
from workbench.scoring.harness import Harness, Settings, subset

TASKS = Path(__file__).parent / "tasks"
TOLERANCE = 1e-3
console = Console(width=110)


def available(names: Sequence[str]) -> dict[str, int]:
    """Number of items of every task that loads here, by name."""
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    manager, found = TaskManager(include_path=str(TASKS), include_defaults=False), {}
    for name in names or [name for name in manager.all_tasks if name not in manager.all_groups]:
        try:
            found[name] = len(manager.load(name)["tasks"][name].eval_docs)
        except DataMissing as error:
            console.print(f"{name}: not asked. {error}", style="dim", soft_wrap=True)
    return found


def theirs(
    model: Path, samples: Mapping[str, Sequence[int]], out: Path, batch_size: int = 8
) -> dict[str, dict[int, dict[str, Any]]]:
    """Items by task and index, as the `lm_eval` command writes them."""
    command = [
        str(Path(sys.executable).with_name("lm_eval")), "run", "--model", "hf",
        "--model_args", f"pretrained={model},dtype=float32", "--include_path", str(TASKS), "--tasks", ",".join(samples),
        "--samples", json.dumps(samples), "--device", "cpu", "--batch_size", str(batch_size), "--log_samples",
        "--output_path", str(out),
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}, check=False
    )
    if done.returncode:
        raise SystemExit(f"lm_eval failed:\n{done.stderr[-2000:]}")
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for path in out.rglob("samples_*.jsonl"):
        name = path.stem.removeprefix("samples_").rpartition("_")[0]
        rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
        found[name] = {row["doc_id"]: row for row in rows}
    return found


def ours(model: Path, samples: Mapping[str, Sequence[int]], limit: int) -> dict[str, dict[int, dict[str, Any]]]:
    """The same, as the workbench scores them."""
    from lm_eval.tasks import TaskManager

    index = TaskManager(include_path=str(TASKS), include_defaults=False).task_index
    tasks = [Task(name, name, _first_metric(index[name].cfg), "0" * 8, None, True, True) for name in samples]
    settings = Settings("float32", batch_size=8, limit=limit)
    scores = Harness(TASKS).score("model", "model", model, tasks, "test", settings)
    found: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in samples}
    for item in scores.items:
        found[item["task"]][item["doc_id"]] = item
    return found


def _first_metric(config: Mapping[str, Any]) -> str:
    return str(config["metric_list"][0]["metric"])


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """What two records of an item disagree on."""
    for metric in one["metrics"]:
        a, b = one[metric], other.get(metric)
        pairs = zip(a, b, strict=True) if isinstance(a, list) and isinstance(b, list) else [(a, b)]
        if any(not _close(x, y) for x, y in pairs):
            yield f"{metric} {a} / {b}"


def _close(a: Any, b: Any) -> bool:
    if isinstance(a, int | float) and isinstance(b, int | float):
        return abs(a - b) <= TOLERANCE * max(1.0, abs(a))
    return bool(a == b)


def main() -> int:
    """Score twice, compare, print a line a task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--tasks", nargs="*", default=[])
    parser.add_argument("--limit", type=int, default=8)
    help = "rows of lm_eval's batches (8); it keeps the logits of whole rows: 20 GB at 8 of 5,000 tokens, so take 1"
    parser.add_argument("--batch-size", type=int, default=8, help=help)
    options = parser.parse_args()
    sizes = available(options.tasks)
    samples = {name: subset(name, n, options.limit) for name, n in sizes.items()}
    with tempfile.TemporaryDirectory() as folder:
        plain = theirs(options.model, samples, Path(folder), options.batch_size)
    mine = ours(options.model, samples, options.limit)
    failed = 0
    for name, items in plain.items():
        found = [f"item {i}: {d}" for i, item in items.items() for d in differences(item, mine[name][i])]
        failed += bool(found) or items.keys() != mine[name].keys()
        console.print(f"{'[red]✘' if found else '[green]✔'}[/] {name}: {len(items)} items")
        for line in found:
            console.print(f"    {line}", markup=False, soft_wrap=True)
    console.print(f"{len(plain) - failed} of {len(plain)} tasks agree item by item")
    return 1 if failed or plain.keys() != samples.keys() else 0


if __name__ == "__main__":
    sys.exit(main())
