"""`workbench plan`: the steps of a run and their state. Loads no torch."""

from __future__ import annotations

import argparse

from rich.table import Table

from workbench.cli.common import run_argument, run_file, runs_argument
from workbench.cli.console import console
from workbench.ids import SHORT
from workbench.plan import plan
from workbench.specs.project import load_run
from workbench.store import Artifact, Store


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    run_argument(parser)
    runs_argument(parser)


def main(options: argparse.Namespace) -> int:
    """Print every step with its id and state, and the disk that the rest will take."""
    declared = load_run(run_file(options.run))
    planned, store = plan(declared), Store(options.runs)
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
        console.print(_disk(base, [step.kind for step in to_do]))
    for task in planned.unavailable:
        console.print(f"unavailable ({task.role}): {task.task}: {task.reason}", style="yellow", markup=False)
    return 0


def _disk(base: Artifact, kinds: list[str]) -> str:
    """Disk of the steps to do, from the base's bytes: experts are kept in float32, merges in the base's dtype."""
    size = sum(file["bytes"] for file in base.manifest["files"].values()) / 1e9
    experts, models = kinds.count("expert"), kinds.count("merge") + kinds.count("align")
    return f"Disk for the rest: about {size * (2 * experts + models):.1f} GB ({experts} experts, {models} models)."
