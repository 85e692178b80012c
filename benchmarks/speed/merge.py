"""Merging, ours against mergekit's: seconds, ratios, share of memory bandwidth, peak memory (README.md)."""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import inputs
import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from workbench.merging.merge import merge
from workbench.merging.places import Place, open_sources
from workbench.merging.resident import Resident
from workbench.merging.stream import Options
from workbench.specs.merge import MergeSpec
from workbench.specs.methods import METHODS

WEIGHT = {"weight": 0.3}
RECIPES: dict[str, dict[str, Any]] = {
    "linear": {"each": WEIGHT},
    "task_arithmetic": {"each": WEIGHT},
    "slerp": {"models": 1, "parameters": {"t": 0.5}},
    "model_stock": {},
    "ties": {"each": {**WEIGHT, "density": 0.5}},
    "breadcrumbs": {"each": {**WEIGHT, "density": 0.8, "gamma": 0.05}},
    "dare_ties": {"each": {**WEIGHT, "density": 0.5}},
    "sce": {"parameters": {"select_topk": 0.5}},
    "della": {"each": {**WEIGHT, "density": 0.5}},
    "multislerp": {"each": WEIGHT},
    "karcher": {},
    "arcee_fusion": {"models": 1},
}
FLOORS = {
    "ties": 12, "breadcrumbs": 12, "dare_ties": 8, "sce": 8, "della": 5, "linear": 3, "task_arithmetic": 3,
    "slerp": 3, "model_stock": 3,
}  # fmt: skip
console = Console(width=110)


def recipe(method: str, base: str, models: Sequence[str]) -> dict[str, Any]:
    """A mergekit YAML as a mapping."""
    given = RECIPES[method]
    listed = models[: given.get("models", len(models))]
    raw: dict[str, Any] = {
        "merge_method": method,
        "models": [{"model": model, "parameters": given.get("each", {})} for model in listed],
        "dtype": "bfloat16",
    }
    if METHODS[method].base == "required":
        raw["base_model"] = base
    if "parameters" in given:
        raw["parameters"] = given["parameters"]
    return raw


def timed(run: Callable[[Path], Any], repeats: int, into: Path) -> list[float]:
    """Seconds of `run(out)` into a new folder each time."""
    seconds = []
    for number in range(repeats):
        out = into / f"out-{number}"
        started = time.perf_counter()
        run(out)
        seconds.append(time.perf_counter() - started)
        shutil.rmtree(out)
    return seconds


def by_us(raw: dict[str, Any], folders: dict[str, Path]) -> Callable[[Path], Any]:
    """Our merge of a recipe, in this process."""
    seeded = {"seed": 1} if METHODS[raw["merge_method"]].seeded else {}
    spec = MergeSpec.model_validate({**raw, **seeded})
    places = [Place(name, name, folders[name]) for name in spec.references]
    numbered = spec.renamed({name: str(i) for i, name in enumerate(spec.references)})

    def run(out: Path) -> None:
        out.mkdir()
        merge(out.name, numbered, places, out)

    return run


def by_mergekit(raw: dict[str, Any], folders: dict[str, Path]) -> Callable[[Path], Any]:
    """mergekit's merge of the same recipe, in this process."""
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    config = MergeConfiguration.model_validate(with_folders(raw, folders))
    options = MergeOptions(random_seed=1, copy_tokenizer=False, write_model_card=False, quiet=True)
    return lambda out: run_merge(config, str(out), options)


def with_folders(raw: dict[str, Any], folders: dict[str, Path]) -> dict[str, Any]:
    """The recipe with folders in place of names."""
    found = {**raw, "models": [{**entry, "model": str(folders[entry["model"]])} for entry in raw["models"]]}
    if "base_model" in raw:
        found["base_model"] = str(folders[raw["base_model"]])
    return found


def bandwidth(threads: int) -> float:
    """Bytes a second that numpy copies on so many threads, read and written."""
    parts = [(np.zeros(1 << 26, np.uint8), np.zeros(1 << 26, np.uint8)) for _ in range(threads)]

    def copy(part: tuple[np.ndarray, np.ndarray]) -> None:
        for _ in range(4):
            np.copyto(part[1], part[0])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(copy, parts))
        started = time.perf_counter()
        list(pool.map(copy, parts))
        return threads * 4 * 2 * (1 << 26) / (time.perf_counter() - started)


def methods(arguments: argparse.Namespace) -> None:
    """In process: seconds of both, ratio, and how much of the copying bandwidth one pass over the files would be."""
    folders, into = models(arguments)
    threads = os.cpu_count() or 1
    copied = bandwidth(threads)
    size = sum(path.stat().st_size for path in folders["base"].glob("*.safetensors"))
    console.print(
        f"{threads} threads, plain copying at {copied / 1e9:.1f} GB/s, {len(folders) - 1} experts, in process"
    )
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("method", "ours s", "mergekit s", "ratio", "floor", "of copying bandwidth"):
        table.add_column(column, justify="left" if column == "method" else "right")
    others = [name for name in folders if name != "base"]
    timed(by_mergekit(recipe("linear", "base", others), folders), 1, into)  # imports, and what each loads once
    for method in arguments.only or RECIPES:
        raw = recipe(method, "base", others)
        timed(by_us(raw, folders), 1, into)  # compiles
        ours = statistics.median(timed(by_us(raw, folders), arguments.repeats, into))
        theirs = statistics.median(timed(by_mergekit(raw, folders), arguments.repeats, into))
        passed = size * (len(raw["models"]) + 1 + ("base_model" in raw))
        share = passed / ours / copied
        floor = f"{FLOORS[method]}" if method in FLOORS else ""
        table.add_row(method, f"{ours:.2f}", f"{theirs:.2f}", f"{theirs / ours:.1f}", floor, f"{share:.0%}")
        console.print(f"  {method}: {ours:.2f} s, mergekit {theirs:.2f} s", style="dim")
    console.print(table)


START = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""
"""On Linux the peak memory of a process begins at that of the process which started it: this one is small."""


def measured(command: Sequence[str]) -> tuple[float, float]:
    """Seconds and peak memory (GB) of a command."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-S", "-c", START, *command], capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - started
    code, peak = map(int, done.stdout.split())
    if code:
        raise SystemExit(f"{' '.join(command)} failed. Run it by hand to see why.")
    return seconds, peak * 1024 / 1e9


def commands(arguments: argparse.Namespace) -> None:
    """As commands: seconds and peak memory of `workbench merge` and `mergekit-yaml` on one YAML."""
    folders, into = models(arguments)
    bin_ = Path(sys.executable).parent
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("method", "ours s", "mergekit s", "ratio", "ours GB", "mergekit GB"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for method in arguments.only or ("linear", "ties", "breadcrumbs", "dare_ties"):
        raw = recipe(method, "base", [name for name in folders if name != "base"])
        file, out = into / f"{method}.yaml", into / "out"
        file.write_text(yaml.safe_dump(with_folders(raw, folders)))
        pairs = {
            "ours": [str(bin_ / "workbench"), "merge", str(file), str(out)],
            "mergekit": [str(bin_ / "mergekit-yaml"), str(file), str(out), "--random-seed", "1", "--quiet"],
        }
        found = {}
        for name, command in pairs.items():
            results = []
            for _ in range(arguments.repeats):
                results.append(measured(command))
                shutil.rmtree(out)
            found[name] = [statistics.median(column) for column in zip(*results, strict=True)]
        (ours, our_memory), (theirs, their_memory) = found["ours"], found["mergekit"]
        table.add_row(
            method, f"{ours:.2f}", f"{theirs:.2f}", f"{theirs / ours:.1f}", f"{our_memory:.2f}", f"{their_memory:.2f}"
        )
    console.print(table)


def resident(arguments: argparse.Namespace) -> None:
    """Candidates in memory: the first and later ones, against the pass of a plain weighted sum."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    folders, _ = models(arguments)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folders["base"])).to(torch.bfloat16)
    sources = dict(zip(folders, open_sources([Place(n, n, f) for n, f in folders.items()]), strict=True))
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("method", "first s", "later s", "of one pass"):
        table.add_column(column, justify="left" if column == "method" else "right")
    with Resident(sources, Options()) as held:
        one_pass = 0.0
        for method in ("task_arithmetic", *(m for m in arguments.only or RECIPES if m != "task_arithmetic")):
            raw = recipe(method, "base", [name for name in folders if name != "base"])
            spec = MergeSpec.model_validate({**raw, **({"seed": 1} if METHODS[method].seeded else {})})
            seconds = []
            for _ in range(arguments.repeats + 1):
                started = time.perf_counter()
                held.write(spec, model)
                seconds.append(time.perf_counter() - started)
            later = statistics.median(seconds[1:])
            one_pass = one_pass or later
            table.add_row(method, f"{seconds[0]:.2f}", f"{later:.3f}", f"{later / one_pass:.1f}")
    console.print(table)


def growth(arguments: argparse.Namespace) -> None:
    """Peak memory and seconds per GB as models grow: two experts, sharded, random weights."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("shape", "model GB", "seconds", "s per GB read and written", "peak GB"):
        table.add_column(column, justify="left" if column == "shape" else "right")
    bin_ = Path(sys.executable).parent
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory(dir=arguments.into) as place:
            into = Path(place)
            free = shutil.disk_usage(into).free
            base = inputs.llama(size, into / "base", 0)
            bytes_ = sum(path.stat().st_size for path in base.glob("*.safetensors"))
            if free < 4.2 * bytes_:
                console.print(
                    f"{size}: needs {4.2 * bytes_ / 1e9:.0f} GB of disk, {free / 1e9:.0f} GB are free; left out"
                )
                continue
            two = [inputs.llama(size, into / f"expert-{seed}", seed) for seed in (1, 2)]
            folders = {"base": base, "a": two[0], "b": two[1]}
            file, out = into / "merge.yaml", into / "out"
            file.write_text(yaml.safe_dump(with_folders(recipe("ties", "base", ["a", "b"]), folders)))
            seconds, peak = measured([str(bin_ / "workbench"), "merge", str(file), str(out)])
            moved = 4 * bytes_ / 1e9
            table.add_row(size, f"{bytes_ / 1e9:.1f}", f"{seconds:.1f}", f"{seconds / moved:.2f}", f"{peak:.2f}")
    console.print(table)


def models(arguments: argparse.Namespace) -> tuple[dict[str, Path], Path]:
    """Base and experts by name, and a folder to write into."""
    arguments.into.mkdir(parents=True, exist_ok=True)
    base = inputs.demo_base(arguments.runs)
    made = inputs.experts(base, arguments.into / "experts")
    return {"base": base, **{folder.name: folder for folder in made}}, Path(tempfile.mkdtemp(dir=arguments.into))


def main() -> None:
    """The benchmark that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("methods", "commands", "resident", "growth"))
    parser.add_argument("--repeats", type=int, default=5, help="measurements, of which the median is shown (5)")
    parser.add_argument("--only", nargs="+", choices=RECIPES, help="some methods")
    parser.add_argument("--sizes", nargs="+", default=list(inputs.LLAMAS), choices=inputs.LLAMAS, help="for growth")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the demo ran")
    parser.add_argument("--into", type=Path, default=Path("runs/speed"), help="where models are written")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    arguments = parser.parse_args()
    arguments.into.mkdir(parents=True, exist_ok=True)
    {"methods": methods, "commands": commands, "resident": resident, "growth": growth}[arguments.what](arguments)


if __name__ == "__main__":
    main()
