"""`workbench plan`: what a run or a merge will do, and what it takes. Loads no torch."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from workbench.cli.common import declared_run, run_argument, run_file, runs_argument
from workbench.cli.console import console
from workbench.ids import SHORT
from workbench.plan import Plan, Step, plan
from workbench.specs.load import read_yaml
from workbench.specs.merge import MergeSpec
from workbench.store import Artifact, Store

if TYPE_CHECKING:
    from workbench.merging.estimate import Estimate


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    run_argument(parser)
    runs_argument(parser)


def main(options: argparse.Namespace) -> int:
    """Print the steps of a run with id and state, or the inputs of a merge; and what the rest will take."""
    file = run_file(options.run)
    document = read_yaml(file)
    if isinstance(document.value, dict) and "merge_method" in document.value:
        return _merge(file)
    return _run(plan(declared_run(options)), Store(options.runs))


def _merge(file: Path) -> int:
    """A plain mergekit YAML: its inputs, and what it takes."""
    from workbench.merging.estimate import Reads, estimate
    from workbench.merging.headers import read_folder
    from workbench.merging.references import folders_of, read_merge

    spec = read_merge(file)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("input", "tensors", "GB"):
        table.add_column(column, justify="left" if column == "input" else "right")
    inputs = []
    for name in spec.references:
        folder, adapter = folders_of(name)
        headers = read_folder(folder)
        extra = sum(path.stat().st_size for path in adapter.glob("*.safetensors")) if adapter else 0
        inputs.append(Reads(headers, extra))
        size = sum(header.bytes for header in headers.values()) + extra
        table.add_row(escape(name), str(len(headers)), f"{size / 1e9:.2f}")
    console.print(table)
    engine = "our kernels" if spec.engine == "kernels" else "mergekit"
    console.print(f"{spec.merge_method}, computed by {engine}. Nothing was run.")
    console.print(_takes("Takes", [estimate(spec, inputs, threads())]), soft_wrap=True)
    return 0


def _run(planned: Plan, store: Store) -> int:
    found = {step.id: store.get(step.kind, step.id) for step in planned.steps}
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("", "step", "name", "id", "reads"):
        table.add_column(column)
    for step in planned.steps:
        reads = ", ".join(planned.step(need).name for need in step.inputs)
        mark = "[green]✔[/]" if found[step.id] else "·"
        table.add_row(mark, step.kind, step.name, step.id[:SHORT], reads if len(reads) < 60 else reads[:57] + "...")
    console.print(table)
    done = sum(artifact is not None for artifact in found.values())
    to_do = [step for step in planned.steps if found[step.id] is None]
    console.print(f"{done} of {len(planned.steps)} steps are done. Nothing was run.")
    base = found[planned.steps[0].id]
    if base is not None:
        console.print(_disk(base, [step.kind for step in to_do]), soft_wrap=True)
        if merges := [step for step in to_do if "merge" in step.options]:  # what a search will come to, nobody knows
            console.print(_merges(planned, merges, base), soft_wrap=True)
    for task in planned.unavailable:
        console.print(f"unavailable ({task.role}): {task.task}: {task.reason}", style="yellow", markup=False)
    return 0


def _disk(base: Artifact, kinds: list[str]) -> str:
    """Disk of the steps to do, from the base's bytes: experts are kept in float32, merges in the base's dtype."""
    size = sum(file["bytes"] for file in base.manifest["files"].values()) / 1e9
    experts, models = kinds.count("expert"), kinds.count("merge") + kinds.count("align")
    return f"Disk for the rest: about {size * (2 * experts + models):.1f} GB ({experts} experts, {models} models)."


def _merges(planned: Plan, merges: Sequence[Step], base: Artifact) -> str:
    """What the merges to do take: every input is the base, an adapter on it, or as large as the base."""
    from workbench.merging.estimate import Reads, estimate
    from workbench.merging.headers import read_folder

    headers = read_folder(base.path)
    estimates = []
    for step in merges:
        spec: MergeSpec = step.options["merge"].spec
        adapters = [planned.step(need).kind == "expert" for need in step.inputs]
        inputs = [Reads(headers, 1 if adapter else 0) for adapter in adapters]
        estimates.append(estimate(spec, inputs, threads()))
    return _takes(f"The {len(merges)} merges take" if len(merges) > 1 else "The merge takes", estimates)


def _takes(what: str, estimates: Sequence[Estimate]) -> str:
    """A sentence of bytes, memory and time."""
    read, written = (sum(getattr(one, name) for one in estimates) / 1e9 for name in ("read", "written"))
    peak = max(one.peak for one in estimates) / 1e9
    timed = [one.seconds for one in estimates if one.seconds is not None]
    unknown = len(estimates) - len(timed)
    seconds = f", {sum(timed):.0f} s on {threads()} threads" if timed else ""
    extra = f" ({unknown} by mergekit not counted in the time)" if timed and unknown else ""
    extra = ", mergekit's time and memory beside it" if not timed else extra
    return f"{what} about: {read:.1f} GB read, {written:.1f} GB written, {peak:.1f} GB of memory{seconds}{extra}."


def threads() -> int:
    """Threads that a merge has on this machine."""
    return os.cpu_count() or 1
